"""`steadylight articles import` and `export`: articles as files."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steadylight_server.cli.articles import each, run
from steadylight_server.cli.options import AsJson, Data, operator
from steadylight_server.cli.output import Failure, as_json, progress
from steadylight_server.core.errors import Conflict, Invalid

if TYPE_CHECKING:
    from steadylight_server.knowledge.editing import Editing
    from steadylight_server.knowledge.models import Content, Version

# More would scroll the first ones away.
_MOST_SHOWN = 20
_NEW, _CHANGED, _UNCHANGED = "new", "changed", "unchanged"
_EXPIRED = "expired"  # by somebody, and left so
_SIGNS = {_NEW: ("+", "green"), _CHANGED: ("~", "yellow")}

Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal, or with --json, nobody is asked.")
]


def add_to(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command(
        "import",
        epilog="Example: steadylight articles import knowledge/ --dry-run    or: steadylight articles import "
        "pages.jsonl --map pages.map.yaml",
        help="Publish a folder of Markdown with front matter, or JSON lines by a map. All of it is checked before "
        "anything is written, and every fault is told with file and line. Imported again, nothing changes. Articles "
        "that are not in the folder stay as they are, and so do those that somebody expired, which are told.",
    )(_import)
    group.command(
        "export",
        epilog="Example: steadylight articles export knowledge/",
        help="Write what is published as a folder of Markdown, which git keeps well. Files that are like that already "
        "are left as they are; files of no published article are told, and with --prune removed.",
    )(_export)


def _export(
    to: Annotated[Path, typer.Argument(help="The folder.", file_okay=False, show_default=False)],
    prune: Annotated[bool, typer.Option("--prune", help="Remove files of articles that are not published.")] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    from steadylight_server.knowledge import folder

    async def found(editing: "Editing") -> dict[str, str]:
        files: dict[str, str] = {}
        async for article in each(editing):
            files |= folder.files(article.published) if article.published is not None else {}
        return files

    files = run(data, found)
    strays = folder.strays(to, files) if to.is_dir() else []
    written = folder.write(to, files)
    for name in strays if prune else ():
        (to / name).unlink()
    if json:
        as_json({"files": len(files), "written": written, "strays": strays, "pruned": prune})
        return
    typer.echo(f"{len(files):,} files, {written:,} of them written.")
    for name in strays:
        typer.echo(f"{name} is of no published article{': it was removed' if prune else ''}.", err=True)


def _import(
    path: Annotated[Path, typer.Argument(help="A folder, or a file of JSON lines.", exists=True, show_default=False)],
    map: Annotated[
        Path | None,
        typer.Option(help="Of JSON lines: which field is what.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Save drafts, and publish nothing.")] = False,
    bring_back: Annotated[
        bool, typer.Option("--bring-back", help="Publish also what somebody expired meanwhile.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why, for the history.", show_default="imported from the path")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    yes: Yes = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    articles, histories = _read(path, map)
    why = reason or f"imported from {path.resolve().name}"

    async def done(editing: "Editing") -> dict[str, Any]:
        plan = [(slug, content, await editing.standing(slug)) for slug, content in sorted(articles.items())]
        how = {slug: _how(content, there, draft=draft, bring_back=bring_back) for slug, content, there in plan}
        kept = {
            slug: history for slug, history in histories.items() if bring_back or await _may(editing, slug, history)
        }
        left = sorted({*(slug for slug, one in how.items() if one == _EXPIRED), *(histories.keys() - kept.keys())})
        if not json:
            _preview(how, left)
        asks = not (yes or dry_run or json) and sys.stdin.isatty() and sys.stdout.isatty()
        if dry_run or (asks and not typer.confirm("Import this?")):
            return _told(how, kept, None, left)
        put = editing.save if draft else editing.publish
        versions = 0
        with progress(len(plan) + len(kept), quiet=json) as at:
            for place, (slug, content, there) in enumerate(plan, 1):
                if how[slug] in _SIGNS:
                    revision = there[0].revision if there is not None else 0
                    await put(slug, content, revision=revision, reason=why, by=operator())
                at(place, slug)
            for place, (slug, history) in enumerate(sorted(kept.items()), len(plan) + 1):
                versions += (await editing.record(slug, history, by=operator()))[1]
                at(place, slug)
        return _told(how, kept, versions, left)

    try:
        told = run(data, done)
    except Conflict as error:
        raise Failure(f"{error.message} What was imported before stays: import it again.") from None
    if json:
        as_json(told)
        return
    said = f"{told[_NEW]:,} new, {told[_CHANGED]:,} changed, {told[_UNCHANGED]:,} unchanged"
    if histories:
        said = f"{told['versions'] or 0:,} new versions of {told['histories']:,} articles"
    typer.echo(f"{said}." if told["imported"] else f"{said}. Nothing was imported.")


def _read(path: Path, map: Path | None) -> "tuple[Mapping[str, Content], Mapping[str, list[Version]]]":
    from steadylight_server.knowledge import folder, rows

    try:
        if path.is_dir():
            if map is not None:
                raise typer.BadParameter("A folder needs no map.", param_hint="--map")
            return folder.read(path), {}
        if map is None:
            raise typer.BadParameter("JSON lines need a map that says which field is what.", param_hint="--map")
        found = rows.read(path, _map(map))
        return found.articles, found.histories
    except folder.BadFolder as error:
        told = [str(one) for one in error.faults[:_MOST_SHOWN]]
        if (more := len(error.faults) - _MOST_SHOWN) > 0:
            told.append(f"... and {more:,} more.")
        raise Failure("\n".join(["Nothing was imported.", *told])) from None


def _map(file: Path) -> Any:
    from steadylight_server.knowledge import rows

    try:
        return rows.read_map(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read as text: {error}.") from None
    except Invalid as error:
        raise Failure(f"{file} is no map.\n{error.message}") from None


async def _may(editing: "Editing", slug: str, history: "list[Version]") -> bool:
    """Whether a history would not bring back what somebody expired: there is nothing new in it, or nobody did."""
    from steadylight_server.knowledge.models import State

    there = await editing.standing(slug)
    if there is None or there[0].state is not State.EXPIRED:
        return True
    known = {(one.at, one.reason) for one in await editing.versions(slug)}
    return all((one.at, one.reason) in known for one in history)


def _how(content: "Content", there: Any, *, draft: bool, bring_back: bool) -> str:
    from steadylight_server.knowledge.editing import says
    from steadylight_server.knowledge.models import State

    if there is None:
        return _NEW
    article, latest = there
    if article.state is State.EXPIRED and not draft and not bring_back:
        return _EXPIRED
    return _UNCHANGED if says(article, latest, content, State.DRAFT if draft else State.PUBLISHED) else _CHANGED


def _preview(how: Mapping[str, str], left: Sequence[str]) -> None:
    changes = [(slug, one) for slug, one in how.items() if one in _SIGNS]
    for slug, one in changes[:_MOST_SHOWN]:
        sign, colour = _SIGNS[one]
        typer.secho(f"{sign} {slug}", fg=colour)
    if len(changes) > _MOST_SHOWN:
        typer.echo(f"... and {len(changes) - _MOST_SHOWN:,} more.")
    for slug in left[:_MOST_SHOWN]:
        typer.echo(f"{slug} was expired by somebody: it stays so. --bring-back publishes it.", err=True)
    if len(left) > _MOST_SHOWN:
        typer.echo(f"... and {len(left) - _MOST_SHOWN:,} more that were expired.", err=True)


def _told(
    how: Mapping[str, str], histories: Mapping[str, Any], versions: int | None, left: Sequence[str]
) -> dict[str, Any]:
    counts = {name: sum(one == name for one in how.values()) for name in (_NEW, _CHANGED, _UNCHANGED)}
    told = {"histories": len(histories), "versions": versions, "imported": versions is not None}
    return {**counts, _EXPIRED: list(left), **told}
