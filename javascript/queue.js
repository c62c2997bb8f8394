// The Queue tab: says which button of a row was pressed and where a row was dropped, and follows the queue while it is visible.
(function () {
    const EVERY = 2000, SOON = 150, READ = 300; // milliseconds; the last one until the page has read what was pressed
    const TRIES = 20; // looks for the button that was pressed
    const {find, isVisible, press, writeAndPress} = darkroomPage;
    const MOVABLE = ".darkroom-queue tr[draggable]";
    let dragged = null, acting = Promise.resolve();

    const part = (event, selector) => event.composedPath().find((one) => one instanceof Element && one.matches(selector));
    // One after the other: they share a field.
    function act(text) {
        acting = acting.then(() => {
            writeAndPress("#darkroom_queue_what", text, "#darkroom_queue_do");
            return new Promise((read) => setTimeout(read, READ));
        });
    }

    document.addEventListener("click", (event) => {
        const opened = part(event, "[data-open]");
        if (opened) {
            writeAndPress("#darkroom_picked", opened.dataset.open, "#darkroom_pick");
            press("#darkroom_show_train");
        }
        const button = part(event, "[data-queue]");
        if (!button) return;
        act(button.dataset.queue);
        focusAgain(button, button.dataset.queue, TRIES);
    });

    // The table is drawn anew; whoever works without a mouse stays on the same button.
    function focusAgain(old, name, tries) {
        if (!tries) return;
        const now = find('[data-queue="' + name + '"]'), active = document.activeElement;
        const isLost = active === document.body || (active === old && old.dataset.queue !== name); // some Gradio changes the old button
        if (now && isLost) return now.focus();
        setTimeout(() => focusAgain(old, name, tries - 1), SOON);
    }

    document.addEventListener("dragstart", (event) => {
        dragged = part(event, MOVABLE) || null;
        if (!dragged) return;
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", dragged.dataset.id);
    });

    document.addEventListener("dragover", (event) => {
        const over = dragged && part(event, MOVABLE);
        mark(over);
        if (over) event.preventDefault();
    });

    document.addEventListener("drop", (event) => {
        const over = dragged && part(event, MOVABLE);
        if (!over) return;
        event.preventDefault();
        if (over !== dragged) drop(dragged, over);
    });

    document.addEventListener("dragend", () => {
        dragged = null;
        mark(null);
    });

    function drop(row, over) {
        const rows = [...over.parentElement.children], isDown = rows.indexOf(row) < rows.indexOf(over);
        const before = isDown ? over.nextElementSibling : over; // dropped on one below, it comes behind that
        act(before?.matches(MOVABLE) ? ["before", row.dataset.id, before.dataset.id].join(" ") : "end " + row.dataset.id);
    }

    function mark(row) {
        for (const marked of document.querySelectorAll(".darkroom-over")) marked.classList.remove("darkroom-over");
        if (row) row.classList.add("darkroom-over");
    }

    setInterval(() => {
        if (!dragged && isVisible(find("#darkroom_queue_table"))) press("#darkroom_queue_poll");
    }, EVERY);
})();
