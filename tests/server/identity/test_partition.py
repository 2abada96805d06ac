"""Who is whom is a function of profiles and links, and not of their order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import PERSONA, Key, Link, Profile, Reason, Refusal
from steadylight_server.identity.partition import MOST, partition

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ONE_LOGIN = {"login": 1, "passport": 2}


def profile(number: int, kind: str = "email", *, age: int | None = None) -> Profile:
    """The later the number, the younger, unless `age` says when it was made."""
    id = UUID(int=number)
    return Profile(id, id, Key(kind, str(number)), AT + timedelta(seconds=number if age is None else age))


def link(
    number: int,
    one: int,
    other: int,
    *,
    minutes: int = 0,
    assurance: Assurance = Assurance.OTP,
    reason: Reason = Reason.EVIDENCE,
    retired: int | None = None,
) -> Link:
    """Between two profiles by their numbers."""
    pair = (UUID(int=min(one, other)), UUID(int=max(one, other)))
    at = AT + timedelta(minutes=minutes)
    retired_at = None if retired is None else AT + timedelta(minutes=retired)
    return Link(UUID(int=1000 + number), pair, reason, assurance, at, at, retired_at=retired_at)


def together(profiles: list[Profile], links: list[Link]) -> list[list[int]]:
    """The components, by number, the oldest first."""
    found: dict[UUID, list[int]] = {}
    for id, customer_id in partition(profiles, links, ONE_LOGIN).customer_ids.items():
        found.setdefault(customer_id, []).append(id.int)
    return sorted(sorted(one) for one in found.values())


def test_links_join_and_the_oldest_gives_its_id() -> None:
    profiles = [profile(1, age=9), profile(2), profile(3, age=1), profile(4)]

    outcome = partition(profiles, [link(1, 1, 2), link(2, 2, 3)], {})

    assert [outcome.customer_ids[UUID(int=number)].int for number in (1, 2, 3, 4)] == [3, 3, 3, 4]
    assert outcome.refused == {}


def test_two_logins_are_never_one_customer() -> None:
    profiles = [profile(1, "login"), profile(2), profile(3, "login")]
    earlier, later = link(1, 1, 2), link(2, 2, 3, minutes=5)

    assert together(profiles, [later, earlier]) == [[1, 2], [3]]
    assert partition(profiles, [later, earlier], ONE_LOGIN).refused == {later.id: Refusal.TOO_MANY_OF_A_KIND}


def test_surer_evidence_comes_first_and_a_decision_before_it() -> None:
    profiles = [profile(1, "login"), profile(2), profile(3, "login")]
    early, sure = link(1, 1, 2), link(2, 2, 3, minutes=5, assurance=Assurance.IN_PERSON)
    decided = link(3, 1, 2, minutes=9, reason=Reason.DECISION, assurance=Assurance.IN_PERSON)

    assert together(profiles, [early, sure]) == [[1], [2, 3]]
    assert together(profiles, [early, sure, decided]) == [[1, 2], [3]]


def test_a_kind_may_have_more_than_one() -> None:
    profiles = [profile(number, "passport") for number in (1, 2, 3)]

    assert together(profiles, [link(1, 1, 2), link(2, 2, 3, minutes=1)]) == [[1, 2], [3]]


def test_no_customer_has_more_profiles_than_a_person_can_have() -> None:
    profiles = [profile(number) for number in range(1, MOST + 2)]
    chain = [link(number, number, number + 1, minutes=number) for number in range(1, MOST + 1)]

    outcome = partition(profiles, chain, {})

    assert outcome.refused == {chain[-1].id: Refusal.TOO_MANY_PROFILES}
    assert len(set(outcome.customer_ids.values())) == 2


def test_personas_are_not_counted() -> None:
    profiles = [profile(1), *(profile(number, PERSONA) for number in range(2, MOST + 9))]
    star = [link(number, 1, number) for number in range(2, MOST + 9)]

    assert len(together(profiles, star)) == 1


def test_what_was_parted_stays_parted_by_whatever_way() -> None:
    profiles = [profile(1), profile(2), profile(3)]
    parted = link(1, 1, 2, retired=5)

    assert together(profiles, [parted]) == [[1], [2], [3]]
    assert together(profiles, [parted, link(2, 2, 3), link(3, 1, 3, minutes=9)]) == [[1], [2, 3]]
    refused = partition(profiles, [parted, link(2, 2, 3), link(3, 1, 3, minutes=9)], {}).refused
    assert list(refused.values()) == [Refusal.PARTED]


def test_a_later_decision_brings_together_what_was_parted() -> None:
    profiles = [profile(1), profile(2)]
    parted = link(1, 1, 2, retired=5)

    assert together(profiles, [parted, link(2, 1, 2, minutes=9, reason=Reason.DECISION)]) == [[1, 2]]
    assert together(profiles, [parted, link(2, 1, 2, minutes=4, reason=Reason.DECISION)]) == [[1], [2]]


def test_a_persona_follows_one_customer_and_never_makes_one_of_two() -> None:
    profiles = [profile(1, PERSONA), profile(2, "login"), profile(3, "email"), profile(4, "email")]
    theirs = link(1, 1, 2, reason=Reason.PERSONA)
    decided = link(2, 1, 3, reason=Reason.DECISION)

    assert together(profiles, [theirs]) == [[1, 2], [3], [4]]
    assert together(profiles, [theirs, decided]) == [[1, 3], [2], [4]]
    assert partition(profiles, [theirs, decided], {}).refused == {theirs.id: Refusal.TAKEN}
    assert together(profiles, [theirs, replace(decided, retired_at=link(9, 1, 2, retired=1).retired_at)]) == [
        [1, 2],
        [3],
        [4],
    ]
    assert together(profiles, [theirs, link(3, 2, 3)]) == [[1, 2, 3], [4]]


NUMBERS = st.integers(1, 9)
PROFILES = st.lists(st.sampled_from(["login", "email", "passport", PERSONA]), min_size=9, max_size=9).map(
    lambda kinds: [profile(number, kind) for number, kind in enumerate(kinds, 1)]
)
LINKS = st.lists(
    st.tuples(
        NUMBERS,
        NUMBERS,
        st.integers(0, 3),
        st.sampled_from(Assurance),
        st.sampled_from(Reason),
        st.none() | st.integers(0, 4),
    ).filter(lambda given: given[0] != given[1]),
    max_size=14,
).map(
    lambda given: [
        link(number, one, other, minutes=minutes, assurance=assurance, reason=reason, retired=retired)
        for number, (one, other, minutes, assurance, reason, retired) in enumerate(given)
    ]
)


def fitting(profiles: list[Profile], links: list[Link]) -> list[Link]:
    """The links, of the reason PERSONA those alone that can be: one for each persona, to somebody known."""
    personas = {one.id for one in profiles if one.is_persona}
    fitted: list[Link] = []
    linked: set[UUID] = set()
    for one in links:
        mine = personas & set(one.profile_ids)
        if one.reason is Reason.PERSONA and (len(mine) != 1 or mine <= linked):
            one = replace(one, reason=Reason.EVIDENCE)
        linked |= mine if one.reason is Reason.PERSONA else set()
        fitted.append(one)
    return fitted


@given(PROFILES, LINKS, st.randoms(use_true_random=False))
def test_the_order_in_which_they_came_does_not_matter(profiles: list[Profile], links: list[Link], random) -> None:
    links = fitting(profiles, links)
    other_profiles, other_links = profiles[:], [*links, *links[:3]]
    random.shuffle(other_profiles)
    random.shuffle(other_links)

    one, other = partition(profiles, links, ONE_LOGIN), partition(other_profiles, other_links, ONE_LOGIN)

    assert (one.customer_ids, one.refused) == (other.customer_ids, other.refused)


@given(PROFILES, LINKS)
def test_the_rules_hold_whatever_is_linked(profiles: list[Profile], links: list[Link]) -> None:
    by_id = {one.id: one for one in profiles}
    links = fitting(profiles, links)
    outcome = partition(profiles, links, ONE_LOGIN)

    for customer_id in set(outcome.customer_ids.values()):
        members = [by_id[id] for id, of in outcome.customer_ids.items() if of == customer_id]
        kinds = [one.key.kind for one in members]
        assert min(members, key=lambda one: one.age).id == customer_id
        assert kinds.count("login") <= 1
        assert kinds.count("passport") <= 2
    for one in links:
        joined = outcome.customer_ids[one.profile_ids[0]] == outcome.customer_ids[one.profile_ids[1]]
        assert joined or one.is_retired or one.id in outcome.refused


@given(PROFILES, LINKS, NUMBERS, NUMBERS)
def test_what_a_decision_joined_is_as_before_when_it_is_taken_back(
    profiles: list[Profile], links: list[Link], one: int, other: int
) -> None:
    links = fitting(profiles, links)
    before = partition(profiles, links, ONE_LOGIN)
    if before.customer_ids[UUID(int=one)] == before.customer_ids[UUID(int=other)]:
        return
    decided = link(99, one, other, minutes=20, reason=Reason.DECISION)
    merged = partition(profiles, [*links, decided], ONE_LOGIN)

    after = partition(
        profiles, [*links, link(99, one, other, minutes=20, reason=Reason.DECISION, retired=21)], ONE_LOGIN
    )

    if decided.id not in merged.refused:
        assert merged.customer_ids[UUID(int=one)] == merged.customer_ids[UUID(int=other)]
    assert after.customer_ids == before.customer_ids
