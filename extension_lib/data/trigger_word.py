"""The trigger word: the rare word that stands for what is learned, and words that the base knows too well for that."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

Tokens = Callable[[str], Sequence[int]]  # a word's tokens in the base's tokenizer, without start and end

MOST = 2 / 3  # of the prompts must hold a word before it can be the one that stands for the thing
WORD = re.compile(r"[\w'-]+")
CONSONANT = "[bcdfghjklmnpqrstvwxz]"
# in CLIP's vocabulary, which begins with the most frequent words, single tokens from here on are as good as none
RARE = 40_000
# sks, m4rta, qimo, ohwx, ajra
ODD = re.compile(rf"{CONSONANT}+|.*([a-z]\d|q(?!u)|{CONSONANT}{{2}}[jqvx]|j{CONSONANT}).*")


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


PLAIN = frozenset(words(  # they stand for nothing in particular, however often they are said
    "a an the this that it its his her their my and or of in on at to with by for from as is are wearing photo "
    "photograph picture image drawing painting portrait sketch illustration style background solo tv hdr dslr black "
    "white grey gray red orange yellow green blue purple pink brown"))
ORDINARY = frozenset(words(  # what people write without a rare word; asked only where there is no tokenizer to ask
    "man woman person boy girl child kid baby face people guy lady dog cat horse bird animal car house building bag "
    "backpack shoe bottle cup chair toy doll character monster robot ghost hero thing object logo dress shirt "
    "landscape anime cartoon john anna bob"))


def shared_words(prompts: Sequence[str], class_prompt: str = "") -> Counter[str]:
    """How many of the prompts hold each word that most of them hold and that could stand for the thing."""
    counts = Counter(word for prompt in prompts for word in set(words(prompt)))
    others = {*PLAIN, *words(class_prompt)}
    most = MOST * len(prompts)
    return Counter({word: n for word, n in counts.items() if n >= most and word not in others and not word.isdigit()})


def is_known(word: str, tokens: Tokens | None) -> bool:
    """Whether the base knows the word well: common words are one token.

    Without a tokenizer a short list of nouns has to do.
    """
    return is_common(tokens(word)) if tokens else word in ORDINARY


def is_rare(word: str, tokens: Tokens | None) -> bool:
    """Whether the word is a rare one. Without a tokenizer only those count that are spelled as no English word is."""
    return not is_common(tokens(word)) if tokens else bool(ODD.fullmatch(word))


def is_common(tokens: Sequence[int]) -> bool:
    return len(tokens) == 1 and tokens[0] < RARE


def find_trigger(shared: Mapping[str, int], names: Iterable[str], tokens: Tokens | None) -> str | None:
    """The rarest of the shared words, or None.

    names: what the run calls the thing, if a word is spelled as any other.
    """
    called = {name.lower() for name in names}
    found = [word for word in shared if is_rare(word, tokens) or (word in called and not is_known(word, tokens))]
    return max(found, key=lambda word: (word in called, bool(ODD.fullmatch(word)), shared[word], word), default=None)
