"""Relay's connections, made from a core Page."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

import strawberry

from steadylight_server.core.paging import MAX_PAGE, Page

First = Annotated[
    int | None, strawberry.argument(description=f"How many from the start, at most {MAX_PAGE}; 20 if neither is given.")
]
Last = Annotated[int | None, strawberry.argument(description=f"How many from the end, at most {MAX_PAGE}.")]
After = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Before = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]

N = TypeVar("N")
T = TypeVar("T")


@strawberry.type(description="Where a page lies in the whole, as in the Relay specification.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows.")
    has_previous_page: bool = strawberry.field(description="Whether something comes before.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first entry.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last entry.")


@strawberry.type(description="An entry and its place.")
class Edge(Generic[N]):
    node: N = strawberry.field(description="The entry.")
    cursor: str = strawberry.field(description="Its place, to be given as `after` or `before`.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[N]):
    edges: list[Edge[N]] = strawberry.field(description="The entries with their places.")
    nodes: list[N] = strawberry.field(description="The entries alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the whole.")


def connection(page: Page[T], node: Callable[[T], N], cursor: Callable[[T], str]) -> Connection[N]:
    """The page as the graph shows it."""
    nodes: Sequence[N] = [node(item) for item in page.items]
    cursors = [cursor(item) for item in page.items]
    return Connection(
        edges=[Edge(node=one, cursor=cursor) for one, cursor in zip(nodes, cursors, strict=True)],
        nodes=list(nodes),
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
    )
