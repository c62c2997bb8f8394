"""Problems of what pictures are called: captions that are missing, alike or hard to read, and the trigger word."""

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ..config.run import Concept, Run
from .captions import FILEWORDS, caption_file, decode_caption
from .encodings import Decoded
from .folder import Item
from .problems import Problem
from .templates import TEMPLATES
from .trigger_word import Tokens, find_trigger, is_known, shared_words, words

FEW = 3  # pictures from which on one can stand out


def caption_problems(items: list[Item], called: str, copies: Collection[Path | None], run: Run, concept: Concept,
                     tokens: Tokens | None) -> Iterator[Problem]:
    """Problems of what pictures of one thing are called.

    called: what their folder says they are; copies: pictures already named as copies of others.
    """
    sentences = TEMPLATES[run.data.template] or (concept.instance_prompt or FILEWORDS,)
    used = items if any(FILEWORDS in sentence for sentence in sentences) else []
    held = {item.path: decode_caption(item.path) or Decoded("") for item in used}
    own = {path: decoded.text for path, decoded in held.items()}
    told = [item for item in items if own.get(item.path)]
    yield from encoding_problems(held)
    if told:
        yield from missing_caption_problems([item for item in items if not own[item.path]], told)
        yield from same_caption_problems([item for item in told if item.path not in copies], own)
    elif not called and all(FILEWORDS in s for s in sentences):
        yield no_captions_problem(items[0])
    shared = shared_words([" ".join(item.prompts) for item in told or items],
                          " ".join({item.class_prompt for item in items}))
    yield from missing_trigger_problems(told or items, find_trigger(shared, (concept.word, run.output.name), tokens))
    if not run.method.product.learns_words:  # there the word gets a meaning of its own
        yield from known_trigger_problems(shared, len(told or items), tokens)


def no_captions_problem(item: Item) -> Problem:
    return Problem("no-captions", None, "No picture has a caption, so the names of their files are learned: "
                   f"{item.path.name} would {prompt_told(item)}. Write captions, or replace {FILEWORDS} in the "
                   "instance prompt by what the pictures show.")


def prompt_told(item: Item) -> str:
    return f"be trained with the prompt '{item.prompt}'" if item.prompt else "be trained without a prompt"


def encoding_problems(held: dict[Path, Decoded]) -> Iterator[Problem]:
    """Captions whose encoding had to be guessed; many of one encoding in one sentence."""
    guessed = sorted((decoded.guessed, path, decoded.text) for path, decoded in held.items() if decoded.guessed)
    for encoding, group in groupby(guessed, key=itemgetter(0)):
        found = list(group)
        for _, path, text in found if len(found) <= FEW else found[:1]:
            yield Problem("encoding", path, encoding_text(caption_file(path).name, len(found), encoding, text))


def encoding_text(name: str, count: int, encoding: str, text: str) -> str:
    if count <= FEW:
        return f"{name} is not in UTF-8 and was read as {encoding}: '{text}'. If that is wrong, save it in UTF-8."
    return (f"{name} and {count - 1} other captions are not in UTF-8. It was read as {encoding}: '{text}'. If that is "
            "wrong, save them in UTF-8.")


def missing_caption_problems(missing: list[Item], told: list[Item]) -> Iterator[Problem]:
    if len(missing) > len(told):
        yield Problem("missing-caption", None, f"Only {len(told)} of {len(told) + len(missing)} pictures have a "
                      f"caption; write captions for the others, or remove {FILEWORDS} from the instance prompt.")
        return
    for item in missing:
        yield Problem("missing-caption", item.path, f"{item.path.name} has no caption and would {prompt_told(item)}; "
                      f"write one in {caption_file(item.path).name}.")


def same_caption_problems(told: list[Item], own: dict[Path, str]) -> Iterator[Problem]:
    """Pictures called like another one, where most have a caption of their own."""
    counts = Counter(own[item.path] for item in told)
    if 2 * sum(n == 1 for n in counts.values()) <= len(told):
        return
    first: dict[str, Item] = {}
    for item in told:
        other = first.setdefault(own[item.path], item)
        if other is not item:
            yield Problem("same-caption", item.path, f"{item.path.name} has the same caption as {other.path.name}, "
                                                     f"'{own[item.path]}', though most have their own; say what is "
                                                     "different.",
                          other.path)


def missing_trigger_problems(items: list[Item], word: str | None) -> Iterator[Problem]:
    if word is None or len(items) < FEW:
        return
    for item in items:
        if not any(word in words(prompt) for prompt in item.prompts):
            yield Problem(
                "trigger-absent", item.path, f"The prompt of {item.path.name} is '{item.prompt}', without the "
                f"word '{word}' that most others have; add it to {caption_file(item.path).name}.")


def known_trigger_problems(shared: Counter[str], prompts: int, tokens: Tokens | None) -> Iterator[Problem]:
    everywhere = sorted(word for word, n in shared.items() if n == prompts)
    if everywhere and all(is_known(word, tokens) for word in shared):
        called = " and ".join(f"'{word}'" for word in everywhere)
        yield Problem("trigger-known", None, f"Every prompt contains {called}, which the checkpoint knows already, but "
                      "no rare word, so old and new meaning mix; add a word that means nothing yet, such as 'zwx'.")
