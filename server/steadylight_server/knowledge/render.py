"""A fragment for each kind of channel: HTML, plain text, a text message, words for a voice.

Markdown is CommonMark with tables. What comes of it is cleaned by nh3: no scripts, no styles, no frames, and links to
the web, mail and telephones only, whatever was written. The same text always gives the same bytes, in every server.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from steadylight_server.core import gsm
from steadylight_server.knowledge.models import Fragment

# Counted up when the same text is rendered otherwise: what was kept by an ETag is then fetched anew.
REVISION = 1

_PARSER = MarkdownIt("commonmark").enable("table")
_SCHEMES = {"http", "https", "mailto", "tel", "sms"}
_KEPT = 2_000  # texts


@dataclass(frozen=True)
class Rendered:
    """A fragment as each kind of channel shows it. `sms` is in the alphabet of text messages, in one line."""

    html: str
    plain: str
    sms: str
    spoken: str


def rendered(fragment: Fragment) -> Rendered:
    """The fragment, its short forms in the place of what would be made of the body."""
    plain = _plain(fragment.body, with_addresses=True)
    return Rendered(
        html=_html(fragment.body),
        plain=plain,
        sms=gsm.written(fragment.sms or plain),
        spoken=" ".join((fragment.spoken or _plain(fragment.body, with_addresses=False)).split()),
    )


def plain(markdown: str) -> str:
    """The words alone: paragraphs with a blank line between them, a hyphen before each entry of a list."""
    return _plain(markdown, with_addresses=False)


def hashed(texts: Iterable[str]) -> str:
    """What stands for these texts as they were shown: the 128-bit BLAKE2b of their UTF-8, a line end after each."""
    return hashlib.blake2b("".join(f"{text}\n" for text in texts).encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=_KEPT)
def _html(markdown: str) -> str:
    return nh3.clean(_PARSER.render(markdown), url_schemes=_SCHEMES).strip()


@lru_cache(maxsize=_KEPT)
def _plain(markdown: str, *, with_addresses: bool) -> str:
    blocks: list[str] = []
    marks: list[str] = []
    cells: list[str] = []
    for token in _PARSER.parse(markdown):
        if token.type == "list_item_open":
            marks.append("- " if token.markup in "-+*" else f"{token.info}. ")
        elif token.type in ("th_open", "td_open"):
            cells.append("")
        elif token.type == "tr_close":
            blocks.append(" | ".join(cells))
            cells = []
        elif token.type in ("fence", "code_block"):
            blocks.append(token.content.rstrip())
        elif token.type == "html_block":
            blocks.append(_untagged(token.content))
        elif token.type == "inline":
            text = _words(token.children or (), with_addresses=with_addresses)
            if cells:
                cells[-1] = text
            else:
                blocks.append("".join(marks) + text)
                marks = []
    return "\n\n".join(block for block in blocks if block.strip())


def _words(tokens: Sequence[Token], *, with_addresses: bool) -> str:
    said: list[str] = []
    links: list[tuple[str, int]] = []
    for token in tokens:
        if token.type in ("text", "code_inline") or token.type == "image":
            said.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            said.append("\n" if token.type == "hardbreak" else " ")
        elif token.type == "html_inline":
            said.append(" " if token.content.lower().startswith("<br") else "")
        elif token.type == "link_open":
            links.append((str(token.attrGet("href") or ""), len(said)))
        elif token.type == "link_close" and links:
            address, start = links.pop()
            shown = address.removeprefix("mailto:").removeprefix("tel:")
            if with_addresses and shown and shown not in "".join(said[start:]):
                said.append(f" ({shown})")
    return "".join(said).strip()


def _untagged(html: str) -> str:
    return " ".join(unescape(nh3.clean(html, tags=set())).split())
