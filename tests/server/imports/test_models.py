"""A map is read, and every fault in it has a line."""

import pytest

from steadylight_server.core.errors import Invalid
from steadylight_server.imports.models import MappedIdentifier, MappedTrait, read_map, with_source

LEAST = "source: crm\nkey: id\n"


def fault(text: str) -> str:
    with pytest.raises(Invalid) as refused:
        read_map(text)
    return refused.value.message


def test_the_least_map_says_source_and_key() -> None:
    map = read_map(LEAST)

    assert (map.source, map.key, map.identifiers, map.traits, map.at, map.revision) == ("crm", ("id",), (), {}, None, 0)
    assert map.columns == {"id"}


def test_it_reads_what_is_mapped() -> None:
    map = read_map(
        """
        source: crm
        key: [branch, id]
        identifiers:
          - {kind: email, column: e-mail, assurance: OTP}
          - kind: person
            columns: [name, born]
            assurance: LOGIN
        traits:
          city: town
          balance: {column: Balance, type: number}
        at: changed
        revision: 3
        """
    )

    assert map.key == ("branch", "id")
    assert map.identifiers == (
        MappedIdentifier(kind="email", column="e-mail", assurance="OTP"),
        MappedIdentifier(kind="person", columns=("name", "born"), assurance="LOGIN"),
    )
    assert map.traits == {"city": MappedTrait(column="town"), "balance": MappedTrait(column="Balance", type="number")}
    assert (map.at, map.revision) == ("changed", 3)
    assert map.columns == {"branch", "id", "e-mail", "name", "born", "town", "Balance", "changed"}


def test_traits_may_be_a_list_of_columns() -> None:
    assert read_map(f"{LEAST}traits: [city, plan]").traits == {
        "city": MappedTrait(column="city"),
        "plan": MappedTrait(column="plan"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: a map is a mapping that begins with `source: NAME`."),
        ("source: crm", "line 1: key: is missing"),
        ("key: id", "line 1: source: is missing"),
        ("source: CRM\nkey: id", "line 1: source: a name has 1 to 50 lower-case letters, digits and hyphens"),
        (f"{LEAST}colour: red", "line 3: colour: nothing is called so here. Is it spelt right?"),
        (f"{LEAST}identifiers:\n  - kind: email\n    column: mail", "line 4: identifiers.0.assurance: is missing"),
        (f"{LEAST}identifiers:\n  - {{kind: email, assurance: OTP}}", "line 4: identifiers.0: give either column or"),
        (
            f"{LEAST}identifiers:\n  - {{kind: email, column: a, columns: [b, c], assurance: OTP}}",
            "line 4: identifiers.0: give either column or columns",
        ),
        (f"{LEAST}identifiers:\n  - {{kind: e mail, column: a, assurance: OTP}}", "line 4: identifiers.0.kind: a name"),
        (f"{LEAST}identifiers:\n  - {{kind: email, column: a, assurance: SURE}}", "line 4: identifiers.0.assurance: "),
        (f"{LEAST}traits:\n  city: town\n  plan: {{type: text}}", "line 5: traits.plan.column: is missing"),
        (f"{LEAST}traits:\n  plan: {{column: a, type: money}}", "line 4: traits.plan.type: Input should be 'text'"),
        (f"{LEAST}traits:\n  a plan: plan", "line 4: traits.a plan: a trait's name has 1 to 100 letters"),
        (f"{LEAST}traits: [city,\n  city]", "line 3: traits: city is here twice"),
        (f"{LEAST}traits: city", "line 3: traits: here belong names, each with what it is"),
        (f"{LEAST}revision: -1", "line 3: revision: Input should be greater than or equal to 0"),
        (f"{LEAST}at: [a]", "line 3: at: Input should be a valid string"),
        (f"{LEAST}key: other", "line 3: key is here twice."),
    ],
)
def test_every_fault_is_told_with_its_line(text: str, said: str) -> None:
    assert fault(text).startswith(said)


def test_all_faults_are_told_at_once() -> None:
    assert [line[:7] for line in fault("source: C\nkey: []\nrevision: x\n").splitlines()] == [
        "line 1:",
        "line 2:",
        "line 3:",
    ]


def test_a_map_has_at_most_9_identifiers_and_50_traits() -> None:
    identifiers = "\n".join(f"  - {{kind: k{n}, column: c, assurance: OTP}}" for n in range(10))
    traits = ", ".join(f"t{n}" for n in range(51))

    assert fault(f"{LEAST}identifiers:\n{identifiers}").startswith("line 3: identifiers: ")
    assert fault(f"{LEAST}traits: [{traits}]").startswith("line 3: traits: ")


def test_a_map_may_be_for_another_source() -> None:
    assert with_source(read_map(LEAST), "old-crm").source == "old-crm"

    with pytest.raises(Invalid, match="'Old CRM' is no name of a source"):
        with_source(read_map(LEAST), "Old CRM")
