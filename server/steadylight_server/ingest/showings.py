"""What actions tell of articles that were shown: `article.shown`, about the article, with what of it."""

from collections.abc import Sequence
from typing import Any, Protocol

from steadylight_server.knowledge.models import Showing
from steadylight_server.timeline.models import Action

SHOWN = "article.shown"
ARTICLE = "article"  # the kind of subject
_MOST_FRAGMENTS = 200
_MOST_NUMBER = 2**31


def showings(actions: Sequence[Action]) -> list[Showing]:
    """Those that the actions tell of, in order. What names no article and version tells of none."""
    return [one for action in actions if action.type == SHOWN and (one := _showing(action)) is not None]


def _showing(action: Action) -> Showing | None:
    subject, told = action.subject, action.properties
    version = told.get("version")
    if subject is None or subject.kind != ARTICLE or type(version) is not int or not 0 < version < _MOST_NUMBER:
        return None
    fragments = told.get("fragments")
    listed = fragments[:_MOST_FRAGMENTS] if isinstance(fragments, list | tuple) else ()
    return Showing(
        id=action.id,
        position=action.position,
        article=subject.id,
        version=version,
        profile_id=action.profile_id,
        at=action.at,
        channel=action.channel,
        contact=action.contact,
        fragments=tuple(one for one in listed if isinstance(one, str)),
        rendering=_text(told.get("rendering")),
        locale=_text(told.get("locale")),
        hash=_text(told.get("hash")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class _Kept(Protocol):
    async def begin_anew(self) -> None: ...

    async def take_the_place_of(self, other: Any) -> None: ...

    async def project(self, showings: Sequence[Showing]) -> object: ...


class ShowingsRebuilt:
    """For `timeline/rebuild`, which hands on actions: a store of showings made anew."""

    def __init__(self, store: _Kept) -> None:
        self._store = store

    async def begin_anew(self) -> None:
        """Leaves its collection empty."""
        await self._store.begin_anew()

    async def take_the_place_of(self, other: "ShowingsRebuilt") -> None:
        """Moves the collection under the other's name."""
        await self._store.take_the_place_of(other._store)

    async def project(self, actions: Sequence[Action]) -> None:
        """Takes the actions into account; doing so again changes nothing."""
        await self._store.project(showings(actions))
