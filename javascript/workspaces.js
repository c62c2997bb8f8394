// A press on a workspace's tile tells the page its name.
(function () {
    document.addEventListener("click", (event) => {
        const tile = event.composedPath().find((node) => node.classList && node.classList.contains("darkroom-tile"));
        if (tile) darkroomPage.writeAndPress("#darkroom_picked", tile.dataset.name, "#darkroom_pick");
    });
})();
