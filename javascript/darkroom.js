// What the other scripts ask of the page. It comes first, because the WebUI and the app load the scripts by their names.
window.darkroomPage = (function () {
    const SOON = 100; // milliseconds in which Gradio takes over what was written into a field
    const PAUSE = 5000; // milliseconds between two looks for a program that is gone
    const ACTS = ["pointermove", "keydown", "focus", "online"];
    const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
    const find = (id) => root().querySelector(id);
    const seen = (element) => element && element.offsetParent !== null && document.visibilityState === "visible";

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

    // Through a hidden field and the hidden button beside it, which reads the field.
    function tell(field, value, button) {
        write(field, value);
        setTimeout(() => press(button), SOON);
    }

    // Resolves when the program answers. While it is gone it is looked for only when the reader does something: a WebUI with --api that
    // is being started again fails when a page asks anything of it just before its API is added.
    async function answering() {
        while (!(await fetch("robots.txt").then(() => true, () => false))) {
            await Promise.all([new Promise((passed) => setTimeout(passed, PAUSE)), someone()]);
        }
    }

    function someone() {
        const over = new AbortController();
        return new Promise((acted) => ACTS.forEach((name) => window.addEventListener(name, acted, {signal: over.signal})))
            .finally(() => over.abort());
    }

    return {find, seen, press, write, tell, answering};
})();
