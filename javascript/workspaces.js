// A press on a workspace's card writes its name into a hidden field and presses the hidden button beside it, which reads the field.
(function () {
    const SETTLE = 60; // milliseconds until Gradio knows what was written
    const find = (id) => (typeof gradioApp === "function" ? gradioApp() : document).querySelector(id);

    document.addEventListener("click", (event) => {
        const card = event.composedPath().find((node) => node.classList && node.classList.contains("darkroom-card"));
        if (!card) return;
        const field = find("#darkroom_picked textarea, #darkroom_picked input");
        field.value = card.dataset.name;
        field.dispatchEvent(new Event("input", {bubbles: true}));
        setTimeout(() => find("#darkroom_pick").click(), SETTLE);
    });
})();
