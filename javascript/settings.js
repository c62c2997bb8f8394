// On the Train tab: marks settings that differ from their starting values, with a button to reset each, and searches the settings.
// data-starts holds every setting's starting and current value. Gradio may not have built the parts that are folded.
(function () {
    const EVERY = 700, SETTLE = 60; // milliseconds
    const {find, isVisible, writeAndPress} = darkroomPage;
    let lastStarts = "", settings = {}, unfolded = null; // unfolded: the parts that the search has opened

    // ---- changed settings

    function readStarts() {
        const starts = find("#darkroom_starts .darkroom-starts");
        if (!starts || starts.dataset.starts === lastStarts) return Boolean(starts);
        lastStarts = starts.dataset.starts;
        settings = JSON.parse(lastStarts);
        return true;
    }

    function valueIn(block, setting) {
        const box = block.querySelector("input[type=checkbox]");
        if (box) return box.checked;
        const field = block.querySelector("textarea, input[type=number], input:not([type=range])");
        if (!field || (setting.chosen && !field.value)) return setting.now; // a list in which the user is typing
        return field.value;
    }

    function same(a, b) {
        const [one, other] = [a, b].map((value) => String(value).trim());
        return one === other || (one !== "" && other !== "" && Number(one) === Number(other));
    }

    const changed = (setting) => "start" in setting && !same(setting.now, setting.start);
    const textOf = (value) => (value === true ? "on" : value === false ? "off" : value === "" ? "empty" : String(value));

    function reset(id) {
        settings[id].now = settings[id].start;
        writeAndPress("#darkroom_back", id, "#darkroom_back_go");
    }

    function resetButton(id, ...texts) {
        const button = document.createElement("button"), setting = settings[id];
        Object.assign(button, {type: "button", className: "darkroom-back", title: `Back to ${textOf(setting.start)}`});
        button.append(...texts); // separate text nodes, so that language.js can translate each
        button.setAttribute("aria-label", `${setting.label}: back to ${textOf(setting.start)}`);
        button.addEventListener("click", (event) => {
            event.preventDefault();
            event.stopPropagation();
            reset(id);
        });
        return button;
    }

    function mark(id, block) {
        const is = changed(settings[id]), had = block.querySelector(".darkroom-back");
        block.classList.toggle("darkroom-changed", is);
        if (!is && had) had.remove();
        if (!is || had) return;
        const label = block.querySelector("[data-testid=block-info], label > span:last-of-type");
        if (label) label.append(resetButton(id, "↺"));
    }

    function listChanged() {
        const place = find("#darkroom_starts .darkroom-starts");
        const ids = Object.keys(settings).filter((id) => changed(settings[id]));
        const text = ids.map((id) => `${id} ${settings[id].now}`).join("\n");
        if (place.dataset.listed === text) return;
        place.dataset.listed = text;
        place.replaceChildren(...(ids.length ? [`${ids.length} changed: `] : []),
            ...ids.map((id) => resetButton(id, settings[id].label, " ", textOf(settings[id].now), " ↺")));
    }

    // ---- the search

    const searchWords = () => (find("#darkroom_search textarea, #darkroom_search input")?.value || "").toLowerCase().split(/\s+/).filter(Boolean);
    const onlyChanged = () => Boolean(find("#darkroom_only_changed input")?.checked);
    const folds = () => [...find("#darkroom_settings").querySelectorAll(".label-wrap")].filter((head) => !head.closest("#darkroom_text"));
    const isOpen = (head) => head.classList.contains("open");

    function unfold() {
        if (unfolded) return;
        unfolded = folds().filter((head) => !isOpen(head));
        unfolded.forEach((head) => head.click());
    }

    function fold() {
        unfolded.filter((head) => head.isConnected && isOpen(head)).forEach((head) => head.click());
        unfolded = null;
    }

    function search(words, only) {
        const searching = words.length > 0 || only, part = find("#darkroom_settings");
        if (!searching && !unfolded) return;
        part.classList.toggle("darkroom-looking", searching);
        if (searching) unfold(); else fold();
        let found = 0;
        for (const [id, setting] of Object.entries(settings)) {
            const block = find("#" + CSS.escape(id));
            if (!block) continue;
            const text = `${block.textContent} ${id}`.toLowerCase();
            const fits = words.every((word) => text.includes(word)) && (!only || changed(setting));
            block.classList.toggle("darkroom-unmatched", searching && !fits);
            found += fits ? 1 : 0;
        }
        for (const head of folds()) {
            const around = head.parentElement, anyMatch = [...around.querySelectorAll("[id^=darkroom_]")].some(
                (block) => block.id in settings && !block.classList.contains("darkroom-unmatched"));
            around.classList.toggle("darkroom-unmatched", searching && !anyMatch);
        }
        part.classList.toggle("darkroom-nothing", searching && !found);
    }

    function update() {
        if (!isVisible(find("#darkroom_search")) || !readStarts()) return;
        for (const [id, setting] of Object.entries(settings)) {
            const block = find("#" + CSS.escape(id));
            if (!block) continue;
            setting.now = valueIn(block, setting);
            mark(id, block);
        }
        listChanged();
        search(searchWords(), onlyChanged());
    }

    function updateSoon(event) {
        if (!event.composedPath().some((node) => node.id === "darkroom_settings")) return;
        if (event.composedPath().some((node) => node.id === "darkroom_back_all"))
            Object.values(settings).filter((setting) => "start" in setting).forEach((setting) => setting.now = setting.start);
        setTimeout(update, SETTLE);
    }

    setInterval(update, EVERY);
    ["input", "click"].forEach((kind) => document.addEventListener(kind, updateSoon));
})();
