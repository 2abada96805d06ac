"""The articles of `testing.Server`: what a test gave it, shown to customers and employees."""

import hashlib
import html
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from ._actions import rfc3339
from ._errors import Forbidden, NotFound

_RENDERINGS = ("html", "plain", "sms", "spoken")


class Shelf:
    """Articles by name. An approximation: bodies are plain paragraphs, and there is one language."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._articles: dict[str, dict[str, Any]] = {}
        self._versions: dict[str, int] = {}

    def put(
        self,
        slug: str,
        title: str,
        customers: Mapping[str, str],
        employees: Mapping[str, str],
        expires_at: datetime | None = None,
    ) -> int:
        """The number of the version that is shown from now on."""
        self._versions[slug] = self._versions.get(slug, 0) + 1
        parts = [
            *((id, body, False) for id, body in customers.items()),
            *((id, body, True) for id, body in employees.items()),
        ]
        at = rfc3339(self._now())
        self._articles[slug] = {"title": title, "parts": parts, "at": at, "ends": expires_at}
        return self._versions[slug]

    def take(self, slug: str) -> None:
        """Nobody is shown it any more."""
        self._articles.pop(slug, None)

    def document(self, given: Mapping[str, Any], *, may_be_employee: bool) -> dict[str, Any] | None:
        """The ArticleDocument; None for what the asker has already. Raises NotFound, Forbidden."""
        as_employee = _is_employee(given, may_be_employee)
        slug = str(given.get("slug"))
        found = self._shown().get(slug)
        parts = [(id, body) for id, body, inside in found["parts"] if as_employee or not inside] if found else []
        if found is None or not parts:
            raise NotFound("There is no such article.")
        version, locale = self._versions[slug], given.get("locale") or "en"
        etag = _hashed([slug, str(version), locale, *(id for id, _ in parts)])
        if given.get("ifNoneMatch") == etag:
            return None
        fragments = [{"id": id, "locale": "en", **_rendered(body)} for id, body in parts]
        return {
            "id": f"art_{slug}",
            "slug": slug,
            "version": version,
            "title": found["title"],
            "locale": locale,
            "topics": [],
            "updated_at": found["at"],
            **({"expires_at": rfc3339(found["ends"])} if found["ends"] is not None else {}),
            **self._max_age([(found, parts)]),
            "fragments": fragments,
            "hashes": {name: _hashed([one[name] for one in fragments]) for name in _RENDERINGS},
            "etag": etag,
        }

    def search(self, given: Mapping[str, Any], *, may_be_employee: bool) -> dict[str, Any]:
        """The SearchDocument: bodies in which all words of the query stand, by name. Raises Forbidden."""
        as_employee = _is_employee(given, may_be_employee)
        asked = re.findall(r"\w+", str(given.get("query")))
        hits = [
            self._hit(slug, found["title"], id, _rendered(body)["sms"], asked)
            for slug, found in sorted(self._shown().items())
            for id, body, inside in found["parts"]
            if (as_employee or not inside) and _has_all(f"{found['title']} {body}", asked)
        ]
        theirs = (
            (found, [inside for _, _, inside in found["parts"] if as_employee or not inside])
            for found in self._shown().values()
        )
        return {"hits": hits[: int(given.get("first") or 10)], "total": len(hits), **self._max_age(theirs)}

    def _shown(self) -> Mapping[str, dict[str, Any]]:
        """What has not ended by itself."""
        now = self._now()
        return {slug: one for slug, one in self._articles.items() if one["ends"] is None or one["ends"] > now}

    def _max_age(self, articles: Iterable[tuple[Mapping[str, Any], Collection[Any]]]) -> dict[str, float]:
        """Until the first ends of those of which there are any parts for the asker."""
        ends = [found["ends"] for found, parts in articles if parts and found["ends"] is not None]
        return {"max_age": max((min(ends) - self._now()).total_seconds(), 0.0)} if ends else {}

    def _hit(self, slug: str, title: str, id: str, line: str, asked: list[str]) -> dict[str, Any]:
        words = "|".join(re.escape(html.escape(word)) for word in asked)
        marked = re.sub(f"({words})", r"<mark>\1</mark>", html.escape(line), flags=re.IGNORECASE)
        return {
            "slug": slug,
            "version": self._versions[slug],
            "title": title,
            "fragment": id,
            "locale": "en",
            "snippet": line,
            "html": marked,
            "score": 1.0,
        }


def _is_employee(given: Mapping[str, Any], may_be: bool) -> bool:
    if given.get("asEmployee") and not may_be:
        raise Forbidden("asEmployee: only an employee, or a channel in which employees serve customers, is one.")
    return bool(given.get("asEmployee"))


def _has_all(text: str, asked: list[str]) -> bool:
    return bool(asked) and all(word.lower() in text.lower() for word in asked)


def _rendered(body: str) -> dict[str, str]:
    blocks = [" ".join(one.split()) for one in re.split(r"\n\s*\n", body.strip())]
    line = " ".join(blocks)
    page = "\n".join(f"<p>{html.escape(one, quote=False)}</p>" for one in blocks)
    return {"html": page, "plain": "\n\n".join(blocks), "sms": line, "spoken": line}


def _hashed(texts: list[str]) -> str:
    return hashlib.blake2b("".join(f"{text}\n" for text in texts).encode(), digest_size=16).hexdigest()
