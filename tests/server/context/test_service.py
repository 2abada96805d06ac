"""What a channel is told about a customer, and what it is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from bson.timestamp import Timestamp

from steadylight_server.access.models import ADMIN_SCOPES, Scope, Viewer
from steadylight_server.context.models import Context
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.causality import Moment
from steadylight_server.core.errors import Forbidden, Invalid, Unavailable
from steadylight_server.identity.models import Identifier, Key
from steadylight_server.operations.service import Operations
from tests.factories import action, batch, login, viewer
from tests.server.conftest import SECRET, Slices

WEB, IVR, DESK = viewer("web"), viewer("ivr"), viewer("desk", highest=Assurance.IN_PERSON)
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def somebody() -> str:
    """A login that nobody has."""
    return f"C-{uuid4().hex}"


def signed_in(value: str, assurance: Assurance = Assurance.LOGIN) -> Identifier:
    return Identifier("login", value, assurance)


async def told(house: Slices, who: Viewer, *identifiers: Identifier, contact: str | None = None) -> Context:
    return await house.context.fetch(who, identifiers, contact=contact)


async def test_what_one_channel_recorded_another_is_told(house: Slices) -> None:
    house.clock.at = NOW
    value = somebody()
    at = [NOW - timedelta(minutes=number) for number in (3, 2, 1)]
    visit, call, chat = (
        action(login(value), at=written(at[0]), contact="visit-1"),
        action(login(value), at=written(at[1]), contact="call-1", type="call.started"),
        action(login(value), at=written(at[2])),
    )
    for who, one in ((WEB, visit), (IVR, call), (WEB, chat)):
        await house.ingest.record(who, batch(one, sent_at=written(NOW)))

    context = await told(house, DESK, signed_in(value), contact="ticket-1")

    assert context.customer is not None
    assert context.customer.identifiers == [Key("login", value)]
    assert (context.assurance, context.claims, context.at) == (Assurance.LOGIN, [], NOW)
    assert [(one.id, one.channel, one.type) for one in context.actions] == [
        (UUID(chat["id"]), "web", "plan.viewed"),
        (UUID(call["id"]), "ivr", "call.started"),
        (UUID(visit["id"]), "web", "plan.viewed"),
    ]
    assert [(one.channel, one.key, one.first_at) for one in context.contacts] == [
        ("web", None, at[2]),
        ("ivr", "call-1", at[1]),
        ("web", "visit-1", at[0]),
    ]


async def test_no_more_actions_are_told_than_asked_for(house: Slices) -> None:
    value = somebody()
    await house.ingest.record(WEB, batch(*(action(login(value)) for _ in range(25))))

    usual = await told(house, WEB, signed_in(value))
    one = await house.context.fetch(WEB, [signed_in(value)], recent=1)
    all = await house.context.fetch(WEB, [signed_in(value)], recent=100)

    assert [len(context.actions) for context in (usual, one, all)] == [20, 1, 25]
    assert one.actions == usual.actions[:1]


async def test_a_claim_shows_nothing_before_or_after_the_owners_first_login(house: Slices) -> None:
    value = somebody()
    claims = [signed_in(value, level) for level in Assurance if level < Assurance.OTP]

    before = [await told(house, IVR, claim, contact="call-9") for claim in claims]
    await house.ingest.record(WEB, batch(action(login(value), contact="visit-1")))
    after = [await told(house, IVR, claim, contact="call-9") for claim in claims]
    without_contact = [await told(house, IVR, claim) for claim in claims]
    owners = await told(house, IVR, signed_in(value), contact="call-9")

    for context, claim in zip([*before, *after, *without_contact], claims * 3, strict=True):
        assert context.customer is None
        assert context.assurance is Assurance.CLAIMED
        assert (context.actions, context.contacts) == ((), ())
        assert context.claims == [claim]
    assert len(owners.actions) == 1


async def test_a_claim_makes_no_profile_by_being_asked_about(house: Slices) -> None:
    value = somebody()

    await told(house, IVR, signed_in(value), contact=f"call-{value}")

    assert await house.documents("identifiers", value=value) == []
    assert await house.documents("identifiers", value=f"ivr/call-{value}") == []


async def test_a_contact_without_proof_is_told_its_own_only(house: Slices) -> None:
    value, call = somebody(), f"call-{uuid4().hex}"
    claim = login(value, "CALLER_ID")
    await house.ingest.record(WEB, batch(action(login(value), type="secret.told")))
    await house.ingest.record(IVR, batch(action(claim, contact=call, type="menu.chosen")))

    same = await told(house, IVR, signed_in(value, Assurance.CALLER_ID), contact=call)
    other_contact = await told(house, IVR, signed_in(value, Assurance.CALLER_ID), contact=f"{call}-2")
    other_channel = await told(house, WEB, signed_in(value, Assurance.CALLER_ID), contact=call)
    owner = await told(house, WEB, signed_in(value))

    assert same.customer is None
    assert [one.type for one in same.actions] == ["menu.chosen"]
    assert [one.key for one in same.contacts] == [call]
    assert (other_contact.actions, other_channel.actions) == ((), ())
    assert [one.type for one in owner.actions] == ["secret.told"]


async def test_a_contact_of_which_nothing_is_said_is_told_its_own_too(house: Slices) -> None:
    call = f"call-{uuid4().hex}"
    await house.ingest.record(IVR, batch(action(contact=call)))

    context = await told(house, IVR, contact=call)

    assert (context.customer, context.claims, len(context.actions)) == (None, [], 1)


async def test_a_word_counts_for_what_the_channel_may_assert(house: Slices) -> None:
    value = somebody()
    await house.ingest.record(WEB, batch(action(login(value))))
    caller = viewer("ivr", highest=Assurance.CALLER_ID)

    context = await told(house, caller, signed_in(value))

    assert context.customer is None
    assert context.claims == [signed_in(value, Assurance.CALLER_ID)]


async def test_an_admin_is_told_of_a_customer_and_of_no_contact(house: Slices) -> None:
    value, call = somebody(), f"call-{uuid4().hex}"
    await house.ingest.record(WEB, batch(action(login(value)), action(contact=call)))
    admin = viewer(None, highest=Assurance.IN_PERSON, scopes=ADMIN_SCOPES)

    known = await told(house, admin, signed_in(value), contact=call)
    unknown = await told(house, admin, contact=call)

    assert len(known.actions) == 1
    assert (unknown.customer, unknown.actions) == (None, ())


async def test_proof_in_one_identifier_leaves_the_others_as_claims(house: Slices) -> None:
    value = somebody()
    await house.ingest.record(WEB, batch(action(login(value))))
    claim = Identifier("email", "Ann@Example.org", Assurance.CLAIMED)

    context = await told(house, WEB, claim, signed_in(f" {value} "))

    assert context.customer is not None
    assert context.assurance is Assurance.LOGIN
    assert context.claims == [claim._replace(value="ann@example.org")]


async def test_a_customer_who_is_proven_but_new_is_nobody_yet(house: Slices) -> None:
    context = await told(house, WEB, signed_in(somebody()), contact="visit-1")

    assert (context.customer, context.assurance, context.actions) == (None, Assurance.LOGIN, ())


async def test_who_presents_a_token_sees_that_write_in_any_process(house: Slices) -> None:
    for _ in range(5):
        value = somebody()
        answer = await house.ingest.record(WEB, batch(action(login(value))))

        context = await house.beside().context.fetch(DESK, [signed_in(value)], after=answer.token)

        assert len(context.actions) == 1


async def test_the_token_of_a_context_can_be_presented_again(house: Slices) -> None:
    value = somebody()
    answer = await house.ingest.record(WEB, batch(action(login(value))))
    first = await house.context.fetch(WEB, [signed_in(value)], after=answer.token)

    second = await house.context.fetch(WEB, [signed_in(value)], after=first.token)

    assert answer.token is not None
    assert first.token is not None
    assert second.token is not None
    times = [Moment.from_token(token, SECRET).operation_time for token in (answer.token, first.token, second.token)]
    assert times == sorted(times)


async def test_a_context_that_asked_the_database_nothing_hands_the_token_on(house: Slices) -> None:
    answer = await house.ingest.record(WEB, batch(action(login(somebody()))))

    context = await house.context.fetch(WEB, [], after=answer.token)

    assert context.token == answer.token
    assert (await told(house, WEB)).token is None


async def test_a_forged_token_is_invalid(house: Slices) -> None:
    answer = await house.ingest.record(WEB, batch(action(login(somebody()))))
    assert answer.token is not None
    forged = Moment.from_token(answer.token, SECRET).token(b"somebody else's")

    for token in (forged, "nonsense", answer.token[:-4]):
        with pytest.raises(Invalid, match="The token is not one of ours"):
            await house.context.fetch(WEB, [signed_in("C-1")], after=token)


async def test_a_token_of_a_write_that_has_not_arrived_is_unavailable(house: Slices) -> None:
    answer = await house.ingest.record(WEB, batch(action(login(somebody()))))
    assert answer.token is not None
    present = Moment.from_token(answer.token, SECRET)
    future = replace(present, operation_time=Timestamp(present.operation_time.time + 3600, 1))

    with pytest.raises(Unavailable):
        await house.context.fetch(WEB, [signed_in(somebody())], after=future.token(SECRET))


async def test_who_may_not_read_is_told_nothing(house: Slices) -> None:
    writer = viewer("web", scopes=frozenset({Scope.ACTIONS_WRITE}))

    with pytest.raises(Forbidden, match="lacks the scope customers:read"):
        await told(house, writer, signed_in("C-1"))


@pytest.mark.parametrize("recent", [0, -1, 101])
async def test_recent_has_its_bounds(house: Slices, recent: int) -> None:
    with pytest.raises(Invalid, match=f"recent: 1 to 100 actions, not {recent}"):
        await house.context.fetch(WEB, [], recent=recent)


async def test_more_than_ten_identifiers_are_guesses(house: Slices) -> None:
    guesses = [signed_in(f"C-{number}") for number in range(11)]

    with pytest.raises(Invalid, match="identifiers: at most 10"):
        await house.context.fetch(WEB, guesses)
    assert (await house.context.fetch(WEB, guesses[:10])).customer is None


async def test_a_context_costs_the_same_whatever_the_history(house: Slices) -> None:
    short, long = somebody(), somebody()
    await house.ingest.record(WEB, batch(*(action(login(short), contact=str(number)) for number in range(20))))
    for _ in range(3):
        await house.ingest.record(WEB, batch(*(action(login(long), contact=str(number)) for number in range(200))))
    costs = []

    for value in (short, long):
        async with house.watched() as done:
            context = await told(house.beside(), WEB, signed_in(value))
        assert len(context.actions) == 20
        costs.append((len(done), sum(one["docsExamined"] for one in done)))
        assert sum(one["keysExamined"] for one in done) <= 2 * (1 + 1 + 20 + 12) + 4

    assert costs[0][0] == costs[1][0] == 2  # who it is by the identifier, then all of theirs
    assert costs[0][1] == costs[1][1]


async def test_who_was_parted_or_joined_elsewhere_is_seen_so_at_once(house: Slices) -> None:
    number = f"+4930{uuid4().int % 10**9:09d}"
    people = signed_in(somebody()), Identifier("phone", number, Assurance.OTP)
    for who, type in zip(people, ("plan.viewed", "call.began"), strict=True):
        asserted = {"kind": who.kind, "value": who.value, "assurance": who.assurance.name}
        await house.ingest.record(WEB, batch(action(asserted, type=type)))
    beside = house.beside()
    deeds = Operations(beside.identity, beside.audit)

    async def seen() -> list[set[str]]:
        """What each is shown of whom, by a server that remembers who they were."""
        return [{fact.type for fact in (await told(house, WEB, who)).actions} for who in people]

    apart = await seen()
    one, other = [await beside.identity.customer_by(*who) for who in people]
    link = await deeds.merge(viewer(None), one, other, id=uuid4(), why="the same person")
    joined = await seen()
    await deeds.unlink(viewer(None), link, id=uuid4(), why="they are two")
    parted = await seen()

    assert apart == parted == [{"plan.viewed"}, {"call.began"}]
    assert joined == [{"plan.viewed", "call.began"}] * 2
