"""The write path: what is stored, what is refused, and that nothing is left half done."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steadylight_server.access.models import ADMIN_SCOPES, Scope
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.causality import Moment
from steadylight_server.core.errors import Forbidden, Invalid, Unavailable
from steadylight_server.identity.models import Identifier, Key
from steadylight_server.ingest.models import Answer, VerdictKind
from steadylight_server.ingest.service import Ingest
from steadylight_server.ingest.store import Intent, IntentStore
from steadylight_server.journeys.models import JourneyType, Threading, condition
from steadylight_server.timeline.contacts import ENDED
from tests.factories import action, batch, login, viewer
from tests.server.conftest import SECRET, Slices

WEB = viewer("web")
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
S, D, X, R = VerdictKind.STORED, VerdictKind.DUPLICATE, VerdictKind.REFUSED, VerdictKind.RETRY


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def somebody() -> dict[str, str]:
    """A customer whom nobody has seen."""
    return login(f"C-{uuid4().hex}")


async def stored(house: Slices, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored documents of these actions."""
    return await house.documents("actions", _id={"$in": [UUID(one["id"]) for one in actions]})


def reasons(answer: Answer) -> list[tuple[int, str, str]]:
    return [(one.index, one.code, one.message) for one in answer.exceptions]


@pytest.fixture(autouse=True)
async def nothing_is_left(house: Slices) -> Any:
    """No intent survives any of these tests."""
    yield
    assert await house.documents("intents") == []


async def test_an_action_is_stored_as_it_was_sent(house: Slices) -> None:
    house.clock.at = NOW
    who, at = somebody(), NOW - timedelta(seconds=1)
    claim = {"kind": "email", "value": " Ann@Example.ORG", "assurance": "CALLER_ID"}
    one = action(
        claim,
        who,
        at=written(at),
        sequence=7,
        type=f"plan.{uuid4().hex}",
        contact="visit-1",
        journey="buy",
        actor="AGENT",
        agent="a.singh",
        subject={"kind": "plan", "id": "fibre"},
        properties={"plan": ["fibre-500", 1.5, None]},
    )

    answer = await house.ingest.record(WEB, batch(one, sent_at=written(NOW)))

    customer = await house.identity.customer_by("login", who["value"], Assurance.LOGIN)
    fact = await house.timeline.action(UUID(one["id"]))
    assert (answer.kinds, answer.exceptions) == ([S], [])
    assert fact._asdict() == {
        "id": UUID(one["id"]),
        "sequence": 7,
        "type": one["type"],
        "at": at,
        "channel": "web",
        "profile_id": customer.id,
        "identifiers": (
            Identifier("login", who["value"], Assurance.LOGIN),
            Identifier("email", "ann@example.org", Assurance.CALLER_ID),
        ),
        "actor": "AGENT",
        "properties": {"plan": ["fibre-500", 1.5, None]},
        "received_at": NOW,
        "contact": "visit-1",
        "journey": "buy",
        "agent": "a.singh",
        "subject": ("plan", "fibre"),
        "claimed_at": None,
        "traits": {},
        "assurance": Assurance.LOGIN,
    }
    (contact,) = await house.documents("contacts", profile_id=customer.id)
    assert (contact["key"], contact["first_at"], contact["last_at"]) == ("visit-1", at, at)
    assert await house.documents("action_types", _id=one["type"]) == [{"_id": one["type"], "first_seen_at": NOW}]
    assert customer.identifiers == [Key("login", who["value"])]


async def test_what_is_left_out_has_its_default(house: Slices) -> None:
    one = action(somebody(), properties=None)

    await house.ingest.record(WEB, batch(one))

    fact = await house.timeline.action(UUID(one["id"]))
    assert (fact.actor, fact.properties, fact.contact, fact.subject) == ("CUSTOMER", {}, None, None)


