"""What changed between two versions of an article: each fragment as a unified diff."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steadylight_server.knowledge.models import Content, Fragment, Version


@dataclass(frozen=True)
class Difference:
    """One part that differs. `part` is `article` for what is said of the whole, else the id of a fragment.

    `diff` is a unified diff of the part's text, as `git diff` shows it, three lines around each change.
    """

    part: str
    locale: str
    diff: str


def difference(before: Version, after: Version) -> Sequence[Difference]:
    """The parts that differ: the whole first, then fragments in the order of reading, those that are gone last."""
    names = (f"{before.article}@{before.number}", f"{after.article}@{after.number}")
    locale = after.content.locale
    whole = _diff(_head(before.content), _head(after.content), names)
    found = [Difference("article", locale, whole)] if whole else []
    old, new = _by_place(before.content), _by_place(after.content)
    for id, locale in dict.fromkeys([*new, *old]):
        one = _diff(_lines(old.get((id, locale))), _lines(new.get((id, locale))), names)
        if one:
            found.append(Difference(id, locale, one))
    return found


def _by_place(content: Content) -> Mapping[tuple[str, str], Fragment]:
    return {(one.id, one.locale): one for one in content.fragments}


def _head(content: Content) -> Sequence[str]:
    lists = {"topics": content.topics, "capabilities": content.capabilities, "journeys": content.journeys}
    told = {
        **{f"title ({locale})": title for locale, title in sorted(content.titles.items())},
        "locale": content.locale,
        "owner": content.owner,
        "review_on": content.review_on,
        "expires": content.expires_at and content.expires_at.isoformat(),
        **{name: ", ".join(names) for name, names in lists.items()},
        "order": ", ".join(dict.fromkeys(one.id for one in content.fragments)),
    }
    return [f"{name}: {value}" for name, value in told.items() if value]


def _lines(fragment: Fragment | None) -> Sequence[str]:
    if fragment is None:
        return []
    told = {
        "heading": fragment.heading,
        "audience": fragment.audience.text,
        "spoken": fragment.spoken,
        "sms": fragment.sms,
    }
    return [*(f"{name}: {value}" for name, value in told.items() if value), "", *fragment.body.splitlines()]


def _diff(before: Sequence[str], after: Sequence[str], names: tuple[str, str]) -> str:
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm=""))
