"""A search for whoever is in a contact, as an exchange that both clients play; what was shown is recorded."""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from . import _operations
from ._answers import Answer
from ._contact import Recording
from ._errors import ProtocolError
from ._known import Known, Moment
from ._models import SearchHit, SearchResults
from ._options import Options
from ._protocol import Request, Sleep, asking
from ._reading import AWAY

Searching = Generator[Request | Sleep, Answer | None, SearchResults]
SNIPPET = "snippet"  # what of an article is shown with a hit


def searching(
    known: Known[SearchResults],
    options: Options,
    contact: Recording,
    query: str,
    *,
    topics: Sequence[str],
    first: int,
    locale: str | None,
    as_employee: bool,
    agent: str | None,
    within: float,
    stale_ok: bool,
) -> Searching:
    """What was found for who is in that contact. Raises the error tree, unless what is known may stand in."""
    asked = Moment.of(options)
    until = asked.clock + within
    who = (query, tuple(topics), first, locale, as_employee, contact._whose())
    given: dict[str, Any] = {"query": query, "first": first}
    given |= {"identifiers": list(contact._identifiers), "contact": contact.key}
    optional = {"locale": locale, "asEmployee": True if as_employee else None, "topics": list(topics) or None}
    given |= {name: value for name, value in optional.items() if value is not None}
    try:
        data = yield from asking(
            "FetchSearch",
            _operations.FETCH_SEARCH,
            {"input": given},
            options,
            until,
            repeatable=True,
            token=contact._token,
        )
        found = _read(data)
        known.put(who, found, asked.later(found.max_age))
    except AWAY:
        last = known.standing_in(who, options)
        if not stale_ok or last is None:
            raise
        found = last.model_copy(update={"stale": True})
    for hits in _by_article(found.hits):
        contact._record_shown(hits[0].slug, _told(hits), as_employee=as_employee, agent=agent)
    return found


def _read(data: Mapping[str, Any]) -> SearchResults:
    try:
        return SearchResults.model_validate(data.get("searchDocument"))
    except ValidationError as error:
        raise ProtocolError("What was found is not in a form that this version of the SDK knows.") from error


def _by_article(hits: Sequence[SearchHit]) -> Sequence[Sequence[SearchHit]]:
    """In the order of the best hit of each."""
    found: dict[str, list[SearchHit]] = {}
    for hit in hits:
        found.setdefault(hit.slug, []).append(hit)
    return list(found.values())


def _told(hits: Sequence[SearchHit]) -> dict[str, Any]:
    """What of one article was shown: the snippets, hashed as renderings are."""
    shown = "".join(f"{hit.snippet}\n" for hit in hits).encode()
    return {
        "article": hits[0].slug,
        "version": hits[0].version,
        "fragments": list(dict.fromkeys(hit.fragment for hit in hits)),
        "rendering": SNIPPET,
        "locale": hits[0].locale,
        "hash": hashlib.blake2b(shown, digest_size=16).hexdigest(),
    }
