"""Which values of identifiers stand for somebody, and how they are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.identity.kinds import DECLARED
from steadylight_server.identity.values import COMMON, Normaliser, Reading, Values, email, exact, folded, phone

READERS = {normaliser: Values(normaliser, "GB") for normaliser in Normaliser}
OF_KIND = {kind.name: kind.values for kind in DECLARED}

NOBODY = [
    *("null", "NULL", " Null ", '"null"', "undefined", "None", "nil", "NaN", "0", "-1", "n/a", "N/A", "unknown"),
    *("anonymous", "ANONYMOUS", "guest", "test", "[object Object]", "test@test.com", "test@example.com", ""),
    *(" ", "-", "--", "()", "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}"),
    *("ffffffff-ffff-ffff-ffff-ffffffffffff", "0" * 32, "000", "000-00-0000", "99999999", "111-11-1111", "00:00:00:00"),
    *("{{ user.id }}", "${userId}", "%USER_ID%", "%s", "[[id]]", "*|EMAIL|*", "<%= id %>", "???", "xxxxx"),
]
SOMEBODY = [
    *("C-1001", "1", "77", "1111", "10000", "0000001", "ann", "Nulla", "guesthouse", "testarossa", "-10", "f", "%"),
    *("00000000-0000-0000-0000-000000000001", "ann@example.org", "f00f", "123456789"),
]


@pytest.mark.parametrize("kind", [*OF_KIND, "undeclared"])
@pytest.mark.parametrize("value", NOBODY)
def test_some_values_stand_for_nobody_whatever_the_kind(kind: str, value: str) -> None:
    assert OF_KIND.get(kind, Values()).read(value) == Reading(exact(value), is_somebody=False)


@pytest.mark.parametrize("value", SOMEBODY)
def test_others_stand_for_somebody(value: str) -> None:
    assert Values().read(value) == Reading(value, is_somebody=True)
    assert Values(Normaliser.FOLDED).read(value) == Reading(value.casefold(), is_somebody=True)


def test_the_list_is_written_as_it_is_compared() -> None:
    assert [value for value in COMMON if value != folded(value)] == []


@pytest.mark.parametrize(
    ("given", "normal"),
    [("  C-1001\n", "C-1001"), ("Zoe\u0301", "Zo\u00e9"), ("c-1001", "c-1001")],
)
def test_exact_is_the_value_as_it_came(given: str, normal: str) -> None:
    assert exact(given) == normal


def test_folded_is_without_case() -> None:
    assert folded(" STRASSE") == folded("straße") == "strasse"


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (" Ann@Example.ORG", "ann@example.org"),
        ("ann+news@example.org", "ann+news@example.org"),
        ("ann@xn--strae-oqa.example", "ann@straße.example"),
        ("ann@STRAßE.example", "ann@straße.example"),
        ("ann@strasse.example", "ann@strasse.example"),
        ("Zoe\u0301@example.org", "zo\u00e9@example.org"),
        ("ann", None),
        ("ann@", None),
        ("ann@example", None),
        ("Ann <ann@example.org>", None),
        ("ann@example.org, bob@example.org", None),
        ("ann@[127.0.0.1]", None),
        ("ann@nowhere.invalid", None),
        ("", None),
    ],
)
def test_an_address_is_a_mailbox_without_case_or_none(given: str, normal: str | None) -> None:
    assert email(given) == normal


@pytest.mark.parametrize(
    ("given", "region", "normal"),
    [
        ("+44 20 7946 0000", None, "+442079460000"),
        ("+44 (0)20 7946-0000", None, "+442079460000"),
        ("tel:+44-20-7946-0000", None, "+442079460000"),
        ("020 7946 0000", "GB", "+442079460000"),
        ("0044 20 7946 0000", "GB", "+442079460000"),
        ("+49 30 901820", "GB", "+4930901820"),
        ("+39 06 698 1234", None, "+39066981234"),
        ("020 7946 0000", None, None),
        ("442079460000", None, None),
        ("+44 20", None, None),
        ("+44 20 7946 0000 0000 000", None, None),
        ("7946 0000", "GB", None),
        ("+44 20 7946 0000 ext. 5", None, None),
        ("+44 20 7946 0000#5", None, None),
        ("+1-800-FLOWERS", None, None),
        ("call me", "GB", None),
        ("", "GB", None),
    ],
)
def test_a_telephone_number_is_e164_or_none(given: str, region: str | None, normal: str | None) -> None:
    assert phone(given, region) == normal


def test_what_is_none_of_its_kind_is_kept_as_it_came() -> None:
    assert READERS[Normaliser.EMAIL].read(" Ann at Example ") == Reading("Ann at Example", is_somebody=False)
    assert READERS[Normaliser.PHONE].read("ask Ann") == Reading("ask Ann", is_somebody=False)


@pytest.mark.parametrize(
    "value", ["noreply@example.org", "No-Reply@example.org", "test@shop.example", "donotreply@x.de"]
)
def test_a_mailbox_that_nobody_reads_is_nobodys(value: str) -> None:
    assert not OF_KIND["email"].read(value).is_somebody


@pytest.mark.parametrize("value", ["+44 11111111", "+1 555 555 5555", "+33 1 11 11 11 11", "+442000000000"])
def test_a_number_of_one_digit_is_nobodys(value: str) -> None:
    assert not OF_KIND["phone"].read(value).is_somebody


def test_a_kind_blocks_values_and_patterns_of_its_own() -> None:
    values = Values(blocked=["Walk-In"], blocked_patterns=["TMP-.*"])

    assert not values.read("walk-in").is_somebody
    assert not values.read(" tmp-4711").is_somebody
    assert values.read("walk-ins").is_somebody
    assert values.read("no-tmp-4711").is_somebody


def test_a_blocked_value_is_blocked_however_it_is_spelt() -> None:
    values = Values(Normaliser.PHONE, "GB", blocked=["020 7946 0000"])

    assert not values.read("+44 20 7946 0000").is_somebody
    assert not values.read("(020) 7946-0000").is_somebody
    assert values.read("020 7946 0001").is_somebody


def test_a_kind_may_allow_what_is_blocked_elsewhere() -> None:
    values = Values(allowed=["Guest", "77777"], blocked=["77778"])

    assert values.read("guest").is_somebody
    assert values.read("77777").is_somebody
    assert not values.read("anonymous").is_somebody


def test_what_would_read_otherwise_the_second_time_is_nobodys() -> None:
    longer = "\u0130" * 100 + "@b.example"  # in small letters it is too long for a mailbox

    assert email(longer) is not None
    assert not READERS[Normaliser.EMAIL].read(longer).is_somebody


printable = st.text(max_size=20)
addresses = st.builds("{}@{}.example".format, printable, printable) | st.emails()
numbers = st.from_regex(r"(\+|00|0)?[0-9 ()/-]{3,16}", fullmatch=True)


@given(st.sampled_from(Normaliser), printable | addresses | numbers | st.sampled_from(NOBODY + SOMEBODY))
def test_reading_what_was_read_changes_nothing(normaliser: Normaliser, value: str) -> None:
    read = READERS[normaliser].read(value)

    assert READERS[normaliser].read(read.value) == read
