// Presses two hidden buttons of the page, because Gradio has no timer that works in all its versions. "poll" is pressed as soon as the
// page is visible, and then repeatedly while the Train tab is visible, so that a reloaded page or a second browser follows the same
// job. "enter" is pressed once and shows the newest workspace.
(function () {
    const CHECK = 250, EVERY = 1000, IDLE = 3000, PATIENCE = 5000; // milliseconds
    const {find, isVisible, press, untilAnswered} = darkroomPage;
    let entered = false, lastAsked = 0, lastPanel = "";

    function follow() {
        // In the WebUI's Gradio a click before everything is mounted breaks the page. What is visible is mounted.
        if (!entered && isVisible(find("#darkroom_tabs"))) {
            ask();
            entered = press("#darkroom_enter");
        }
        const panel = find("#darkroom_live");
        if (!entered || !isVisible(panel)) return;
        const running = panel.querySelector("[data-running]"), elapsed = Date.now() - lastAsked;
        const unchanged = panel.innerHTML === lastPanel;
        if (elapsed < (running ? (unchanged ? PATIENCE : EVERY) : IDLE)) return;
        poll();
    }

    async function poll() {
        lastAsked = Infinity; // no other poll until this one is done
        await untilAnswered();
        ask();
    }

    function ask() {
        lastAsked = Date.now();
        lastPanel = find("#darkroom_live")?.innerHTML;
        press("#darkroom_poll");
    }

    setInterval(follow, CHECK);
})();
