"""Applies blueprints: says what one would change, refuses what is unsafe, and stores it as the next version.

Servers see it by `blueprint/watch`; channels are registered in the transaction that stores it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from steadylight_server.access.models import Channel
from steadylight_server.access.service import AccessService
from steadylight_server.blueprint import difference
from steadylight_server.blueprint.difference import Change
from steadylight_server.blueprint.document import read
from steadylight_server.blueprint.models import Blueprint, Version
from steadylight_server.blueprint.store import BlueprintStore
from steadylight_server.core.audit import Audit
from steadylight_server.core.clock import Clock, in_milliseconds, now
from steadylight_server.core.errors import Conflict, Invalid, NotFound

# Characters of the difference in the audit; all of it follows from the versions.
_MOST_TOLD = 4_000
_NONE_YET = "No blueprint was applied yet: what ships is in force. Apply one with `steadylight apply FILE`."


@dataclass(frozen=True)
class Plan:
    """What applying a blueprint would do. `is_new` is False where the very same text is in force, and holds."""

    number: int
    text: str
    restores: int | None
    changes: Sequence[Change]
    channels: Sequence[Channel]
    removed: Sequence[str]
    is_new: bool


class BlueprintService:
    """The only way to a new blueprint. `has_identifiers` says whether there is any identifier of a kind."""

    def __init__(
        self,
        store: BlueprintStore,
        access: AccessService,
        audit: Audit,
        *,
        has_identifiers: Callable[[str], Awaitable[bool]],
        clock: Clock = now,
    ) -> None:
        self._store = store
        self._access = access
        self._audit = audit
        self._has_identifiers = has_identifiers
        self._clock = clock

    async def versions(self) -> list[Version]:
        """All that were ever applied, the latest first: that one is in force."""
        return await self._store.versions()

    async def version(self, number: int | None = None) -> Version:
        """The one with that number, or the one in force. Raises NotFound."""
        wanted = number if number is not None else await self._store.latest_number()
        if not wanted:
            raise NotFound(_NONE_YET)
        found = await self._store.version(wanted)
        if found is None:
            raise NotFound(f"There is no version {wanted}. `steadylight blueprint list` shows those there are.")
        return found

    async def plan(self, text: str, *, restores: int | None = None) -> Plan:
        """What applying this text would change. Raises Invalid for no blueprint, Conflict for what is unsafe."""
        after = read(text)
        latest = await self._store.latest_number()
        in_force = await self._store.version(latest) if latest else None
        before = _read_again(in_force) if in_force else Blueprint(version=1)
        await self._check(before, after)
        registered = {channel.name: channel for channel in await self._access.channels()}
        channels = [said.channel(name, in_milliseconds(self._clock())) for name, said in after.channels.items()]
        keys = {
            name: await self._keys(name)
            for name in before.channels
            if name in registered and name not in after.channels
        }
        changes = [
            *difference.of_regions(before.default_region, after.default_region),
            *difference.of_channels(registered, channels),
            *difference.of_removed_channels(keys),
            *difference.of_kinds(before.kinds, after.kinds),
            *difference.of_journeys(before.journey_types(0), after.journey_types(0)),
            *difference.of_capabilities(before.capabilities_declared(0), after.capabilities_declared(0)),
        ]
        is_new = bool(changes) or in_force is None or in_force.text != text
        removed = [name for name, count in keys.items() if not count]
        return Plan(latest + 1, text, restores, changes, channels, removed, is_new)

    async def plan_rollback(self, number: int | None = None) -> Plan:
        """What going back to that version, or to the one before, would change. Raises NotFound, and as `plan`."""
        latest = await self.version()
        if number is None and latest.number == 1:
            raise NotFound("There is no version before the one in force.")
        earlier = await self.version(latest.number - 1 if number is None else number)
        return await self.plan(earlier.text, restores=earlier.number)

    async def apply(self, plan: Plan, *, by: Mapping[str, str]) -> Version:
        """The blueprint, in force. Raises Conflict, and does nothing, where another was applied after the plan."""
        version = Version(
            number=plan.number,
            text=plan.text,
            applied_at=in_milliseconds(self._clock()),
            by=by,
            restores=plan.restores,
        )
        if await self._store.latest_number() >= plan.number:
            await self._store.add(version)  # which says so
        # Audited first: a blueprint that is not in the audit must not be in force.
        deed = "blueprint.applied" if plan.restores is None else "blueprint.restored"
        what = [f"{change.how.lower()} {change.what}" for change in plan.changes]
        why = "\n".join([f"version {plan.number}" + (f", as {plan.restores}" if plan.restores else ""), *what])
        await self._audit.note(who=by, deed=deed, why=why[:_MOST_TOLD])

        async def work() -> None:
            await self._store.add(version)
            await self._access.declare_channels(plan.channels, plan.removed)

        await self._store.database.transaction(work)
        return version

    async def _check(self, before: Blueprint, after: Blueprint) -> None:
        """Raises Conflict for a normaliser that cannot change."""
        others = difference.other_normalisers(before.kinds, after.kinds)
        refused = [f"{name} ({change})" for name, change in others.items() if await self._has_identifiers(name)]
        if refused:
            raise Conflict(
                f"The normaliser of a kind that has identifiers cannot change: {', '.join(refused)}. They would not be "
                "found any more. Leave it as it is, or declare a kind with another name and let channels send that."
            )

    async def _keys(self, channel: str) -> int:
        """How many of the channel's keys are good."""
        return sum(key.is_good(self._clock()) for key in await self._access.keys(channel))


def _read_again(version: Version) -> Blueprint:
    """Raises Conflict for one that a later release applied: what would be lost of it cannot be said."""
    try:
        return read(version.text)
    except Invalid as error:
        raise Conflict(
            f"Version {version.number} is in force, and this release cannot read it: {error.message}\n"
            "Use the release that applied it."
        ) from None
