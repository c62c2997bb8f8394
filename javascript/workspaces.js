// A press on a workspace's card tells the page its name.
(function () {
    document.addEventListener("click", (event) => {
        const card = event.composedPath().find((node) => node.classList && node.classList.contains("darkroom-card"));
        if (card) darkroomPage.tell("#darkroom_picked", card.dataset.name, "#darkroom_pick");
    });
})();
