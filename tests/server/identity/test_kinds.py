"""What each kind of identifier is good for, and where an action is at home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.kinds import DECLARED, Kind, Kinds
from steadylight_server.identity.models import PERSONA, Home, Identifier, Key
from steadylight_server.identity.values import Normaliser

KINDS = Kinds()
levels = st.sampled_from(Assurance)
names = st.sampled_from([*(kind.name for kind in DECLARED), "caller_id", "loyalty-card", PERSONA])
written = [" A ", "+44 20", "\u00c9", "E\u0301", "NULL", "+44 (0)20 7946 0000", "Ann@Example.org", "\u0130@b.example"]
identifiers = st.builds(Identifier, names, st.text(max_size=12) | st.sampled_from(written), levels)
# A value of each kind that stands for somebody.
GOOD = {"email": "ann@example.org", "phone": "+442079460000"}
homes = st.lists(identifiers, max_size=6)


def home(*given: Identifier, channel: str = "web", contact: str | None = None) -> Home | None:
    return KINDS.home(given, channel=channel, contact=contact)


def test_the_declared_kinds_and_their_bars() -> None:
    assert [(kind.name, kind.bar) for kind in sorted(DECLARED, key=lambda kind: kind.priority)] == [
        ("record", Assurance.LOGIN),
        ("login", Assurance.OTP),
        ("customer-number", Assurance.KNOWLEDGE),
        ("account", Assurance.KNOWLEDGE),
        ("email", Assurance.OTP),
        ("phone", Assurance.OTP),
        ("device", None),
        ("cookie", None),
    ]


@pytest.mark.parametrize("kind", [kind for kind in DECLARED if kind.bar is not None])
@pytest.mark.parametrize("assurance", Assurance)
def test_an_identifier_proves_from_its_bar_on(kind: Kind, assurance: Assurance) -> None:
    assert kind.bar is not None

    found = home(Identifier(kind.name, GOOD.get(kind.name, "C-1"), assurance))

    assert (found is not None) == (assurance >= kind.bar)


@pytest.mark.parametrize("kind", ["device", "cookie"])
def test_a_shared_thing_never_says_who_somebody_is(kind: str) -> None:
    assert home(Identifier(kind, "family-tablet", Assurance.IN_PERSON)) is None


def test_an_undeclared_kind_counts_from_a_login_on_and_is_exact() -> None:
    assert home(Identifier("caller_id", "Caller 90", Assurance.OTP)) is None

    found = home(Identifier("caller_id", " Caller 90", Assurance.LOGIN))

    assert found is not None
    assert found.key == Key("caller_id", "Caller 90")


@pytest.mark.parametrize("assurance", Assurance)
def test_nobody_can_speak_for_a_contact_that_is_not_theirs(assurance: Assurance) -> None:
    assert home(Identifier(PERSONA, "web/visit-1", assurance)) is None

    found = home(Identifier(PERSONA, "web/visit-1", assurance), channel="ivr", contact="call-1")

    assert found is not None
    assert found.key == Key(PERSONA, "ivr/call-1")


def test_no_declared_kind_has_the_form_of_a_personas() -> None:
    assert ":" in PERSONA
    assert not [kind.name for kind in DECLARED if ":" in kind.name]


def test_what_stands_for_nobody_is_a_claim_and_is_told() -> None:
    login = Identifier("login", " NULL", Assurance.LOGIN)
    phone = Identifier("phone", "ring me", Assurance.OTP)
    nothing = Identifier("device", " \t", Assurance.CLAIMED)
    card = Identifier("loyalty-card", "9", Assurance.LOGIN)

    assert home(login) is None
    assert home(phone) is None
    found = home(login, phone, nothing, card)

    claims = [login._replace(value="NULL"), phone, nothing._replace(value="")]
    assert found == Home(Key("loyalty-card", "9"), [card], claims, tuple(claims))
    assert home(login, contact="visit-1") == Home(Key(PERSONA, "web/visit-1"), [], claims[:1], tuple(claims[:1]))


def test_a_login_is_one_for_each_customer_and_of_the_others_there_is_any_number() -> None:
    assert KINDS.most == {"login": 1}
    assert Kinds([Kind("badge", Assurance.LOGIN, 1, most=3), Kind("email", Assurance.OTP, 2)]).most == {"badge": 3}


def test_whoever_holds_the_kinds_sees_a_new_declaration_at_once() -> None:
    kinds = Kinds()
    national = Identifier("phone", "020 7946 0000", Assurance.OTP)
    before = kinds.home([national], channel="ivr", contact=None)

    kinds.declare([Kind("phone", Assurance.OTP, 1, Normaliser.PHONE, region="GB")])
    found = kinds.home([national], channel="ivr", contact=None)

    assert before is None
    assert found is not None
    assert found.key == Key("phone", "+442079460000")
    assert [kind.name for kind in kinds.declared] == ["phone"]
    assert kinds.most == {}


def test_a_kind_that_is_shared_has_no_bar() -> None:
    assert [kind.name for kind in DECLARED if kind.shared] == ["device", "cookie"]


def test_a_kind_keeps_its_values_alike() -> None:
    assert KINDS.of("email").normalise(" Ann@Example.ORG") == "ann@example.org"
    assert KINDS.of("phone").normalise("ring me") == "ring me"
    assert KINDS.of("phone").normalise(" ") == ""


def test_the_best_of_several_is_the_home_and_the_rest_keep_their_order() -> None:
    phone = Identifier("phone", "+44 20 7946 0000", Assurance.OTP)
    login = Identifier("login", "C-1", Assurance.LOGIN)
    claim = Identifier("email", "Ann@Example.org", Assurance.CLAIMED)
    unknown = Identifier("loyalty-card", "9", Assurance.LOGIN)

    found = home(claim, unknown, phone, login, contact="visit-1")

    assert found == Home(
        Key("login", "C-1"),
        proven=[login, phone._replace(value="+442079460000"), unknown],
        claims=[claim._replace(value="ann@example.org")],
    )
    assert found.assurance is Assurance.LOGIN


def test_of_one_kind_the_first_by_value_is_the_home() -> None:
    one, other = (Identifier("account", value, Assurance.KNOWLEDGE) for value in ("1", "2"))

    assert home(one, other) == home(other, one)
    assert home(one, other) == Home(Key("account", "1"), [one, other], [])


def test_a_contact_without_proof_is_its_own_persona() -> None:
    claim = Identifier("login", "C-1", Assurance.CLAIMED)

    assert home(claim, contact="visit-1") == Home(Key(PERSONA, "web/visit-1"), [], [claim])
    assert home(contact="visit-1") == Home(Key(PERSONA, "web/visit-1"), [], [])
    assert home(claim) is None
    assert home() is None


def test_without_proof_nothing_is_sure() -> None:
    found = home(Identifier("login", "C-1", Assurance.KNOWLEDGE), contact="visit-1")

    assert found is not None
    assert found.assurance is Assurance.CLAIMED


def test_a_company_may_declare_its_own_kinds() -> None:
    kinds = Kinds([Kind("badge", Assurance.CALLER_ID, 1, Normaliser.FOLDED)])

    found = kinds.home([Identifier("badge", "AB", Assurance.CALLER_ID)], channel="door", contact=None)

    assert found is not None
    assert found.key == Key("badge", "ab")
    assert kinds.of("login").bar is Assurance.LOGIN


@given(homes, st.none() | st.just("visit-1"))
def test_where_an_action_belongs_follows_from_what_is_stored(given: list[Identifier], contact: str | None) -> None:
    found = home(*given, contact=contact)
    if found is None:
        return

    again = home(*found.proven, *found.claims, contact=contact)

    assert again == found


@given(homes.flatmap(lambda given: st.tuples(st.just(given), st.permutations(given))), st.none() | st.just("visit-1"))
def test_the_order_of_identifiers_makes_no_difference(
    orders: tuple[list[Identifier], list[Identifier]], contact: str | None
) -> None:
    one, other = (home(*given, contact=contact) for given in orders)

    assert (one and one.key) == (other and other.key)
    assert one is None or other is None or sorted(one.proven) == sorted(other.proven)
