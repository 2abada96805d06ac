"""`steadylight articles`: articles listed, shown, published and expired, and what became of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from steadylight_server.cli import database
from steadylight_server.cli.options import AsJson, Data, operator, settings
from steadylight_server.cli.output import as_json, as_table

if TYPE_CHECKING:
    from steadylight_server.api.info import Services
    from steadylight_server.knowledge.editing import Editing
    from steadylight_server.knowledge.models import Article, Version

T = TypeVar("T")
group = typer.Typer(help="Articles: what every channel tells its customers.", no_args_is_help=True)

_TOGETHER = 100

Slug = Annotated[str, typer.Argument(help="The article's name.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why, for the history.", show_default=False)]


def run(data: Path | None, ask: "Callable[[Editing], Awaitable[T]]") -> T:
    """What `ask` returns, given articles to write and read."""

    async def asked() -> T:
        async with database.editing(settings(data)) as editing:
            return await ask(editing)

    return asyncio.run(asked())


async def each(editing: "Editing") -> "AsyncIterator[Article]":
    """All articles by name."""
    after: str | None = None
    while found := await editing.articles(after=after, limit=_TOGETHER):
        for article in found:
            yield article
        after = found[-1].slug


@group.command(
    "list", epilog="Example: steadylight articles list --json", help="Show all articles, published or not, by name."
)
def _list(data: Data = None, json: AsJson = False) -> None:
    async def found(editing: "Editing") -> list[dict[str, Any]]:
        return [_told(editing, article, await editing.latest(article)) async for article in each(editing)]

    articles = run(data, found)
    if json:
        as_json(articles)
    elif articles:
        names = ["article", "title", "state", "version", "draft", "updated_at", "owner", "review_on", "expires_at"]
        as_table([name.replace("_", " ") for name in names], [[one[name] for name in names] for one in articles])
    else:
        typer.echo("There is no article yet. Bring some in: steadylight articles import FOLDER")


@group.command(
    "due",
    epilog="Example: steadylight articles due --by 2027-01-31",
    help="Show what is due for review, with whoever answers for it: what has waited longest comes first. What has "
    "expired is left out.",
)
def _due(
    by: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Due on that day or before.", show_default="today"),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    last = (by or datetime.now(UTC)).date().isoformat()

    async def found(editing: "Editing") -> list[dict[str, Any]]:
        told = [_told(editing, article, await editing.latest(article)) async for article in each(editing)]
        due = [one for one in told if one["review_on"] and one["review_on"] <= last and one["state"] != "EXPIRED"]
        return sorted(due, key=lambda one: (one["review_on"], one["article"]))

    articles = run(data, found)
    names = ["review_on", "article", "title", "owner", "state", "updated_at"]
    if json:
        as_json(articles)
    elif articles:
        as_table([name.replace("_", " ") for name in names], [[one[name] for name in names] for one in articles])
    else:
        typer.echo(f"Nothing is due for review by {last}.")


@group.command(
    "show",
    epilog="Example: steadylight articles show roaming-charges --version 3",
    help="Print what an article says, as files of Markdown: what is published, or its latest version.",
)
def _show(
    article: Slug,
    version: Annotated[int | None, typer.Option(min=1, help="Which one.", show_default="what is shown")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    from steadylight_server.knowledge import folder

    async def found(editing: "Editing") -> "Version":
        if version is not None:
            return await editing.version(article, version)
        there = await editing.article(article)
        return there.published or await editing.latest(there)

    one = run(data, found)
    files = folder.files(one)
    if json:
        as_json({**_version(one), "files": files})
        return
    for name, text in files.items():
        typer.secho(f"# {name}, version {one.number}, {one.state.value}", fg="blue", err=True)
        typer.echo(text, nl=False)


@group.command(
    "history", epilog="Example: steadylight articles history roaming-charges", help="Show all versions, latest first."
)
def _history(article: Slug, data: Data = None, json: AsJson = False) -> None:
    async def found(editing: "Editing") -> "list[Version]":
        await editing.article(article)
        return await editing.versions(article)

    versions = [_version(one) for one in run(data, found)]
    if json:
        as_json(versions)
    else:
        as_table(["version", "state", "at", "by", "why"], [list(one.values())[1:] for one in versions])


@group.command(
    "diff",
    epilog="Example: steadylight articles diff roaming-charges 3 4",
    help="Show what changed between two versions of an article, fragment by fragment.",
)
def _diff(
    article: Slug,
    before: Annotated[int, typer.Argument(min=1, help="The version before.", show_default=False)],
    after: Annotated[
        int | None, typer.Argument(min=1, help="The version after. Left out: the latest.", show_default=False)
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    async def found(editing: "Editing") -> Any:
        return await editing.diff(article, before, after or (await editing.article(article)).number)

    parts = run(data, found)
    if json:
        as_json([{"part": one.part, "locale": one.locale, "diff": one.diff} for one in parts])
    elif parts:
        typer.echo("\n\n".join(f"{one.part} ({one.locale})\n{one.diff}" for one in parts))
    else:
        typer.echo("They say the same.")


@group.command(
    "publish",
    epilog='Example: steadylight articles publish roaming-charges --reason "new tariff"',
    help="Publish an article's draft: from now on every channel shows it.",
)
def _publish(article: Slug, reason: Reason, data: Data = None, json: AsJson = False) -> None:
    async def done(editing: "Editing") -> "Article":
        there = await editing.article(article)
        return await editing.publish(article, revision=there.revision, reason=reason, by=operator())

    _tell(run(data, done), json=json)


@group.command(
    "expire",
    epilog='Example: steadylight articles expire roaming-charges --reason "no such tariff any more"',
    help="Take an article back: from now on no channel shows it.",
)
def _expire(article: Slug, reason: Reason, data: Data = None, json: AsJson = False) -> None:
    async def done(editing: "Editing") -> "Article":
        there = await editing.article(article)
        return await editing.expire(article, revision=there.revision, reason=reason, by=operator())

    _tell(run(data, done), json=json)


@group.command(
    "affected",
    epilog="Example: steadylight articles affected roaming-charges 3 --json > to-be-told.json",
    help="Show everybody who is recorded to have been shown a version of an article, each time, the latest first: whom "
    "to tell when it was corrected. It is audited.",
)
def _affected(
    article: Slug,
    version: Annotated[int, typer.Argument(min=1, help="Which version.", show_default=False)],
    data: Data = None,
    json: AsJson = False,
) -> None:
    async def found() -> list[dict[str, Any]]:
        async with database.services(settings(data)) as there:
            return [one async for one in _affected_by(there, article, version)]

    told = asyncio.run(found())
    if json:
        as_json(told)
    elif told:
        as_table(["customer", "channel", "contact", "at", "fragments", "as"], [list(one.values())[:6] for one in told])
    else:
        typer.echo("Nobody is recorded to have been shown it.")


async def _affected_by(there: "Services", article: str, version: int) -> "AsyncIterator[dict[str, Any]]":
    """Each time, with the customer as they are known now; audited page by page, before it is shown."""
    from steadylight_server.core.paging import MAX_PAGE, Window

    window = Window(MAX_PAGE)
    while True:
        page = await there.knowledge.affected_by(article, version, window)
        profiles = {one.profile_id for one in page.items}
        names = {id: f"cus_{(await there.identity.customer(id)).id.hex}" for id in profiles}
        why = f"who was shown {article}@{version}"
        await there.audit.note(who=operator(), deed="customer.read", whom=sorted(set(names.values())), why=why)
        for one in page.items:
            yield {
                "customer": names[one.profile_id],
                "channel": one.channel,
                "contact": one.contact,
                "at": _at(one.at),
                "fragments": ", ".join(one.fragments),
                "rendering": one.rendering,
                "hash": one.hash,
            }
        if not page.has_next:
            return
        window = Window(MAX_PAGE, after=page.items[-1].position)


def _told(editing: "Editing", article: "Article", latest: "Version") -> dict[str, Any]:
    content = (article.published or latest).content
    return {
        "article": article.slug,
        "title": content.title,
        "state": editing.state(article).value,
        "version": article.published.number if article.published is not None else None,
        "draft": article.draft,
        "updated_at": _at(article.updated_at),
        "owner": content.owner,
        "review_on": content.review_on and content.review_on.isoformat(),
        "expires_at": content.expires_at and _at(content.expires_at),
    }


def _version(one: "Version") -> dict[str, Any]:
    return {
        "article": one.article,
        "version": one.number,
        "state": one.state.value,
        "at": _at(one.at),
        "by": one.author,
        "why": one.reason,
    }


def _at(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _tell(article: "Article", *, json: bool) -> None:
    if json:
        as_json({"article": article.slug, "state": article.state.value, "version": article.number})
    else:
        typer.echo(f"{article.slug} is {article.state.value}, as version {article.number}.")
