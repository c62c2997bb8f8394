// Follows the running job: presses the page's hidden "poll" button while the tab can be seen, so that a page that was
// reloaded, or a second browser, shows the same job. Everything else is Gradio's.
(function () {
    const EVERY = 1000, PATIENCE = 5000;
    let asked = 0, answered = "";

    const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
    const live = () => root().querySelector("#darkroom_live");
    const seen = (element) => element && element.offsetParent !== null && document.visibilityState === "visible";

    function follow() {
        const panel = live(), button = root().querySelector("#darkroom_poll");
        if (!button || !panel) return;
        const waiting = Date.now() - asked < PATIENCE && panel.innerHTML === answered && asked;
        const running = panel.querySelector("[data-running]");
        // In the WebUI's Gradio a click before everything is mounted breaks the page; what can be seen has been mounted.
        const first = !panel.querySelector(".darkroom-live") && typeof gradioApp !== "function";
        if (!first && !running && !seen(panel)) return;
        if (waiting && running) return;
        asked = Date.now();
        answered = panel.innerHTML;
        (button.matches("button") ? button : button.querySelector("button")).click();
    }

    setInterval(follow, EVERY);
})();
