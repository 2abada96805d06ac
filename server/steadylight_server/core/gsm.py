"""The alphabet of text messages, 3GPP TS 23.038 (GSM 03.38): what of a text it can say, and how long that is."""

from functools import lru_cache
from unicodedata import normalize

# Without line ends and the escape: what is written is one line.
BASIC = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("^{}\\[~]|€")  # each is sent as an escape and a character of another table
# What Unicode does not take apart by itself.
_LIKE = {
    **dict.fromkeys("‘’‚‛′`´‹›", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("•·", "-"),
    **dict(zip("⁄×ŁłĐđÐðı", "/xLlDdDdi", strict=True)),
    "Œ": "OE",
    "œ": "oe",
    "Þ": "Th",
    "þ": "th",
    "ẞ": "SS",
}


def written(text: str) -> str:
    """The text as the alphabet can say it, in one line: é stays, č becomes c, what has no like is left out."""
    plain = "".join(map(_said, normalize("NFC", " ".join(text.split()))))
    return " ".join(plain.split())


def length(text: str) -> int:
    """How much of the 160 of a message a text takes that was `written`."""
    return len(text) + sum(one in EXTENSION for one in text)


@lru_cache(maxsize=1024)
def _said(one: str) -> str:
    if one in BASIC or one in EXTENSION:
        return one
    if one in _LIKE:
        return _LIKE[one]
    apart = (_LIKE.get(part, part) for part in normalize("NFKD", one))
    return "".join(part for part in "".join(apart) if part in BASIC or part in EXTENSION)