async def test_a_bad_action_is_refused_alone(house: Slices) -> None:
    who = somebody()
    good = [action(who) for _ in range(3)]
    bad = action(who, type="")
    nowhere = action()

    answer = await house.ingest.record(WEB, batch(good[0], bad, good[1], nowhere, good[2]))

    assert answer.kinds == [S, X, S, X, S]
    assert [answer.count(kind) for kind in (S, D, X, R)] == [3, 0, 2, 0]
    assert reasons(answer) == [
        (1, "INVALID", "type: String should have at least 1 character"),
        (
            3,
            "INVALID",
            "identifiers: none reaches the bar of its kind with a value that stands for somebody. "
            "Prove one, or give the contact in which it was claimed",
        ),
    ]
    assert [one.id for one in answer.exceptions] == [bad["id"], nowhere["id"]]
    assert len(await stored(house, *good, bad, nowhere)) == 3


async def test_a_batch_of_nothing_but_bad_actions_stores_nothing(house: Slices) -> None:
    answer = await house.ingest.record(WEB, batch(action(), action(type="")))

    assert answer.kinds == [X, X]
    assert answer.warnings == []
    assert answer.token is None


@pytest.mark.parametrize(
    ("who", "error", "message"),
    [
        (viewer(None, scopes=ADMIN_SCOPES), Forbidden, "lacks the scope actions:write"),
        (viewer("web", scopes=frozenset({Scope.CUSTOMERS_READ})), Forbidden, "lacks the scope actions:write"),
    ],
)
async def test_who_may_not_record_stores_nothing(house: Slices, who, error: type[Exception], message: str) -> None:
    one = action(somebody())

    with pytest.raises(error, match=message):
        await house.ingest.record(who, batch(one))

    assert await stored(house, one) == []


async def test_what_is_no_batch_stores_nothing(house: Slices) -> None:
    one = action(somebody())

    for wrong in ({"actions": [one]}, {**batch(one), "channel": "ivr"}, batch(*[one] * 501)):
        with pytest.raises(Invalid):
            await house.ingest.record(WEB, wrong)

    assert await stored(house, one) == []
    assert await house.documents("identifiers", value=one["identifiers"][0]["value"]) == []


@pytest.mark.parametrize("seconds", [31, 7200, -31, -7200, 56 * 365 * 86_400])
async def test_a_clock_that_is_off_is_corrected_and_its_claim_kept(house: Slices, seconds: int) -> None:
    house.clock.at = NOW
    off = timedelta(seconds=seconds)
    one = action(somebody(), at=written(NOW - off - timedelta(seconds=5)))

    await house.ingest.record(WEB, batch(one, sent_at=written(NOW - off)))

    fact = await house.timeline.action(UUID(one["id"]))
    assert fact.at == NOW - timedelta(seconds=5)
    assert fact.claimed_at == NOW - off - timedelta(seconds=5)


@pytest.mark.parametrize("seconds", [0, 30, -30])
async def test_a_clock_that_is_about_right_is_believed(house: Slices, seconds: int) -> None:
    house.clock.at = NOW
    one = action(somebody(), at=written(NOW - timedelta(seconds=5)))

    await house.ingest.record(WEB, batch(one, sent_at=written(NOW - timedelta(seconds=seconds))))

    fact = await house.timeline.action(UUID(one["id"]))
    assert (fact.at, fact.claimed_at) == (NOW - timedelta(seconds=5), None)


