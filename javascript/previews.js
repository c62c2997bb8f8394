// A press on a star above the previews makes the copy of that step the preferred one.
(function () {
    const {writeAndPress} = darkroomPage;

    document.addEventListener("click", (event) => {
        const star = event.composedPath().find((part) => part instanceof Element && part.matches(".darkroom-star"));
        if (star) writeAndPress("#darkroom_star", star.dataset.step, "#darkroom_prefer");
    });
})();
