// Presses two hidden buttons of the page, because Gradio has no timer that all its versions share: "poll" as soon as the tab is in
// front and then while the Train tab can be seen, so that a reloaded page or a second browser follows the same job; and "enter"
// once, which shows the newest workspace.
(function () {
    const LOOK = 250, EVERY = 1000, IDLE = 3000, PATIENCE = 5000; // milliseconds
    const {find, seen, press, answering} = darkroomPage;
    let entered = false, asked = 0, before = "";

    function follow() {
        // In the WebUI's Gradio a click before everything is mounted breaks the page; what can be seen has been mounted.
        if (!entered && seen(find("#darkroom_tabs"))) {
            ask();
            entered = press("#darkroom_enter");
        }
        const panel = find("#darkroom_live");
        if (!entered || !seen(panel)) return;
        const running = panel.querySelector("[data-running]"), ago = Date.now() - asked;
        const unanswered = panel.innerHTML === before;
        if (ago < (running ? (unanswered ? PATIENCE : EVERY) : IDLE)) return;
        poll();
    }

    async function poll() {
        asked = Infinity; // not again before this one is through
        await answering();
        ask();
    }

    function ask() {
        asked = Date.now();
        before = find("#darkroom_live")?.innerHTML;
        press("#darkroom_poll");
    }

    setInterval(follow, LOOK);
})();