async def test_times_are_kept_in_utc_and_milliseconds(house: Slices) -> None:
    house.clock.at = NOW
    one = action(somebody(), at="2026-11-22T14:30:00.123999+05:30")

    await house.ingest.record(WEB, batch(one, sent_at=written(NOW)))

    assert (await house.timeline.action(UUID(one["id"]))).at == datetime(2026, 11, 22, 9, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize("off", [timedelta(), timedelta(hours=2), timedelta(hours=-2)])
async def test_what_lies_ahead_is_refused_after_correction(house: Slices, off: timedelta) -> None:
    house.clock.at = NOW
    who, limit = somebody(), NOW - off + timedelta(minutes=5)
    actions = [
        action(who, at=written(at))
        for at in (limit, limit + timedelta(milliseconds=1), datetime(9998, 12, 31, tzinfo=UTC))
    ]
    last = action(who, at="9999-12-31T23:59:59-12:00")

    answer = await house.ingest.record(WEB, batch(*actions, last, sent_at=written(NOW - off)))

    assert answer.kinds == [S, X, X, X]
    assert {one.message for one in answer.exceptions} == {"at: ahead of the server's clock by more than 5 minutes"}


async def test_what_lies_before_1900_is_refused(house: Slices) -> None:
    house.clock.at = NOW
    who = somebody()
    times = ("1900-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00")

    answer = await house.ingest.record(WEB, batch(*(action(who, at=at) for at in times), sent_at=written(NOW)))

    assert answer.kinds == [S, X, X]
    assert {one.message for one in answer.exceptions} == {"at: before 1900"}


@pytest.mark.parametrize("sent_at", ["1927-11-22T09:30:00Z", "2126-11-21T09:30:00Z"])
async def test_the_furthest_clocks_are_corrected_at_the_furthest_times(house: Slices, sent_at: str) -> None:
    house.clock.at = NOW
    old = action(somebody(), at="1900-01-01T00:00:00Z")

    answer = await house.ingest.record(WEB, batch(old, sent_at=sent_at))

    assert answer.kinds == [S]
    assert abs((await house.timeline.action(UUID(old["id"]))).at.year - 1900) in (99, 100)


async def test_a_channels_word_counts_for_what_it_may_assert(house: Slices) -> None:
    ivr = viewer("ivr", highest=Assurance.CALLER_ID)
    who = somebody()
    claimed, alone = action(who, contact="call-1"), action(who)

    answer = await house.ingest.record(ivr, batch(claimed, alone))

    fact = await house.timeline.action(UUID(claimed["id"]))
    assert answer.kinds == [S, X]
    assert fact.identifiers == (Identifier("login", who["value"], Assurance.CALLER_ID),)
    assert not (await house.identity.customer(fact.profile_id)).is_known
    assert await house.documents("identifiers", value=who["value"]) == []


async def test_a_claim_changes_nothing_of_the_owners(house: Slices) -> None:
    who = somebody()
    owner = action(who, contact="visit-1")
    await house.ingest.record(WEB, batch(owner))
    customer = await house.identity.customer_by("login", who["value"], Assurance.LOGIN)
    before = [await house.documents(name, profile_id=customer.id) for name in ("actions", "contacts")]

    # The very contact key of the owner, but nothing proven.
    await house.ingest.record(WEB, batch(action({**who, "assurance": "KNOWLEDGE"}, contact="visit-1")))

    assert [await house.documents(name, profile_id=customer.id) for name in ("actions", "contacts")] == before


async def test_a_repeated_batch_is_a_duplicate_and_changes_nothing(house: Slices) -> None:
    actions = [action(somebody(), contact="1"), action(somebody())]
    await house.ingest.record(WEB, batch(*actions))
    before = await stored(house, *actions)

    answer = await house.beside().ingest.record(WEB, batch(*actions, action(somebody())))

    assert answer.kinds == [D, D, S]
    assert answer.exceptions == []
    assert await stored(house, *actions) == before


async def test_the_same_id_for_something_else_is_refused(house: Slices) -> None:
    one = action(somebody())
    await house.ingest.record(WEB, batch(one))

    answers = [
        await house.ingest.record(WEB, batch({**one, "type": "plan.bought"})),
        await house.ingest.record(viewer("ivr"), batch(one)),
    ]

    for answer in answers:
        assert answer.kinds == [X]
        assert reasons(answer) == [(0, "CONFLICT", "An action with this id is stored already and says something else")]
        assert answer.exceptions[0].id == one["id"]
    (document,) = await stored(house, one)
    assert (document["type"], document["channel"]) == ("plan.viewed", "web")


async def test_the_same_action_twice_in_one_batch_is_stored_once(house: Slices) -> None:
    one = action(somebody())

    answer = await house.ingest.record(WEB, batch(one, one))

    assert answer.kinds == [S, D]


async def test_a_repetition_counts_as_it_is_stored(house: Slices) -> None:
    """A second time the clock was corrected otherwise, and the channel was surer of who it was."""
    house.clock.at = NOW
    who = somebody()
    one = action({**who, "assurance": "CLAIMED"}, contact=f"call-{uuid4().hex}", at=written(NOW))
    await house.ingest.record(WEB, batch(one, sent_at=written(NOW)))
    before = [await house.documents(name) for name in ("contacts", "action_types")]

    answer = await house.beside().ingest.record(
        WEB, batch({**one, "identifiers": [who]}, sent_at=written(NOW + timedelta(hours=1)))
    )

    assert answer.kinds == [D]
    assert [await house.documents(name) for name in ("contacts", "action_types")] == before


async def test_the_first_of_a_type_is_warned_of_once(house: Slices) -> None:
    who, new = somebody(), f"plan.{uuid4().hex}"
    actions = [action(), action(who), action(who, type=new), action(who, type=new)]
    await house.ingest.record(WEB, batch(action(who)))

    answer = await house.ingest.record(WEB, batch(*actions))
    again = await house.beside().ingest.record(WEB, batch(action(who, type=new)))

    assert [(one.index, one.code, one.message) for one in answer.warnings] == [
        (2, "NEW_TYPE", f"First action of the type {new!r}: is it spelt right?")
    ]
    assert again.warnings == []


async def test_an_identifier_that_stands_for_nobody_is_warned_of_and_leads_nowhere(house: Slices) -> None:
    nobody = {"kind": "login", "value": "[object Object]", "assurance": "LOGIN"}
    who = somebody()
    sent = batch(action(nobody, contact="visit-1"), action(nobody, contact="visit-2"), action(nobody, who), action(who))

    answer = await house.ingest.record(WEB, sent)
    again = await house.beside().ingest.record(WEB, sent)

    said = "The login stands for nobody, or is no login: it proves nothing, and is kept as a claim."
    warned = [(index, "BLOCKED_VALUE", said) for index in (0, 1, 2)]
    assert [(one.index, one.code, one.message) for one in answer.warnings if one.code != "NEW_TYPE"] == warned
    assert [(one.index, one.code, one.message) for one in again.warnings] == warned
    assert await house.documents("identifiers", value=nobody["value"]) == []
    ids = [one["id"] for one in sent["actions"]]
    homes = [
        one["profile_id"]
        async for one in house.database.collection("actions").each({"_id": {"$in": [*map(UUID, ids)]}})
    ]
    assert len(homes) == 4
    assert len(set(homes)) == 3


async def test_the_token_is_of_this_write(house: Slices) -> None:
    answer = await house.ingest.record(WEB, batch(action(somebody())))

    assert answer.token is not None
    moment = Moment.from_token(answer.token, SECRET)
    assert moment.operation_time <= await house.database.moment()


async def test_two_servers_that_meet_customers_at_once_make_each_once(house: Slices) -> None:
    processes = [house.beside(), house.beside()]
    for _ in range(3):
        who = somebody()
        actions = [action(who, contact="call-1") for _ in range(32)]

        answers = await asyncio.gather(
            *(processes[number % 2].ingest.record(WEB, batch(one)) for number, one in enumerate(actions))
        )

        assert [answer.kinds for answer in answers] == [[S]] * 32
        assert len({one["profile_id"] for one in await stored(house, *actions)}) == 1
        assert len(await house.documents("profiles", value=who["value"])) == 1
        profile = (await stored(house, actions[0]))[0]["profile_id"]
        assert len(await house.documents("contacts", profile_id=profile)) == 1


async def test_a_write_that_fails_for_one_action_is_to_be_sent_again(slices: Slices) -> None:
    good, bad = action(somebody()), action(somebody(), type="case.opened")
    await slices.ingest.record(WEB, batch(action(somebody())))
    await slices.database.raw.command("collMod", "actions", validator={"type": {"$ne": "case.opened"}})

    answer = await slices.ingest.record(WEB, batch(bad, good))

    assert answer.kinds == [R, S]
    assert reasons(answer) == [(0, "UNAVAILABLE", "Not stored this time; send it again")]
    await slices.database.raw.command("collMod", "actions", validator={})
    assert (await slices.ingest.record(WEB, batch(bad, good))).kinds == [S, D]
    assert await slices.documents("intents") == []


def swept(house: Slices) -> Ingest:
    """As the sweeper of a server to which every intent is old."""
    process = house.beside()
    process.stores.threads.types.declare(house.stores.threads.types.declared)
    intents = IntentStore(house.database, lease_seconds=0)
    return Ingest(
        house.database,
        intents,
        process.identity,
        process.timeline,
        process.journeys,
        process.knowledge,
        process.insights,
        token_secret=SECRET,
    )


UNCONFIRMED: dict[str, Any] = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}


