"""The database that the settings name, opened for a command that works beside the servers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from steadylight_server.cli.output import Failure
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from steadylight_server.access.service import AccessService
    from steadylight_server.api.info import Services
    from steadylight_server.app import Stores
    from steadylight_server.blueprint.service import BlueprintService
    from steadylight_server.capabilities.models import Capability
    from steadylight_server.core.mongo import Database
    from steadylight_server.knowledge.editing import Editing


@asynccontextmanager
async def opened(
    settings: Settings, uri: str, *, with_indexes: bool = True
) -> "AsyncIterator[tuple[Database, Stores]]":
    """The database and its stores, tried with a ping. Raises Failure when it does not answer, or refuses us."""
    # Not at the top: strawberry, motor and the rest take a second to import, which `--help` need not wait for.
    from steadylight_server.app import Stores
    from steadylight_server.core.mongo import Database

    try:
        database = Database(uri, settings.database)
    except Exception as error:
        raise _refusal(error) from error
    try:
        stores = Stores.of(database, settings)
        try:
            await database.ping()
            if with_indexes:
                for store in stores.all():
                    await store.create_indexes()
        except Exception as error:
            raise _refusal(error) from error
        yield database, stores
    finally:
        await database.close()


@asynccontextmanager
async def access(settings: Settings) -> "AsyncIterator[AccessService]":
    """Channels and keys, in the database of the settings; a running embedded one is joined, else one is started."""
    from steadylight_server.access.service import AccessService
    from steadylight_server.app import database_uri
    from steadylight_server.core.audit import Audit

    with database_uri(settings, join=True) as uri:
        async with opened(settings, uri) as (_, stores):
            yield AccessService(stores.access, Audit(stores.audit))


@asynccontextmanager
async def blueprints(settings: Settings) -> "AsyncIterator[BlueprintService]":
    """Blueprints, in the database of the settings, as `access`."""
    from steadylight_server.access.service import AccessService
    from steadylight_server.app import database_uri
    from steadylight_server.blueprint.service import BlueprintService
    from steadylight_server.core.audit import Audit

    with database_uri(settings, join=True) as uri:
        async with opened(settings, uri) as (database, stores):

            async def has_identifiers(kind: str) -> bool:
                return await database.collection("identifiers").find_one({"kind": kind}) is not None

            audit = Audit(stores.audit)
            access = AccessService(stores.access, audit)
            yield BlueprintService(stores.blueprints, access, audit, has_identifiers=has_identifiers)


async def declared(stores: "Stores") -> "Mapping[str, Capability]":
    """The capabilities of the blueprint in force, by name; what implements them is not looked for. Raises Failure."""
    from steadylight_server.blueprint.document import read

    number = await stores.blueprints.latest_number()
    version = await stores.blueprints.version(number) if number else None
    if version is None:
        return {}
    try:
        return read(version.text).capabilities_declared(number)
    except Invalid as error:
        raise Failure(f"The blueprint in force cannot be read by this release.\n{error.message}") from None


@asynccontextmanager
async def editing(settings: Settings) -> "AsyncIterator[Editing]":
    """Articles, in the database of the settings, as `access`."""
    from steadylight_server.app import database_uri
    from steadylight_server.core.audit import Audit
    from steadylight_server.knowledge.editing import Editing

    with database_uri(settings, join=True) as uri:
        async with opened(settings, uri) as (_, stores):
            yield Editing(stores.articles, Audit(stores.audit))


@asynccontextmanager
async def services(settings: Settings) -> "AsyncIterator[Services]":
    """All that a server has, its workers running, in the database of the settings, as `access`."""
    from steadylight_server.app import database_uri, open_services
    from steadylight_server.core import logs

    # Errors alone, and on stderr: what the workers say would be mixed with the command's own lines.
    logs.configure("error", settings.log_format)
    with database_uri(settings, join=True) as uri:
        async with opened(settings, uri, with_indexes=False):
            pass  # it answers
        async with open_services(settings, uri) as opened_services:
            yield opened_services


def _refusal(error: Exception) -> Exception:
    """What is wrong in words: a malformed address, a wrong password, nobody there. Other errors stay as they are."""
    if isinstance(error, Unavailable):
        return Failure("The database does not answer. Does it run, and is STEADYLIGHT_MONGODB_URI right?")
    if type(error).__module__.partition(".")[0] in ("pymongo", "bson"):
        return Failure(f"The database cannot be used: {error}. Check STEADYLIGHT_MONGODB_URI.")
    return error
