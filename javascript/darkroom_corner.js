// Shows the running job in a corner of the page while another tab is open, even before Gradio has built its tabs. It asks a route of its
// own. Where there is none, as on pages with a login, there is no corner. The route may exist later than the page.
(function () {
    const EVERY = 1000, IDLE = 5000; // milliseconds
    const TRIES = 5; // requests in a row that find no route
    const {find, isVisible, press, untilAnswered} = darkroomPage;
    let followed = "", hidden = ""; // the creation times of the job that ran while this page was open, and of the one that was hidden
    let misses = 0;

    async function refresh() {
        const needed = !isVisible(find("#darkroom_live")) && document.visibilityState === "visible";
        const html = needed ? await fetchJob() : "";
        if (misses === TRIES) return;
        if (!document.body) await new Promise((built) => document.addEventListener("DOMContentLoaded", built));
        const isRunning = show(html);
        setTimeout(refresh, isRunning || !needed ? EVERY : IDLE);
    }

    async function fetchJob() {
        try {
            const answer = await fetch("darkroom/job");
            misses = answer.status === 404 ? misses + 1 : 0;
            return answer.ok ? await answer.text() : "";
        } catch (error) {
            await untilAnswered(); // the program is being restarted
            return "";
        }
    }

    // A job that has ended is shown only if it ran while this page was open. Returns whether a running job is shown now.
    function show(html) {
        const job = document.createElement("div");
        job.innerHTML = html;
        const {running, created} = job.firstElementChild?.dataset || {};
        if (running) followed = created;
        const corner = document.getElementById("darkroom_corner") || createCorner();
        corner.hidden = !html || created === hidden || created !== followed;
        if (!corner.hidden) corner.firstElementChild.replaceChildren(...job.childNodes);
        return running && !corner.hidden;
    }

    function createCorner() {
        const corner = document.createElement("aside");
        corner.id = "darkroom_corner";
        corner.setAttribute("aria-label", `Training`);
        corner.append(document.createElement("div"), button(`Show`, open), button(`Hide`, hide));
        document.body.append(corner);
        return corner;
    }

    function button(text, pressed) {
        const element = document.createElement("button");
        Object.assign(element, {type: "button", textContent: text});
        element.addEventListener("click", pressed);
        return element;
    }

    function hide() {
        hidden = followed;
        document.getElementById("darkroom_corner").hidden = true;
    }

    function open() {
        const tabs = find("#darkroom_tabs");
        if (!tabs) return; // Gradio has not built them yet
        if (!isVisible(tabs)) outerButton(tabs)?.click();
        press("#darkroom_show_train");
        document.getElementById("darkroom_corner").hidden = true;
    }

    // In the WebUI, which gives its tabs' buttons no ids, the button stands in the same place as the tab.
    function outerButton(tabs) {
        const ours = tabs.closest(".tabitem"), all = ours?.parentElement;
        const place = all ? [...all.children].filter((child) => child.matches(".tabitem")).indexOf(ours) : -1;
        return all?.querySelector(":scope > .tab-nav")?.children[place];
    }

    refresh();
})();
