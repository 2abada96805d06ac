"""An article as a contact is shown it, as an exchange that both clients play; each time it is recorded."""

from collections.abc import Generator, Mapping
from typing import Any

from pydantic import ValidationError

from . import _operations
from ._answers import Answer
from ._contact import Recording
from ._errors import NotFound, ProtocolError
from ._known import Known, Moment
from ._models import Article, Rendering
from ._options import Options
from ._protocol import Request, Sleep, asking
from ._reading import AWAY

Fetching = Generator[Request | Sleep, Answer | None, Article]


def fetching(
    known: Known[Article],
    options: Options,
    contact: Recording,
    slug: str,
    *,
    rendering: Rendering,
    locale: str | None,
    as_employee: bool,
    agent: str | None,
    within: float,
    stale_ok: bool,
) -> Fetching:
    """What of the article is for who is in that contact. Raises the error tree, unless what is known may stand in.

    What was fetched before is asked for by its ETag: a server that has nothing else says so in a few bytes. It
    stands in for no longer than the server said that it is shown.
    """
    asked = Moment.of(options)
    until = asked.clock + within
    who = (slug, locale, as_employee, contact._whose())
    last = known.get(who)
    given: dict[str, Any] = {"slug": slug, "identifiers": list(contact._identifiers), "contact": contact.key}
    optional = {"locale": locale, "asEmployee": True if as_employee else None, "ifNoneMatch": last and last.etag}
    given |= {name: value for name, value in optional.items() if value is not None}
    try:
        data = yield from asking(
            "FetchArticle",
            _operations.FETCH_ARTICLE,
            {"input": given},
            options,
            until,
            repeatable=True,
            token=contact._token,
        )
        article = _read(data, last)
        # What is known still ends when it did; what is new was sent after it was asked for.
        if article is not last:
            known.put(who, article, asked.later(article.max_age))
    except NotFound:
        known.drop(who)  # it is no longer for them, or for nobody: what is kept must not be shown again
        raise
    except AWAY:
        if not stale_ok or (last := known.standing_in(who, options)) is None:
            raise
        article = last.model_copy(update={"stale": True})
    contact._record_shown(article.slug, _told(article, rendering), as_employee=as_employee, agent=agent)
    return article


def _read(data: Mapping[str, Any], last: Article | None) -> Article:
    found = data.get("articleDocument")
    if found is None and last is not None:
        return last
    try:
        return Article.model_validate(found)
    except ValidationError as error:
        raise ProtocolError("The article is not in a form that this version of the SDK knows.") from error


def _told(article: Article, rendering: Rendering) -> dict[str, Any]:
    """What was shown, so that whoever was shown what turned out to be wrong can be found."""
    return {
        "article": article.slug,
        "version": article.version,
        "fragments": [one.id for one in article.fragments],
        "rendering": rendering,
        "locale": article.locale,
        "hash": article.hashes[rendering],
    }