@pytest.mark.parametrize("collection", ["actions", "contacts", "action_types"])
async def test_a_batch_that_broke_off_is_finished_by_the_sweeper(house: Slices, collection: str) -> None:
    one = action(somebody(), contact="1", type=f"plan.{uuid4().hex}")
    async with house.failing("insert", "update", collection=collection, **UNCONFIRMED):
        with pytest.raises(Unavailable):
            await house.ingest.record(WEB, batch(one))
    (intent,) = await house.documents("intents")
    early = await house.ingest.finish_old()
    await asyncio.sleep(0.002)

    finished = await swept(house).finish_old()

    assert (early, finished) == (0, 1)
    (document,) = await stored(house, one)
    assert len(await house.documents("contacts", profile_id=document["profile_id"])) == 1
    assert len(await house.documents("action_types", _id=one["type"])) == 1
    assert intent["action_ids"] == UUID(one["id"]).bytes


@pytest.fixture
def threaded(house: Slices) -> Slices:
    """A server that makes a journey of each case."""
    threads = Threading("case", completes=condition('type == "case.closed"'), counts={"all": condition("true")})
    house.stores.threads.types.declare({"incident": JourneyType("incident", threads=threads)})
    return house


async def test_what_is_about_one_subject_becomes_a_journey(threaded: Slices) -> None:
    who, case = somebody(), {"kind": "case", "id": uuid4().hex}
    told = [action(who, type=type, subject=case) for type in ("case.opened", "case.moved", "case.closed")]
    named = action(who, type="case.moved", subject=case, journey="complaint")

    for some in (told[2:], told[:1], [named], told):
        await threaded.ingest.record(WEB, batch(*some))

    [document] = await stored(threaded, told[0])
    [thread] = await threaded.stores.threads.of([document["profile_id"]], 5)
    assert (thread.subject, thread.status, thread.counts) == (tuple(case.values()), "COMPLETED", {"all": 3})


