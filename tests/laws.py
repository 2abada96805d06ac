"""Laws of identity, each shown for one made-up world: what is recorded in it, and in which order it arrives.

    order      any order, repetition and dealing out of the actions gives the same customers, traits and timelines
    merge      a merge that is taken back leaves every read as before; the retired link and the audit remain
    oldest     a customer's id is that of the oldest profile
    logins     two logins are never one customer
    resolve    every id that was ever shown leads to whoever it is part of now

Worlds are drawn by hypothesis; `hold` checks all five laws of one on a real database. A few worlds are looked at with
the tests, ten thousand as a proof.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from steadylight_server.access.models import ADMIN_SCOPES
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Conflict
from steadylight_server.identity.kinds import Kinds
from steadylight_server.identity.models import APP_PERSONA, PERSONA, Customer, Identifier, Key, after
from steadylight_server.operations.service import Operations
from tests.factories import batch, viewer
from tests.server.conftest import Slices

WEB, ADMIN = viewer("web"), viewer(None, scopes=ADMIN_SCOPES)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KINDS = ("login", "customer-number", "account", "email")
NUMBERS, VISITS, PERSONAS = range(3), range(3), range(2)
_RULES = Kinds()


@dataclass(frozen=True)
class Told:
    """One action: who it says it was, as (kind, number, assurance); in which visit, under which persona, when."""

    who: tuple[tuple[str, int, str], ...]
    visit: int | None
    persona: int | None
    minute: int
    traits: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class World:
    """Actions; the order in which they arrive the second time, repetitions included; and how many come at once."""

    told: tuple[Told, ...]
    order: tuple[int, ...]
    at_once: int
    merged: tuple[int, int]


_who = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(NUMBERS), st.sampled_from(["CLAIMED", "OTP", "LOGIN"])),
    max_size=3,
    unique_by=lambda one: one[0],
).map(tuple)
_told = st.builds(
    Told,
    _who,
    st.none() | st.sampled_from(VISITS),
    st.none() | st.sampled_from(PERSONAS),
    st.integers(0, 20),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=2, unique_by=lambda one: one[0]).map(tuple),
)
worlds = st.lists(_told, min_size=1, max_size=8).flatmap(
    lambda told: st.builds(
        World,
        st.just(tuple(told)),
        st.permutations([*range(len(told)), 0, len(told) - 1]).map(tuple),
        st.integers(1, 4),
        st.tuples(st.integers(0, 9), st.integers(0, 9)),
    )
)


class _Run:
    """A world's actions under names that nobody else has."""

    def __init__(self, world: World) -> None:
        self.mark = uuid4().hex[:12]
        self.actions = [self._action(place, one) for place, one in enumerate(_kept_apart(world.told))]
        self.keys = [Key(kind, self._value(kind, number)) for kind in KINDS for number in NUMBERS]
        contacts = [*map(str, VISITS), *(f"alone-{place}" for place in range(len(world.told)))]
        under = [Key(PERSONA, f"web/{self.mark}-{contact}") for contact in contacts]
        under += [Key(APP_PERSONA, f"web/{self.mark}-p{number}") for number in PERSONAS]
        self.keys += [*under, *map(after, under)]

    def plain(self, key: Key) -> Key:
        """Without the mark, which differs from run to run."""
        return Key(key.kind, key.value.replace(self.mark, ""))

    def _value(self, kind: str, number: int) -> str:
        return f"{self.mark}{number}@example.org" if kind == "email" else f"{self.mark}-{number}"

    def _action(self, place: int, told: Told) -> dict[str, Any]:
        named = [(kind, self._value(kind, number), level) for kind, number, level in told.who]
        if told.persona is not None:
            named.append(("persona", f"{self.mark}-p{told.persona}", "CLAIMED"))
        alone = not told.who and told.persona is None
        visit = f"alone-{place}" if told.visit == _ALONE else told.visit
        made: dict[str, Any] = {
            # The order of ids, which decides between actions of one moment, is the same in every run.
            "id": str(UUID(int=place << 120 | int(self.mark, 16))),
            "sequence": place,
            "type": f"told.{place}",
            "at": (NOON + timedelta(minutes=told.minute)).isoformat(),
            "identifiers": [{"kind": kind, "value": value, "assurance": level} for kind, value, level in named],
            "traits": dict(told.traits),
        }
        if visit is not None or alone:
            made["contact"] = f"{self.mark}-{visit}"
        return made


_ALONE = -1


