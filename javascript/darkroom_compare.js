// A click on a picture of a grid tells the page which one it was, through a hidden field and a hidden button; a click on the chosen
// picture enlarges it; "Send to txt2img" fills the WebUI's own fields, or those of the Generate tab.
(function () {
    const SOON = 100; // milliseconds in which Gradio takes over what was written into a field, or shows a tab
    const TRIES = 50;
    const TO = [
        {prompt: "#txt2img_prompt", negative: "#txt2img_neg_prompt", steps: "#txt2img_steps", cfg: "#txt2img_cfg_scale",
            width: "#txt2img_width", height: "#txt2img_height", seed: "#txt2img_seed"},
        {prompt: "#darkroom_prompt", negative: "#darkroom_negative", steps: "#darkroom_steps", cfg: "#darkroom_cfg",
            width: "#darkroom_width", height: "#darkroom_height", seed: "#darkroom_seed"},
    ];
    const find = (id) => (typeof gradioApp === "function" ? gradioApp() : document).querySelector(id);

    function write(id, value) {
        const fields = find(id) ? find(id).querySelectorAll("textarea, input[type=text], input[type=number], input[type=range]") : [];
        for (const field of fields) {
            field.value = value;
            field.dispatchEvent(new Event("input", {bubbles: true}));
            field.dispatchEvent(new Event("change", {bubbles: true}));
        }
    }

    function press(id) {
        const button = find(id);
        if (button) (button.matches("button") ? button : button.querySelector("button")).click();
    }

    function choose(cell) {
        const grid = cell.closest(".darkroom-grid");
        grid.querySelectorAll(".darkroom-cell.waiting").forEach((other) => other.classList.remove("waiting"));
        cell.classList.add("waiting");
        write("#darkroom_cell", grid.dataset.grid + "/" + cell.dataset.cell);
        setTimeout(() => press("#darkroom_choose"), SOON);
    }

    function enlarge(button) {
        button.classList.toggle("darkroom-full");
    }

    function send() {
        const chosen = find("#darkroom_chosen .darkroom-chosen");
        if (!chosen) return;
        if (typeof switch_to_txt2img === "function") switch_to_txt2img();
        else press("#darkroom_tab_generate-button");
        fill(JSON.parse(chosen.dataset.send), TRIES);
    }

    // A tab's fields may be made only when it is shown.
    function fill(values, tries) {
        const fields = TO.find((one) => find(one.prompt));
        if (fields) Object.keys(fields).forEach((name) => write(fields[name], values[name]));
        else if (tries > 0) setTimeout(() => fill(values, tries - 1), SOON);
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
