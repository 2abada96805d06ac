"""The articles of `testing.Server`: what a test gave it, shown to customers and employees."""

import hashlib
import html
import re
from collections.abc import Callable, Mapping
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

    def put(self, slug: str, title: str, customers: Mapping[str, str], employees: Mapping[str, str]) -> int:
        """The number of the version that is shown from now on."""
        self._versions[slug] = self._versions.get(slug, 0) + 1
        parts = [
            *((id, body, False) for id, body in customers.items()),
            *((id, body, True) for id, body in employees.items()),
        ]
        self._articles[slug] = {"title": title, "parts": parts, "at": rfc3339(self._now())}
        return self._versions[slug]

    def take(self, slug: str) -> None:
        """Nobody is shown it any more."""
        self._articles.pop(slug, None)

    def document(self, given: Mapping[str, Any], *, may_be_employee: bool) -> dict[str, Any] | None:
        """The ArticleDocument; None for what the asker has already. Raises NotFound, Forbidden."""
        as_employee = bool(given.get("asEmployee"))
        if as_employee and not may_be_employee:
            raise Forbidden("asEmployee: only an employee, or a channel in which employees serve customers, is one.")
        slug = str(given.get("slug"))
        found = self._articles.get(slug)
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
            "fragments": fragments,
            "hashes": {name: _hashed([one[name] for one in fragments]) for name in _RENDERINGS},
            "etag": etag,
        }


def _rendered(body: str) -> dict[str, str]:
    blocks = [" ".join(one.split()) for one in re.split(r"\n\s*\n", body.strip())]
    line = " ".join(blocks)
    page = "\n".join(f"<p>{html.escape(one, quote=False)}</p>" for one in blocks)
    return {"html": page, "plain": "\n\n".join(blocks), "sms": line, "spoken": line}


def _hashed(texts: list[str]) -> str:
    return hashlib.blake2b("".join(f"{text}\n" for text in texts).encode(), digest_size=16).hexdigest()
