// A press on a star above the previews tells the page which step's copy is preferred.
(function () {
    const {tell} = darkroomPage;

    document.addEventListener("click", (event) => {
        const star = event.composedPath().find((part) => part instanceof Element && part.matches(".darkroom-star"));
        if (star) tell("#darkroom_star", star.dataset.step, "#darkroom_prefer");
    });
})();
