// Helpers for the other scripts. This file is loaded first, because the WebUI and the app load scripts in the order of their names.
window.darkroomPage = (function () {
    const SOON = 100; // milliseconds until Gradio has read what was written into a field
    const PAUSE = 5000; // milliseconds between two tries to reach a program that does not answer
    const USER_EVENTS = ["pointermove", "keydown", "focus", "online"];
    const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
    const find = (id) => root().querySelector(id);
    const isVisible = (element) => element && element.offsetParent !== null && document.visibilityState === "visible";

    function press(id) {
        const button = find(id);
        if (button) (button.matches("button") ? button : button.querySelector("button")).click();
        return Boolean(button);
    }

    function write(id, value) {
        const fields = find(id) ? find(id).querySelectorAll("textarea, input[type=text], input[type=number], input[type=range]") : [];
        for (const field of fields) {
            field.value = value;
            field.dispatchEvent(new Event("input", {bubbles: true}));
            field.dispatchEvent(new Event("change", {bubbles: true}));
        }
    }

    // Writes into a hidden field, then presses the hidden button that reads it.
    function writeAndPress(field, value, button) {
        write(field, value);
        setTimeout(() => press(button), SOON);
    }

    // Resolves when the program answers. While it does not, tries again only when the user does something, because a WebUI with --api
    // that is restarting fails if a page sends a request just before its API is added.
    async function untilAnswered() {
        while (!(await fetch("robots.txt").then(() => true, () => false))) {
            await Promise.all([new Promise((resolve) => setTimeout(resolve, PAUSE)), userActs()]);
        }
    }

    function userActs() {
        const controller = new AbortController();
        return new Promise((resolve) => USER_EVENTS.forEach((name) => window.addEventListener(name, resolve, {signal: controller.signal})))
            .finally(() => controller.abort());
    }

    return {find, isVisible, press, write, writeAndPress, untilAnswered};
})();
