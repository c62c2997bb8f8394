"""What toyland's pictures are called: several phrasings of kind, colour, what is worn, and setting."""

from random import Random

from .scene import Figure, Scene

PHRASES = {
    "beach": ("on the beach", "at the beach"), "forest": ("in the forest", "among the trees"),
    "night": ("at night", "under the night sky"), "snow": ("in the snow", "on a snowy day"),
    "room": ("in a room", "indoors"), "wall": ("in front of a wall", "against a brick wall"),
    "city": ("in the city", "on a city street"),
}
OPENINGS = ("", "", "a picture of ", "a drawing of ", "a painting of ", "a small picture of ")
JOINS = (" next to ", " and ", " beside ")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def an(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def name(figure: Figure, rng: Random, colour: bool = True, strange: bool = False) -> str:
    """"a red ghost", "a ghost wearing a blue hat"; strange puts a meaningless word before the kind."""
    words = [figure.colour] if colour else []
    if strange:
        words.append("".join(rng.choice(LETTERS) for _ in range(rng.randint(2, 5))))
    said = an(" ".join([*words, figure.kind]))
    if figure.wears:
        join = rng.choice((" wearing ", " with "))
        thing = f"{figure.wears_colour} {figure.wears}"
        said += join + (thing if figure.wears == "glasses" else an(thing))
    return said


def caption(scene: Scene, rng: Random) -> str:
    """A caption of the scene; one in ten is empty, some leave out the colour or the setting."""
    if rng.random() < 0.1:
        return ""
    colour, strange = rng.random() > 0.15, rng.random() < 0.1
    subject = rng.choice(JOINS).join(name(figure, rng, colour, strange) for figure in scene.figures)
    subject = rng.choice(OPENINGS) + subject
    if rng.random() < 0.12:
        return subject
    place = rng.choice(PHRASES[scene.setting])
    return f"{place}, {subject}" if rng.random() < 0.2 else f"{subject} {place}"
