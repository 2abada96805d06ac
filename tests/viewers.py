"""Random articles, and what of them each viewer is to be shown: worked out anew, by the words of the rules alone.

Nothing here uses the server's own audiences, conditions, locales or renderings: a fragment is for a viewer if each set
that it names has one of theirs and its condition is true of them; of one fragment in several locales they are shown the
first that they read; and what its Markdown comes to is written down beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.conditions import Condition, conditions
from tests.eyes import CHANNELS, LOCALES, PRODUCTS, REGIONS, SEGMENTS, Eyes

RENDERINGS = ("html", "plain", "sms", "spoken")
TOPICS = ("costs", "moving")
# Markdown, and what comes of it in each rendering.
_FORMS = (
    ("{}", "<p>{}</p>", "{}", "{}", "{}"),
    (
        "**{}**\n\n- one\n- two",
        "<p><strong>{}</strong></p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>",
        "{}\n\n- one\n\n- two",
        "{} - one - two",
        "{} - one - two",
    ),
    (
        "[{}](https://example.org/a)",
        '<p><a href="https://example.org/a" rel="noopener noreferrer">{}</a></p>',
        "{} (https://example.org/a)",
        "{} (https://example.org/a)",
        "{}",
    ),
    (
        '{} & č <b onclick="steal()">more</b>',
        "<p>{} &amp; č <b>more</b></p>",
        "{} & č more",
        "{} & c more",
        "{} & č more",
    ),
)


@dataclass(frozen=True)
class Part:
    """A fragment in one locale: `sets` are the names that its audience has, `form` is how it is written, and `short`
    are the renderings for which it has a short form. Its text begins with words that it is given.
    """

    id: str
    locale: str
    sets: Mapping[str, tuple[str, ...]]
    condition: Condition | None
    form: int
    short: tuple[str, ...]

    def is_for(self, eyes: Eyes) -> bool:
        """Whether every set that it names has one of the viewer's, and its condition is true of them."""
        theirs = {
            "roles": {"AGENT" if eyes.is_employee else "CUSTOMER"},
            "channels": {eyes.channel},
            "segments": _said(eyes.traits.get("segment")),
            "products": _said(eyes.traits.get("product")),
            "regions": _said(eyes.traits.get("region")),
        }
        named = all(not wanted or theirs[name] & set(wanted) for name, wanted in self.sets.items())
        return named and (self.condition is None or self.condition.comes_to(eyes) is True)

    def text(self, words: str) -> str:
        """By which it is known wherever it turns up."""
        return f"{words} {self.id} {self.locale}"

    def renderings(self, words: str) -> dict[str, str]:
        """What it looks like to each kind of channel."""
        made = {
            name: form.format(self.text(words)) for name, form in zip(RENDERINGS, _FORMS[self.form][1:], strict=True)
        }
        return made | {name: self._short(name, words) for name in self.short}

    def written(self, words: str) -> str:
        """As it stands in a file."""
        named = ", ".join(f"{name}: [{', '.join(wanted)}]" for name, wanted in self.sets.items() if wanted)
        quoted = "" if self.condition is None else "condition: '" + self.condition.text.replace("'", "''") + "'"
        audience = ", ".join(part for part in (named, quoted) if part)
        short = "".join(f"{name}: {self._short(name, words)}\n" for name in self.short)
        body = _FORMS[self.form][0].format(self.text(words))
        return f"<!-- fragment\nid: {self.id}\naudience: {{{audience}}}\n{short}-->\n{body}\n\n"

    def _short(self, rendering: str, words: str) -> str:
        return f"In short for {rendering}, {self.text(words)}"


