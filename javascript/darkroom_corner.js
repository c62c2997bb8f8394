// Shows the running job in a corner of the page while another tab is in front, from before Gradio has built any tab. What is shown is
// asked for over a route of its own; where there is none, as on pages with a login, there is no corner. The route may be there later than
// the page.
(function () {
    const EVERY = 1000, IDLE = 5000; // milliseconds
    const TRIES = 5; // in a row without a route
    const {find, seen, press, answering} = darkroomPage;
    let followed = "", hidden = ""; // when the job was created that was seen running here, and the one that nobody wants to see
    let missed = 0;

    async function look() {
        const wanted = !seen(find("#darkroom_live")) && document.visibilityState === "visible";
        const said = wanted ? await asked() : "";
        if (missed === TRIES) return;
        if (!document.body) await new Promise((built) => document.addEventListener("DOMContentLoaded", built));
        const shown = show(said);
        setTimeout(look, shown || !wanted ? EVERY : IDLE);
    }

    async function asked() {
        try {
            const answer = await fetch("darkroom/job");
            missed = answer.status === 404 ? missed + 1 : 0;
            return answer.ok ? await answer.text() : "";
        } catch (error) {
            await answering(); // the program is being restarted
            return "";
        }
    }

    // A job that has ended is shown only where it was seen running. Answers whether a running job is shown now.
    function show(said) {
        const job = document.createElement("div");
        job.innerHTML = said;
        const {running, created} = job.firstElementChild?.dataset || {};
        if (running) followed = created;
        const corner = document.getElementById("darkroom_corner") || made();
        corner.hidden = !said || created === hidden || created !== followed;
        if (!corner.hidden) corner.firstElementChild.replaceChildren(...job.childNodes);
        return running && !corner.hidden;
    }

    function made() {
        const corner = document.createElement("aside");
        corner.id = "darkroom_corner";
        corner.setAttribute("aria-label", `Training`);
        corner.append(document.createElement("div"), button(`Show`, open), button(`Hide`, hide));
        document.body.append(corner);
        return corner;
    }

    function button(text, pressed) {
        const made = document.createElement("button");
        Object.assign(made, {type: "button", textContent: text});
        made.addEventListener("click", pressed);
        return made;
    }

    function hide() {
        hidden = followed;
        document.getElementById("darkroom_corner").hidden = true;
    }

    function open() {
        const tabs = find("#darkroom_tabs");
        if (!tabs) return; // Gradio has not built it yet
        if (!seen(tabs)) outerButton(tabs)?.click();
        press("#darkroom_show_train");
        document.getElementById("darkroom_corner").hidden = true;
    }

    // In the WebUI, which gives its tabs' buttons no ids, the button stands in the same place as the tab.
    function outerButton(tabs) {
        const ours = tabs.closest(".tabitem"), all = ours?.parentElement;
        const place = all ? [...all.children].filter((child) => child.matches(".tabitem")).indexOf(ours) : -1;
        return all?.querySelector(":scope > .tab-nav")?.children[place];
    }

    look();
})();
