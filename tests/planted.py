"""Folders of drawn pictures with problems planted at random, and what was planted where."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from extension_lib.config.run import Run, from_dict
from toyland.captions import PHRASES
from toyland.figures import KINDS
from toyland.pen import Pen
from toyland.scene import COLOURS, HEADROOM, WEAR
from toyland.settings import SETTINGS

FORMATS = ("png", "jpg", "jpg", "webp")
RESOLUTIONS = (256, 256, 320, 384, 512, 640)
SHAPES = (1.0, 1.0, 1.25, 4 / 3, 1.5)
CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxz", "aeiou"
TAKEN = ("man", "girl", "anna", "thing", "hero")  # what people take for a trigger word though the base knows it
DOINGS = ("", " looking up", " standing still", " waiting", " in the middle of it all",
          " seen from near", " far away", " smiling")


def drawn(kind: str, colour: str, setting: str, size: tuple[int, int], rng: Random) -> Image.Image:
    """One figure in a setting, drawn twice as large as asked for and scaled down: every edge is sharp and smooth."""
    side = 2 * max(size)
    canvas = Image.new("RGB", (side, side))
    pencil = ImageDraw.Draw(canvas)
    SETTINGS[setting](pencil, rng)
    wears, tall, head = rng.choice([None, *WEAR]), rng.uniform(0.3, 0.6), KINDS[kind].head
    rise = max(0.0, HEADROOM.get(wears or "", 0.0) * head.radius - head.y)
    pen = Pen(pencil, rng.uniform(0.35, 0.65) * side, (rng.uniform(0.4, 0.6) + tall * rise / 2) * side, tall * side,
              rng.uniform(-0.2, 0.2), mirrored=rng.random() < 0.5)
    KINDS[kind].draw(pen, COLOURS[colour], rng)
    if wears:
        WEAR[wears](pen, head, COLOURS[rng.choice(list(COLOURS))])
    return ImageOps.fit(canvas.reduce(2), size)


@dataclass(frozen=True)
class Planted:
    """The run that would train on a folder, and its problems: the kind, and the pictures that may be blamed for it."""

    run: Run
    known: set[str]  # words that are one token of the base
    problems: list[tuple[str, set[str]]]


class Planter:
    """Draws one folder, plants problems in it, and writes it; all that happens follows from the random generator."""

    def __init__(self, folder: Path, rng: Random):
        self.folder, self.rng = folder, rng
        self.resolution, self.flip = rng.choice(RESOLUTIONS), rng.random() < 0.3
        self.kind, self.colour = rng.choice(list(KINDS)), rng.choice(list(COLOURS))
        self.word = trigger_word(rng)
        self.in_captions = rng.random() < 0.6  # otherwise the instance prompt holds the word
        self.pictures: dict[str, Image.Image] = {}  # by stem, as the captions
        self.captions: dict[str, str | None] = {}
        self.broken: set[str] = set()
        self.wordless: set[str] = set()
        settings = rng.sample(list(SETTINGS), rng.randint(3, len(SETTINGS)))
        for n in range(rng.randint(7, 10)):
            self.add(settings[n % len(settings)])
        self.untouched = list(self.pictures)
        rng.shuffle(self.untouched)

    def add(self, setting: str) -> None:
        stem = f"{self.rng.choice(('IMG', 'photo', 'x'))}_{len(self.pictures):03d}"
        colour = self.colour if self.rng.random() < 0.7 else self.rng.choice(list(COLOURS))
        said = [f"a {colour} {self.kind} {phrase}{doing}" for phrase in PHRASES[setting] for doing in DOINGS]
        self.captions[stem] = self.rng.choice([text for text in said if text not in self.captions.values()])
        self.pictures[stem] = drawn(self.kind, colour, setting, self.size(), self.rng)

    def size(self) -> tuple[int, int]:
        """From a little less than the resolution to 1200 pixels, in a usual shape."""
        least = max(300, int(0.9 * self.resolution))
        short = self.rng.randint(least, 900) if self.rng.random() < 0.25 else self.rng.randint(least, least + 150)
        long = min(1200, int(short * self.rng.choice(SHAPES)))
        return self.rng.choice(((short, long), (long, short)))

    def untouched_one(self) -> str:
        return self.untouched.pop()

    def unreadable(self) -> set[str]:
        stem = self.untouched_one()
        self.broken.add(stem)
        return {stem}

    def tiny(self) -> set[str]:
        stem = self.untouched_one()
        image = self.pictures[stem]
        shrink = self.rng.uniform(0.25, 0.55) * self.resolution / min(image.size)
        self.pictures[stem] = scaled(image, shrink, Image.Resampling.LANCZOS)
        return {stem}

    def blurred(self) -> set[str]:
        """Out of focus by 1.8 to 7 pixels of what is trained on, in one of several ways."""
        stem = self.untouched_one()
        image = self.pictures[stem]
        radius = self.rng.uniform(1.8, 7.0) * max(1.0, min(image.size) / self.resolution)
        way = self.rng.choice(("gaussian", "box", "enlarged"))
        if way == "gaussian":
            image = image.filter(ImageFilter.GaussianBlur(radius))
        elif way == "box":
            image = image.filter(ImageFilter.BoxBlur(1.7 * radius))
        else:
            image = scaled(image, 1 / (2 * radius), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)
        self.pictures[stem] = image
        return {stem}

    def duplicate(self) -> set[str]:
        """A copy: scaled, a little lighter or darker, perhaps mirrored, saved anew under a caption of its own."""
        stem = self.untouched_one()
        copy = scaled(self.pictures[stem], self.rng.uniform(0.8, 1.2), Image.Resampling.BICUBIC)
        copy = ImageEnhance.Brightness(copy).enhance(self.rng.uniform(0.88, 1.12))
        twin = f"{stem}_{self.rng.choice(('copy', 'edited', 'small'))}"
        self.pictures[twin] = ImageOps.mirror(copy) if self.rng.random() < 0.3 else copy
        self.captions[twin] = f"{self.captions[stem]} once more"
        return {stem, twin}

    def missing_caption(self) -> set[str]:
        stem = self.untouched_one()
        self.captions[stem] = self.rng.choice((None, "", " \n"))
        return {stem}

    def same_caption(self) -> set[str]:
        stem, other = self.untouched_one(), self.untouched_one()
        self.captions[stem] = self.captions[other]
        return {stem, other}

    def trigger_absent(self) -> set[str]:
        self.in_captions = True
        stem = self.untouched_one()
        self.wordless.add(stem)
        return {stem}

    def trigger_known(self) -> set[str]:
        self.word = self.rng.choice(TAKEN)
        return set()

    def shape(self) -> set[str]:
        stem, high = self.untouched_one(), self.rng.randint(int(0.9 * self.resolution), self.resolution + 50)
        size = (round(high * self.rng.uniform(3.4, 6.0)), high)
        image = drawn(self.kind, self.colour, self.rng.choice(list(SETTINGS)), size, self.rng)
        self.pictures[stem] = image if self.rng.random() < 0.5 else image.transpose(Image.Transpose.ROTATE_90)
        return {stem}

    def write(self) -> Run:
        """Everything saved, in formats and qualities as they come."""
        self.folder.mkdir(parents=True)
        for stem, image in self.pictures.items():
            suffix = self.rng.choice(FORMATS)
            path = self.folder / f"{stem}.{suffix}"
            how = {"compress_level": 1} if suffix == "png" else {"quality": self.rng.randint(55, 97), "method": 0}
            image.save(path, **how)
            if stem in self.broken:
                spoil(path, self.rng)
            caption = self.captions[stem]
            if caption is not None:
                named = self.in_captions and stem not in self.wordless
                text = caption.replace("a ", f"a {self.word} ", 1) if named else caption
                path.with_suffix(".txt").write_text(text, encoding="utf-8")
        prompts = ("[filewords]", "", "a drawing, [filewords]")
        prompt = self.rng.choice(prompts) if self.in_captions else f"{self.word}, [filewords]"
        concept = {"folder": str(self.folder), "instance_prompt": prompt, "class_prompt": f"a {self.kind}"}
        return from_dict({"concepts": [concept], "data": {"resolution": self.resolution, "flip": self.flip}})

    def words(self) -> set[str]:
        return {"a", "drawing", *TAKEN, *" ".join(filter(None, self.captions.values())).split()}


def trigger_word(rng: Random) -> str:
    """As people make them up: a few consonants, some with a number, some that could be spoken."""
    consonants = "".join(rng.sample(CONSONANTS, rng.randint(3, 4)))
    spoken = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(3))
    return rng.choice((consonants, consonants, spoken, "ohwx", "sks", "zwxperson", "m4rta"))


def scaled(image: Image.Image, factor: float, how: Image.Resampling) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), how)


def spoil(path: Path, rng: Random) -> None:
    """Cut short, empty, or something else altogether."""
    content = path.read_bytes()
    path.write_bytes(rng.choice((content[:len(content) // 3], b"", b"<html>not found</html>")))


PROBLEMS = {"unreadable": Planter.unreadable, "tiny": Planter.tiny, "blurred": Planter.blurred,
            "duplicate": Planter.duplicate,
            "missing-caption": Planter.missing_caption, "same-caption": Planter.same_caption,
            "trigger-absent": Planter.trigger_absent, "trigger-known": Planter.trigger_known, "shape": Planter.shape}
TRIGGER = {"trigger-absent", "trigger-known"}  # one word cannot have both


def planted(folder: Path, rng: Random, count: int, kinds: tuple[str, ...] = ()) -> Planted:
    """A folder with these kinds of problems, and with this many of any kinds."""
    planter = Planter(folder, rng)
    problems = [(kind, PROBLEMS[kind](planter)) for kind in kinds]
    while len(problems) < len(kinds) + count:
        kind = rng.choice(list(PROBLEMS))
        if kind not in TRIGGER or not TRIGGER & {known for known, _ in problems}:
            problems.append((kind, PROBLEMS[kind](planter)))
    return Planted(planter.write(), planter.words(), problems)
