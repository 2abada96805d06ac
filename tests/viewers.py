"""Random articles and viewers, and what each viewer is to be shown: worked out anew, by the words of the rules alone.

Nothing here uses the server's own audiences: a fragment is for a viewer if each set that it names has one of theirs,
and its condition, one of few that are written down twice, in CEL and in Python, holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

LOCALES = ("en", "de", "de-CH", "fr")
CHANNELS = {"web": "SELF_SERVICE", "ivr": "AUTOMATED_AGENT", "desk": "ASSISTED"}
SEGMENTS = ("gold", "silver", "student")
PRODUCTS = ("loan", "card")
REGIONS = ("north", "south")
_LEVELS = ("CLAIMED", "CALLER_ID", "KNOWLEDGE", "OTP", "LOGIN", "IN_PERSON")


@dataclass(frozen=True)
class Eyes:
    """Who looks. `is_employee` in an ASSISTED channel only; `level` is how sure the channel is of the customer."""

    channel: str
    is_employee: bool
    locale: str | None
    traits: Mapping[str, Any] = field(default_factory=dict)
    level: str = "LOGIN"


CONDITIONS: Mapping[str, Callable[[Eyes], bool]] = {
    "customer.age >= 18": lambda eyes: eyes.traits.get("age", -1) >= 18,
    'customer.tariff == "max" && channel != "ivr"': (
        lambda eyes: eyes.traits.get("tariff") == "max" and eyes.channel != "ivr"
    ),
    'role == "AGENT"': lambda eyes: eyes.is_employee,
    "assurance >= OTP": lambda eyes: _LEVELS.index(eyes.level) >= _LEVELS.index("OTP"),
    'has(customer.age) || role == "AGENT"': lambda eyes: "age" in eyes.traits or eyes.is_employee,
    'customer.tariff != "max"': lambda eyes: "tariff" in eyes.traits and eyes.traits["tariff"] != "max",
}


@dataclass(frozen=True)
class Part:
    """A fragment: its text says which it is, so that it is known wherever it turns up."""

    id: str
    locale: str
    text: str
    sets: Mapping[str, tuple[str, ...]]
    condition: str | None

    def is_for(self, eyes: Eyes) -> bool:
        """Whether every set that it names has one of the viewer's, and its condition holds."""
        theirs = {
            "roles": {"AGENT" if eyes.is_employee else "CUSTOMER"},
            "channels": {eyes.channel},
            "segments": _said(eyes.traits.get("segment")),
            "products": _said(eyes.traits.get("product")),
            "regions": _said(eyes.traits.get("region")),
        }
        named = all(not wanted or theirs[name] & set(wanted) for name, wanted in self.sets.items())
        return named and (self.condition is None or CONDITIONS[self.condition](eyes))


def shown(parts: Sequence[Part], eyes: Eyes) -> list[str]:
    """The texts that the viewer is shown, in the order of reading; the articles' own locale is en."""
    order = [*dict.fromkeys(one.id for one in sorted(parts, key=lambda one: (one.locale != "en", one.locale)))]
    wanted = {"de-CH": ["de-CH", "de", "en"], None: ["en"], "en": ["en"]}.get(eyes.locale, [eyes.locale, "en"])
    found = []
    for id in order:
        for locale in wanted:
            if here := [one for one in parts if (one.id, one.locale) == (id, locale) and one.is_for(eyes)]:
                found.append(here[0].text)
                break
    return found


def article(name: str, random: Random) -> list[Part]:
    """An article of one to five fragments, each in one to three locales, with audiences of all sorts."""
    parts = []
    for id in [f"part-{number}" for number in range(random.randint(1, 5))]:
        for locale in random.sample(LOCALES, random.randint(1, 3)):
            sets = {
                "roles": random.choice([(), (), ("CUSTOMER",), ("AGENT", "ADMIN"), ("CUSTOMER", "AGENT")]),
                "channels": _some(random, tuple(CHANNELS)),
                "segments": _some(random, SEGMENTS),
                "products": _some(random, PRODUCTS),
                "regions": _some(random, REGIONS),
            }
            condition = random.choice([None, None, *CONDITIONS])
            parts.append(Part(id, locale, f"{name} {id} {locale} only", sets, condition))
    return parts


def eyes(random: Random) -> Eyes:
    """Somebody: of whom more or less is known, in some channel."""
    channel = random.choice(list(CHANNELS))
    traits: dict[str, Any] = {
        "segment": random.choice([None, *SEGMENTS, list(SEGMENTS[:2])]),
        "product": random.choice([None, *PRODUCTS, list(PRODUCTS)]),
        "region": random.choice([None, *REGIONS]),
        "age": random.choice([None, 7, 18, 40]),
        "tariff": random.choice([None, "max", "mini"]),
    }
    return Eyes(
        channel,
        channel == "desk" and random.random() < 0.6,
        random.choice([None, *LOCALES]),
        {name: value for name, value in traits.items() if value is not None},
        random.choice(["KNOWLEDGE", "OTP", "LOGIN"]),
    )


def files(name: str, parts: Sequence[Part]) -> list[dict[str, str]]:
    """The article as files, for `publishArticle`."""
    texts = []
    for locale in ["en", *sorted({one.locale for one in parts} - {"en"})]:
        here = "".join(_written(one) for one in parts if one.locale == locale)
        title = f"title: {name}\n" if locale == "en" else ""
        texts.append(
            {"name": f"{name}.md" if locale == "en" else f"{name}.{locale}.md", "text": f"---\n{title}---\n{here}"}
        )
    return texts


def _written(one: Part) -> str:
    named = ", ".join(f"{name}: [{', '.join(wanted)}]" for name, wanted in one.sets.items() if wanted)
    condition = f"condition: {_quoted(one.condition)}" if one.condition else ""
    audience = ", ".join(part for part in (named, condition) if part)
    return f"<!-- fragment\nid: {one.id}\naudience: {{{audience}}}\n-->\n{one.text}\n\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _some(random: Random, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(random.sample(names, random.randint(1, 2))) if random.random() < 0.25 else ()


def _said(value: Any) -> set[str]:
    return {value} if isinstance(value, str) else set(value or ())