def _kept_apart(told: Sequence[Told]) -> list[Told]:
    """As an app does it that keeps the rules: who is known is not followed by somebody unknown in the same place.

    What nobody proved has a visit or a persona, since it would be refused otherwise.
    """
    taken: dict[tuple[str, int | None], int] = {}
    for one in told:
        if _assurance(one) > Assurance.CLAIMED:
            for place in (("visit", one.visit), ("persona", one.persona)):
                taken[place] = min(one.minute, taken.get(place, one.minute))
    kept = []
    for one in told:
        place = ("persona", one.persona) if one.persona is not None else ("visit", one.visit)
        is_proven = _assurance(one) > Assurance.CLAIMED
        if not is_proven and (place[1] is None or one.minute > taken.get(place, one.minute)):
            one = Told(one.who, _ALONE, None, one.minute, one.traits)
        kept.append(one)
    return kept


def _assurance(told: Told) -> Assurance:
    """Of who it was, by the rules that ship."""
    named = [Identifier(kind, f"{number}@example.org", Assurance[level]) for kind, number, level in told.who]
    home = _RULES.home(named, channel="web", contact="any")
    assert home is not None
    return home.assurance


async def hold(house: Slices, world: World) -> None:
    """Raises AssertionError where a law is broken."""
    first, second = _Run(world), _Run(world)
    await _record(house, first.actions)
    processes = [house.beside(), house.beside()]
    arriving = [second.actions[place] for place in world.order]
    for start in range(0, len(arriving), 2 * world.at_once):
        some = arriving[start : start + 2 * world.at_once]
        halves = [half for half in (some[: world.at_once], some[world.at_once :]) if half]
        await asyncio.gather(*(_record(process, half) for process, half in zip(processes, halves, strict=False)))

    people = await _people(house, second)
    before = [await _seen(house, second, person) for person in people]
    in_order = [await _seen(house, first, person) for person in await _people(house, first)]
    assert sorted(before) == sorted(in_order), f"{sorted(before)} is not {sorted(in_order)}"
    for person in people:
        assert person.id == min(person.profiles, key=lambda profile: profile.age).id
        assert [profile.key.kind for profile in person.profiles].count("login") <= 1
    if await _merge_and_part(house, people, world.merged):
        assert [await _seen(house, second, person) for person in await _people(house, second)] == before
    facts = [fact async for fact in house.timeline.by_ids([UUID(one["id"]) for one in second.actions])]
    assert len(facts) == len(second.actions)
    # Whatever was shown was the id of a profile: a customer's is its oldest one's, for as long as that is so.
    profile_ids = {id for person in people for id in person.profile_ids}
    assert profile_ids >= {fact.profile_id for fact in facts}
    for id in profile_ids:
        assert id in (await house.identity.customer(id)).profile_ids


async def _record(house: Slices, actions: Sequence[dict[str, Any]]) -> None:
    answer = await house.ingest.record(WEB, batch(*actions))
    assert answer.exceptions == [], answer.exceptions


async def _people(house: Slices, run: _Run) -> list[Customer]:
    """Every customer of the run, in the order in which its names are listed."""
    ids = await house.beside().identity.known(run.keys)
    found: dict[UUID, Customer] = {}
    for id in (ids[key] for key in run.keys if key in ids):
        if id not in found:
            person = await house.identity.customer(id)
            found |= dict.fromkeys(person.profile_ids, person)
    return list({person.id: person for person in found.values()}.values())


async def _seen(house: Slices, run: _Run, person: Customer) -> tuple[Any, ...]:
    """All that is read of a customer, but for ids."""
    actions, contacts, recent, _ = await house.timeline.recent(person.profile_ids, 100)
    traits = await house.timeline.traits(person.profile_ids)
    assert recent == traits
    return (
        sorted(run.plain(profile.key) for profile in person.profiles),
        [action.type for action in actions],
        [(trait.name, trait.value, trait.at, trait.assurance) for trait in traits],
        sorted(((contact.key or "").replace(run.mark, ""), contact.first_at, contact.last_at) for contact in contacts),
    )


async def _merge_and_part(house: Slices, people: Sequence[Customer], chosen: tuple[int, int]) -> bool:
    """An employee makes two customers one, looks, and takes it back; whether a rule lets them."""
    one, other = (people[number % len(people)] for number in chosen)
    if one.id == other.id:
        return False
    operations, id = Operations(house.identity, house.audit), uuid4()
    try:
        link = await operations.merge(ADMIN, one, other, id=id, why="the same passport")
    except Conflict:
        return False
    together = await house.identity.customer(other.id)
    assert set(together.profile_ids) == {*one.profile_ids, *other.profile_ids}
    assert together.id == min(together.profiles, key=lambda profile: profile.age).id
    await operations.unlink(ADMIN, link, id=uuid4(), why="two people after all")
    kept = [each for each in await house.identity.links.of(one.profile_ids) if each.id == id]
    assert [(each.is_retired, each.retired_why) for each in kept] == [(True, "two people after all")]
    assert await _deeds(house, together.id) == ["customer.merged", "customer.unlinked"]
    return True


async def _deeds(house: Slices, id: UUID) -> list[str]:
    return [one["deed"] for one in await house.documents("audit", whom=f"cus_{id.hex}")]
