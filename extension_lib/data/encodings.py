"""Text in any encoding that people's programs write: UTF-8, UTF-16, and what is usual in their country."""

import codecs
import locale
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
WIDE = ("utf-16-le", "utf-16-be")
# first bytes of the two-byte characters of everyday texts: punctuation, kana, Hangul, the characters learned at school
EVERYDAY = {
    "gb18030": re.compile(b"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]"), "big5": re.compile(b"[\xa1-\xc6]."),
    "cp932": re.compile(b"[\x81-\x83\x88-\x97]."), "cp949": re.compile(b"[\xa1-\xa3\xb0-\xc8][\xa1-\xfe]")}
SCRIPTS = ((0xA0, 0x24F), (0x400, 0x4FF), (0x2010, 0x203F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
           (0xFF00, 0xFFEF))  # first and last letters of Latin, Cyrillic, Japanese, Chinese and Korean texts
MOST = 0.8  # of a text's characters are everyday ones
MIXED = re.compile("[a-z][а-я]|[а-я][a-z]", re.IGNORECASE)  # accents of Latin letters, taken for Cyrillic
NAMES = {"gb18030": "GBK", "big5": "Big5", "cp932": "Shift-JIS", "cp949": "EUC-KR", **dict.fromkeys(WIDE, "UTF-16")}
APOSTROPHE = re.compile(b"(?<=[A-Za-z])\x92(?=[A-Za-z])")  # as Word writes it in "man's"; a lead byte in Shift-JIS
CONTROL = bytes(range(9))  # no text has these bytes; UTF-16 does


@dataclass(frozen=True)
class Decoded:
    """A text, and the encoding that was guessed; "" for UTF-8, or where a mark tells it."""

    text: str
    guessed: str = ""


def decode(held: bytes, usual: str = "") -> Decoded:
    """The text of a file. usual: the encoding of others that came with it, or ""; a few letters alone do not tell."""
    for mark, encoding in MARKS.items():
        if held.startswith(mark):
            return Decoded(held[len(mark):].decode(encoding, errors="replace"))
    if not is_strange(held):
        return Decoded(held.decode("utf-8"))
    if APOSTROPHE.search(held) and APOSTROPHE.sub(b"", held).isascii():
        return Decoded(held.decode("cp1252"), "cp1252")
    encoding = wide_encoding(held) or (usual if usual and decodes(held, usual) else likely_encoding(held))
    return Decoded(held.decode(encoding, errors="replace"), NAMES.get(encoding, encoding))


def is_strange(held: bytes) -> bool:
    """Whether this is no UTF-8, or none that a person has written."""
    return not decodes(held, "utf-8") or has_controls(held)


def is_national(held: bytes) -> bool:
    """Whether its letters are numbered as in one country or another."""
    return is_strange(held) and not held.startswith(tuple(MARKS)) and not wide_encoding(held)


def has_controls(held: bytes) -> bool:
    return any(byte in CONTROL for byte in held)


def decodes(held: bytes, encoding: str) -> bool:
    try:
        held.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def wide_encoding(held: bytes) -> str:
    """Which UTF-16 without its mark this is, or ""."""
    best = max(WIDE, key=lambda encoding: usual_shares(held.decode(encoding, errors="replace")))
    least = MOST if has_controls(held) else 1.0
    fits = len(held) % 2 == 0 and usual_shares(held.decode(best, errors="replace"))[0] >= least
    return best if fits and (has_controls(held) or not (everyday_encodings(held) or is_wordy(held))) else ""


def is_wordy(held: bytes) -> bool:
    """Whether most of it are letters and spaces where a byte is a character."""
    text = held.decode("cp1252", errors="replace")
    return sum(character.isalpha() or character in " ,.-" for character in text) >= MOST * len(text)


def usual_shares(text: str) -> tuple[float, float]:
    """The share of characters that captions are written in, and of ASCII, which swapped makes Chinese characters."""
    plain = sum(character.isascii() and (character.isprintable() or character.isspace()) for character in text)
    others = sum(first <= ord(character) <= last for character in text for first, last in SCRIPTS)
    return (plain + others) / len(text), plain / len(text)


def likely_encoding(held: bytes) -> str:
    """The encoding in which most characters are everyday ones, or else one of single bytes."""
    fitting = everyday_encodings(held) or single_byte_encodings(held)
    found = from_bytes(held, cp_isolation=fitting).best() if len(fitting) > 1 else None
    return found.encoding if found else fitting[0]


def everyday_encodings(held: bytes) -> list[str]:
    """Those of two bytes in which most characters are everyday ones, and no fewer than in another."""
    shares = {encoding: everyday_share(held, encoding) for encoding in EVERYDAY}
    return [encoding for encoding, share in shares.items() if share == max(shares.values()) >= MOST]


def everyday_share(held: bytes, encoding: str) -> float:
    """From 0 to 1; 0 for what is no text in this encoding."""
    if not decodes(held, encoding):
        return 0.0
    characters = [c.encode(encoding) for c in held.decode(encoding) if not c.isascii()]
    return sum(bool(EVERYDAY[encoding].fullmatch(c)) for c in characters) / max(1, len(characters))


def single_byte_encodings(held: bytes) -> list[str]:
    country = codecs.lookup(locale.getpreferredencoding(False)).name
    latin = country if country.startswith("cp125") else "cp1252"
    return [latin] if MIXED.search(held.decode("cp1251", errors="replace")) else ["cp1251", latin]