async def test_journeys_of_a_batch_that_broke_off_are_finished_by_the_sweeper(threaded: Slices) -> None:
    one = action(somebody(), type="case.closed", subject={"kind": "case", "id": uuid4().hex})
    async with threaded.failing("insert", "update", collection="threads", **UNCONFIRMED):
        with pytest.raises(Unavailable):
            await threaded.ingest.record(WEB, batch(one))
    await threaded.database.raw["threads"].delete_many({})
    await asyncio.sleep(0.002)

    finished = await swept(threaded).finish_old()

    [document] = await stored(threaded, one)
    [thread] = await threaded.stores.threads.of([document["profile_id"]], 5)
    assert (finished, thread.status) == (1, "COMPLETED")


async def crash(house: Slices, *actions: dict[str, Any]) -> None:
    """A server that dies between append and project: its actions and its intent are there, and nothing else."""
    process = house.beside()

    async def die(*given: object) -> None:
        raise KeyboardInterrupt

    process.timeline.project = die  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        await process.ingest.record(WEB, batch(*actions))


async def test_what_a_crash_left_half_done_is_finished_before_a_repetition_is_answered(house: Slices) -> None:
    one = action(somebody(), contact="1")
    await crash(house, one)
    (document,) = await stored(house, one)
    half_done = await house.documents("contacts", profile_id=document["profile_id"])

    answer = await house.ingest.record(WEB, batch(one))

    assert half_done == []
    assert answer.kinds == [D]
    (contact,) = await house.documents("contacts", profile_id=document["profile_id"])
    assert contact["last_at"] == document["at"]
    assert await swept(house).finish_old() == 1


