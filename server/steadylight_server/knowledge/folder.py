"""Articles as a folder of Markdown, which git keeps well: a file for each article and locale (`page`).

`roaming-charges.md` is the article `roaming-charges` in its own locale, `roaming-charges.de.md` the same in German, and
`help/roaming.md` the article `help/roaming`. README.md, and what begins with a dot, is passed over. All files are read
and checked before anything comes of one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steadylight_server.core.errors import Invalid
from steadylight_server.knowledge import page
from steadylight_server.knowledge.models import Content, Version, check_slug, locale
from steadylight_server.knowledge.page import OWN_LOCALE, Faults, Front, Page

_NAME = re.compile(r"(?P<slug>[^.]+)(?:\.(?P<locale>[^.]+))?\.md")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, and on which line."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class BadFolder(Exception):
    """The folder cannot be read as articles: every fault, by file and line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def read(folder: Path) -> Mapping[str, Content]:
    """What each article says, by name. Raises BadFolder."""
    texts: dict[str, str] = {}
    faults: list[Fault] = []
    for file in _files(folder):
        name = file.relative_to(folder).as_posix()
        try:
            texts[name] = file.read_bytes().decode("utf-8")
        except (UnicodeDecodeError, OSError) as error:
            faults.append(Fault(name, 1, f"{error}"))
    return _read(texts, faults)


def content(texts: Mapping[str, str]) -> Mapping[str, Content]:
    """What each article says, by name, of files by their path in a folder. Raises BadFolder."""
    return _read(texts, [])


def _read(texts: Mapping[str, str], faults: list[Fault]) -> Mapping[str, Content]:
    pages: dict[str, dict[str | None, tuple[str, Page]]] = {}
    for name, text in texts.items():
        try:
            slug, wanted = _place(name)
            pages.setdefault(slug, {})[wanted] = (name, page.read(text, wanted or OWN_LOCALE))
        except Faults as error:
            faults += [Fault(name, line, message) for line, message in error.faults]
        except Invalid as error:
            faults.append(Fault(name, 1, error.message.removesuffix(".")))
    found: dict[str, Content] = {}
    for slug, parts in pages.items():
        try:
            found[slug] = _content(parts)
        except _Unfit as unfit:
            faults.append(unfit.fault)
    if faults:
        raise BadFolder(sorted(faults, key=lambda one: (one.file, one.line)))
    return found


def files(version: Version) -> Mapping[str, str]:
    """The files of a version, by their path in a folder."""
    content = version.content
    others = {*content.titles, *(one.locale for one in content.fragments)} - {content.locale}
    own = {f"{version.article}.md": page.written(content, content.locale)}
    return own | {f"{version.article}.{one}.md": page.written(content, one) for one in sorted(others)}


def write(folder: Path, texts: Mapping[str, str]) -> int:
    """Writes files by their path in the folder, which is made if need be. How many were not like that already."""
    changed = 0
    for name, text in texts.items():
        file = folder / name
        if file.is_file() and file.read_bytes() == text.encode():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        changed += 1
    return changed


def strays(folder: Path, texts: Mapping[str, str]) -> Sequence[str]:
    """Files of the folder that would be read as articles and are none of these, by path."""
    return [name for file in _files(folder) if (name := file.relative_to(folder).as_posix()) not in texts]


class _Unfit(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*.md")):
        inside = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts) and file.name != "README.md":
            yield file


def _place(name: str) -> tuple[str, str | None]:
    """Which article a file is of, and in which locale other than its own. Raises Invalid."""
    head, _, last = name.rpartition("/")
    found = _NAME.fullmatch(last)
    if found is None:
        raise Invalid("a file is named like roaming-charges.md or roaming-charges.de.md.")
    slug = f"{head}/{found['slug']}" if head else found["slug"]
    check_slug(slug)
    wanted = found["locale"]
    if wanted is not None and locale(wanted) != wanted:
        raise Invalid(f"the locale is written {locale(wanted)!r}.")
    return slug, wanted


def _content(parts: Mapping[str | None, tuple[str, Page]]) -> Content:
    """An article of its files, by locale. Raises _Unfit."""
    if None not in parts:
        name, _ = next(iter(parts.values()))
        raise _Unfit(Fault(name, 1, "there is no file of the article in its own locale"))
    name, own = parts[None]
    front = own.front
    if front.title is None:
        raise _Unfit(Fault(name, 1, "title: is missing"))
    own_locale = front.locale or OWN_LOCALE
    titles = {own_locale: front.title}
    fragments = list(own.fragments)
    for wanted, (file, other) in sorted((key, value) for key, value in parts.items() if key is not None):
        told = other.front
        if told != Front(title=told.title, audience=told.audience):
            raise _Unfit(Fault(file, 1, "of the article as a whole only the file in its own locale tells"))
        if wanted == own_locale:
            raise _Unfit(Fault(file, 1, f"{own_locale} is the article's own locale: that is {name}"))
        if told.title is not None:
            titles[wanted] = told.title
        fragments += other.fragments
    content = Content(
        titles,
        own_locale,
        tuple(fragments),
        front.topics,
        front.capabilities,
        front.journeys,
        front.owner,
        front.review_on,
        front.expires,
    ).arranged()
    try:
        content.check()
    except Invalid as error:
        raise _Unfit(Fault(name, 1, error.message.removesuffix("."))) from None
    return content
