// A click on a picture of a grid chooses it; a click on the chosen picture enlarges it. "Send to txt2img" gives the picture's infotext to
// the WebUI's own button that reads it, or fills the fields of the Generate tab.
(function () {
    const AGAIN = 100, TRIES = 50; // milliseconds between two tries, and their number
    const {find, press, write, writeAndPress} = darkroomPage;
    const PASTE = "#txt2img_tools #paste"; // fills all fields, also sampler and clip skip, from the infotext in the prompt
    const TARGETS = [
        {prompt: "#txt2img_prompt", negative: "#txt2img_neg_prompt", steps: "#txt2img_steps", cfg: "#txt2img_cfg_scale",
            width: "#txt2img_width", height: "#txt2img_height", seed: "#txt2img_seed"},
        {prompt: "#darkroom_prompt", negative: "#darkroom_negative", steps: "#darkroom_steps", cfg: "#darkroom_cfg",
            width: "#darkroom_width", height: "#darkroom_height", seed: "#darkroom_seed"},
    ];

    function choose(cell) {
        const grid = cell.closest(".darkroom-grid");
        grid.querySelectorAll(".darkroom-cell.waiting").forEach((other) => other.classList.remove("waiting"));
        cell.classList.add("waiting");
        writeAndPress("#darkroom_cell", grid.dataset.grid + "/" + cell.dataset.cell, "#darkroom_choose");
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
        if (infotext && find(PASTE)) writeAndPress("#txt2img_prompt", infotext, PASTE);
        else fill(JSON.parse(chosen.dataset.send), TRIES);
    }

    // Gradio may create a tab's fields only when the tab is shown.
    function fill(values, tries) {
        const fields = TARGETS.find((target) => find(target.prompt));
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