async def test_an_intent_of_actions_that_were_never_stored_is_put_away(house: Slices) -> None:
    await house.stores.intents.open(Intent(uuid4(), [uuid4(), uuid4()]))
    await asyncio.sleep(0.002)

    assert await swept(house).finish_old() == 1


async def test_several_sweepers_finish_each_batch(house: Slices) -> None:
    actions = [action(somebody(), contact="1") for _ in range(6)]
    for one in actions:
        await crash(house, one)
    await asyncio.sleep(0.002)

    finished = await asyncio.gather(*(swept(house).finish_old() for _ in range(3)))

    assert sum(finished) >= 6
    profiles = [one["profile_id"] for one in await stored(house, *actions)]
    assert len(await house.documents("contacts", profile_id={"$in": profiles})) == 6


kinds_of_action = st.tuples(
    st.integers(0, 2),  # customer
    st.sampled_from([None, "1", "2"]),  # contact
    st.integers(0, 90),  # minutes
    st.sampled_from(["plan.viewed", "case.opened", ENDED]),
    st.sampled_from(["LOGIN", "CLAIMED"]),
)
batches = st.lists(st.lists(kinds_of_action, min_size=1, max_size=3), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches.flatmap(lambda given: st.tuples(st.just(given), st.permutations([*range(len(given))] * 2))))
async def test_order_and_repetition_of_batches_make_no_difference(
    shared: Slices, told: tuple[list[list[Any]], list[int]]
) -> None:
    given, order = told
    results = []
    for turns in (list(range(len(given))), order):
        customers = [somebody() for _ in range(3)]
        contacts = uuid4().hex
        sent = [
            batch(
                *(
                    action(
                        {**customers[who], "assurance": level},
                        id=str(UUID(int=hash((contacts, one, two)) & (2**128 - 1), version=4)),
                        sequence=10 * one + two,
                        at=written(NOW + timedelta(minutes=minute)),
                        # Apart: whoever is known in a contact ends what nobody known does there.
                        contact=_visit(contacts, key, level),
                        type=type,
                        properties={"outcome": f"{one}.{two}"} if type == ENDED else {},
                    )
                    for two, (who, key, minute, type, level) in enumerate(actions)
                )
            )
            for one, actions in enumerate(given)
        ]
        processes = [shared.beside(), shared.beside()]
        for number, turn in enumerate(turns):
            await processes[number % 2].ingest.record(WEB, sent[turn])
        results.append(await projected(shared, customers, contacts))

    assert results[0] == results[1]


def _visit(contacts: str, key: str | None, level: str) -> str | None:
    if level == "CLAIMED":
        return f"{contacts}-unknown-{key}"
    return f"{contacts}-{key}" if key else None


async def projected(house: Slices, customers: Sequence[dict[str, str]], contacts: str) -> list[Any]:
    """Every contact of these customers and personas, without what differs by name alone."""
    known = {"kind": "login", "value": {"$in": [one["value"] for one in customers]}}
    personas = {"kind": "contact:persona", "value": {"$regex": contacts}}
    found = []
    for profile in await house.documents("profiles", **{"$or": [known, personas]}):
        place = next((n for n, one in enumerate(customers) if one["value"] == profile["value"]), "persona")
        for one in await house.documents("contacts", profile_id=profile["_id"]):
            key = one.get("key", "").replace(contacts, "")
            ended = one.get("ended", {}).get("outcome")
            found.append((place, key, one.get("slot"), one["first_at"], one["last_at"], ended))
    return sorted(found, key=str)


async def test_a_conflict_makes_nobody(house: Slices) -> None:
    somewhere = action(somebody(), contact="1")
    newcomer = somebody()
    await house.ingest.record(WEB, batch(somewhere))

    answer = await house.ingest.record(WEB, batch({**somewhere, "identifiers": [newcomer]}))

    assert [(one.kind, one.code) for one in answer.exceptions] == [("REFUSED", "CONFLICT")]
    assert await house.documents("identifiers", value=newcomer["value"]) == []
    assert await house.documents("profiles", value=newcomer["value"]) == []