@dataclass(frozen=True)
class Article:
    """`own` is its locale, and `titled` the others that have a title. No two parts share both id and locale."""

    own: str
    titled: tuple[str, ...]
    topics: tuple[str, ...]
    parts: tuple[Part, ...]

    def shown(self, eyes: Eyes) -> list[Part]:
        """What of it the viewer is shown, in the order of reading."""
        order = dict.fromkeys(
            one.id for one in sorted(self.parts, key=lambda one: (one.locale != self.own, one.locale))
        )
        theirs = {(one.id, one.locale): one for one in self.parts if one.is_for(eyes)}
        read = _read(eyes.locale, self.own)
        best = [next((theirs[id, locale] for locale in read if (id, locale) in theirs), None) for id in order]
        return [one for one in best if one is not None]

    def title(self, eyes: Eyes, shown: Sequence[Part]) -> str:
        """What it is called: in a locale of which they are shown something, or its own."""
        told = {self.own, *(one.locale for one in shown)} & {self.own, *self.titled}
        return _title(next(locale for locale in _read(eyes.locale, self.own) if locale in told))

    def answer(self, slug: str, words: str, eyes: Eyes) -> dict[str, Any] | None:
        """All that the viewer is told of it; None where that is nothing."""
        shown = self.shown(eyes)
        if not shown:
            return None
        fragments = [{"id": one.id, "locale": one.locale, **one.renderings(words)} for one in shown]
        told = {"slug": slug, "title": self.title(eyes, shown), "locale": eyes.locale or self.own}
        return {**told, "topics": list(self.topics), "fragments": fragments}

    def files(self, slug: str, words: str) -> list[dict[str, str]]:
        """As files, for `publishArticle`."""
        others = sorted({*self.titled, *(one.locale for one in self.parts)} - {self.own})
        return [{"name": f"{slug}.md", "text": self._file(self.own, words)}] + [
            {"name": f"{slug}.{locale}.md", "text": self._file(locale, words)} for locale in others
        ]

    def _file(self, locale: str, words: str) -> str:
        front = f"title: {_title(locale)}\n" if locale in (self.own, *self.titled) else ""
        if locale == self.own:
            front += f"locale: {locale}\ntopics: [{', '.join(self.topics)}]\n"
        return f"---\n{front}---\n" + "".join(one.written(words) for one in self.parts if one.locale == locale)


def _title(locale: str) -> str:
    return f"Title in {locale}"


def _read(wanted: str | None, own: str) -> list[str]:
    """Locales in which somebody reads an article, the best first."""
    return [one for locale in (wanted, own) if locale for one in (locale, locale.partition("-")[0])]


def _said(value: Any) -> set[str]:
    return {value} if isinstance(value, str) else set(value or ())


def _some(names: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(tuple)


_SETS = {
    "roles": st.sampled_from([("CUSTOMER",), ("AGENT", "ADMIN"), ("CUSTOMER", "AGENT")]),
    "channels": _some(list(CHANNELS)),
    "segments": _some(SEGMENTS),
    "products": _some(PRODUCTS),
    "regions": _some(REGIONS),
}
# Few restrictions at a time: where all are drawn, one that is overlooked is seldom what decides.
_sets = st.lists(
    st.sampled_from(list(_SETS)).flatmap(lambda name: st.tuples(st.just(name), _SETS[name])),
    max_size=2,
    unique_by=lambda one: one[0],
).map(dict)
_parts = st.builds(
    Part,
    st.sampled_from(["part-0", "part-1", "part-2"]),
    st.sampled_from(LOCALES),
    _sets,
    st.none() | conditions,
    st.integers(0, len(_FORMS) - 1),
    st.lists(st.sampled_from(["sms", "spoken"]), unique=True).map(tuple),
)
articles = st.builds(
    Article,
    st.sampled_from(LOCALES[:3]),
    st.lists(st.sampled_from(LOCALES), unique=True).map(tuple),
    st.lists(st.sampled_from(TOPICS), unique=True).map(tuple),
    st.lists(_parts, min_size=1, max_size=9, unique_by=lambda one: (one.id, one.locale)).map(tuple),
)
# For everybody, so that who finds it knows that all which was published before can be found.
OPEN = Article("en", (), (), (Part("all", "en", {}, None, 0, ()),))
