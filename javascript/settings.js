// On the Train tab: marks settings that are not what they began as, with a way back for each, and shows only those that are looked for.
// The page says in data-starts what every setting began as and is; a folded part of the page may not have been built yet.
(function () {
    const EVERY = 700, SETTLE = 60; // milliseconds
    const {find, seen, tell} = darkroomPage;
    let told = "", settings = {}, unfolded = null; // the folds that were opened to look into them

    // ---- what is changed

    function listen() {
        const said = find("#darkroom_starts .darkroom-starts");
        if (!said || said.dataset.starts === told) return Boolean(said);
        told = said.dataset.starts;
        settings = JSON.parse(told);
        return true;
    }

    function valueIn(block, setting) {
        const box = block.querySelector("input[type=checkbox]");
        if (box) return box.checked;
        const field = block.querySelector("textarea, input[type=number], input:not([type=range])");
        if (!field || (setting.chosen && !field.value)) return setting.now; // a list that is being searched
        return field.value;
    }

    function same(a, b) {
        const [one, other] = [a, b].map((value) => String(value).trim());
        return one === other || (one !== "" && other !== "" && Number(one) === Number(other));
    }

    const changed = (setting) => "start" in setting && !same(setting.now, setting.start);
    const textOf = (value) => (value === true ? "on" : value === false ? "off" : value === "" ? "empty" : String(value));

    function goBack(id) {
        settings[id].now = settings[id].start;
        tell("#darkroom_back", id, "#darkroom_back_go");
    }

    function backButton(id, ...texts) {
        const button = document.createElement("button"), setting = settings[id];
        Object.assign(button, {type: "button", className: "darkroom-back", title: `Back to ${textOf(setting.start)}`});
        button.append(...texts); // a text each, so that language.js finds them
        button.setAttribute("aria-label", `${setting.label}: back to ${textOf(setting.start)}`);
        button.addEventListener("click", (event) => {
            event.preventDefault();
            event.stopPropagation();
            goBack(id);
        });
        return button;
    }

    function mark(id, block) {
        const is = changed(settings[id]), had = block.querySelector(".darkroom-back");
        block.classList.toggle("darkroom-changed", is);
        if (!is && had) had.remove();
        if (!is || had) return;
        const label = block.querySelector("[data-testid=block-info], label > span:last-of-type");
        if (label) label.append(backButton(id, "↺"));
    }

    function list() {
        const place = find("#darkroom_starts .darkroom-starts");
        const ids = Object.keys(settings).filter((id) => changed(settings[id]));
        const text = ids.map((id) => `${id} ${settings[id].now}`).join("\n");
        if (place.dataset.listed === text) return;
        place.dataset.listed = text;
        place.replaceChildren(...(ids.length ? [`${ids.length} changed: `] : []),
            ...ids.map((id) => backButton(id, settings[id].label, " ", textOf(settings[id].now), " ↺")));
    }

    // ---- what is looked for

    const wordsNow = () => (find("#darkroom_search textarea, #darkroom_search input")?.value || "").toLowerCase().split(/\s+/).filter(Boolean);
    const onlyChanged = () => Boolean(find("#darkroom_only_changed input")?.checked);
    const folds = () => [...find("#darkroom_settings").querySelectorAll(".label-wrap")].filter((head) => !head.closest("#darkroom_text"));
    const isOpen = (head) => head.classList.contains("open");

    function unfold() {
        if (unfolded) return;
        unfolded = folds().filter((head) => !isOpen(head));
        unfolded.forEach((head) => head.click());
    }

    function foldAgain() {
        unfolded.filter((head) => head.isConnected && isOpen(head)).forEach((head) => head.click());
        unfolded = null;
    }

    function look(words, only) {
        const looking = words.length > 0 || only, part = find("#darkroom_settings");
        if (!looking && !unfolded) return;
        part.classList.toggle("darkroom-looking", looking);
        if (looking) unfold(); else foldAgain();
        let found = 0;
        for (const [id, setting] of Object.entries(settings)) {
            const block = find("#" + CSS.escape(id));
            if (!block) continue;
            const text = `${block.textContent} ${id}`.toLowerCase();
            const fits = words.every((word) => text.includes(word)) && (!only || changed(setting));
            block.classList.toggle("darkroom-unmatched", looking && !fits);
            found += fits ? 1 : 0;
        }
        for (const head of folds()) {
            const around = head.parentElement, any = [...around.querySelectorAll("[id^=darkroom_]")].some(
                (block) => block.id in settings && !block.classList.contains("darkroom-unmatched"));
            around.classList.toggle("darkroom-unmatched", looking && !any);
        }
        part.classList.toggle("darkroom-nothing", looking && !found);
    }

    function look_over() {
        if (!seen(find("#darkroom_search")) || !listen()) return;
        for (const [id, setting] of Object.entries(settings)) {
            const block = find("#" + CSS.escape(id));
            if (!block) continue;
            setting.now = valueIn(block, setting);
            mark(id, block);
        }
        list();
        look(wordsNow(), onlyChanged());
    }

    function soon(event) {
        if (!event.composedPath().some((node) => node.id === "darkroom_settings")) return;
        if (event.composedPath().some((node) => node.id === "darkroom_back_all"))
            Object.values(settings).filter((setting) => "start" in setting).forEach((setting) => setting.now = setting.start);
        setTimeout(look_over, SETTLE);
    }

    setInterval(look_over, EVERY);
    ["input", "click"].forEach((kind) => document.addEventListener(kind, soon));
})();
