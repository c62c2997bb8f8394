// A click on a picture of a grid tells the page which one it was; a click on the chosen picture enlarges it; "Send to txt2img" gives the
// picture's whole text to the WebUI's own button that reads one, or fills the fields of the Generate tab.
(function () {
    const AGAIN = 100, TRIES = 50; // milliseconds until a tab is looked for again
    const {find, press, write, tell} = darkroomPage;
    const PASTE = "#txt2img_tools #paste"; // reads what stands in the prompt into every field, sampler and clip skip too
    const TO = [
        {prompt: "#txt2img_prompt", negative: "#txt2img_neg_prompt", steps: "#txt2img_steps", cfg: "#txt2img_cfg_scale",
            width: "#txt2img_width", height: "#txt2img_height", seed: "#txt2img_seed"},
        {prompt: "#darkroom_prompt", negative: "#darkroom_negative", steps: "#darkroom_steps", cfg: "#darkroom_cfg",
            width: "#darkroom_width", height: "#darkroom_height", seed: "#darkroom_seed"},
    ];

    function choose(cell) {
        const grid = cell.closest(".darkroom-grid");
        grid.querySelectorAll(".darkroom-cell.waiting").forEach((other) => other.classList.remove("waiting"));
        cell.classList.add("waiting");
        tell("#darkroom_cell", grid.dataset.grid + "/" + cell.dataset.cell, "#darkroom_choose");
    }

    function enlarge(button) {
        button.classList.toggle("darkroom-full");
    }

    function send() {
        const chosen = find("#darkroom_chosen .darkroom-chosen");
        if (!chosen) return;
        if (typeof switch_to_txt2img === "function") switch_to_txt2img();
        else press("#darkroom_tab_generate-button");
        const infotext = chosen.querySelector("pre").textContent;
        if (infotext && find(PASTE)) tell("#txt2img_prompt", infotext, PASTE);
        else fill(JSON.parse(chosen.dataset.send), TRIES);
    }

    // A tab's fields may be made only when it is shown.
    function fill(values, tries) {
        const fields = TO.find((one) => find(one.prompt));
        if (fields) Object.keys(fields).forEach((name) => write(fields[name], values[name]));
        else if (tries > 0) setTimeout(() => fill(values, tries - 1), AGAIN);
    }

    document.addEventListener("click", (event) => {
        const path = event.composedPath().filter((part) => part instanceof Element);
        const at = (selector) => path.find((part) => part.matches(selector));
        if (at(".darkroom-cell")) choose(at(".darkroom-cell"));
        else if (at(".darkroom-enlarge")) enlarge(at(".darkroom-enlarge"));
        else if (at("#darkroom_compare_send")) send();
    });

    document.addEventListener("keydown", (event) => {
        const large = find(".darkroom-full");
        if (event.key === "Escape" && large) enlarge(large);
    });
})();
