"""Global ids, and the one place that knows what each prefix leads to."""

from uuid import UUID

import strawberry

from steadylight_server.core.errors import NotFound

CUSTOMER, ACTION, CONTACT, LINK = "cus", "act", "con", "lnk"
JOURNEY, PERFORMANCE, ARTICLE = "jrn", "prf", "art"


def shown(prefix: str, id: UUID) -> strawberry.ID:
    """What it is, then which: `cus_0192f0c17d1e7c3a9b7e5d2a4f6b8c90`."""
    return strawberry.ID(f"{prefix}_{id.hex}")


def read(id: str, *expected: str) -> tuple[str, UUID]:
    """Prefix and UUID of a global id. Raises NotFound for what never was one of the `expected` prefixes."""
    prefix, _, hex = id.partition("_")
    try:
        if prefix in expected:
            return prefix, UUID(hex=hex)
    except ValueError:
        pass
    raise nothing(id)


def nothing(id: str) -> NotFound:
    """The error for an id that leads nowhere, or nowhere that the viewer may know of."""
    return NotFound(f"There is nothing with the id {id[:80]!r}.")


@strawberry.interface(description="Anything with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="The global id: opaque, stable, unique over all types.")
