"""Documents are parsed and validated once, and forgotten in the order of their last use."""

import pytest

from steadylight_server.api import documents
from steadylight_server.api.documents import Refused
from steadylight_server.api.limits import Limits
from steadylight_server.core.errors import Invalid
from tests.server.api.small import TRUSTED, Small


def test_a_document_is_prepared_once(small: Small) -> None:
    first = small.schema.documents.read("{ node { id } }")

    assert small.schema.documents.read("{ node { id } }") is first


def test_a_trusted_document_is_known_by_its_name_and_others_are_not(small: Small) -> None:
    trusted = small.schema.documents.read(TRUSTED)
    other = small.schema.documents.read(TRUSTED + " ")

    assert (trusted.label, other.label) == ("Greet", "other")


def test_the_least_recently_used_is_forgotten_first(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_KEPT", 2)
    one, two = (small.schema.documents.read(text) for text in ("{ a: __typename }", "{ b: __typename }"))

    assert small.schema.documents.read("{ a: __typename }") is one
    small.schema.documents.read("{ c: __typename }")

    assert small.schema.documents.read("{ a: __typename }") is one
    assert small.schema.documents.read("{ b: __typename }") is not two


def test_a_long_document_is_not_kept(small: Small) -> None:
    text = "{ __typename }" + " " * 8_000

    assert small.schema.documents.read(text) is not small.schema.documents.read(text)


def test_an_invalid_document_is_refused_each_time_with_every_error(small: Small) -> None:
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            small.schema.documents.read("{ nothing neither }")

        assert [error.message for error in caught.value.errors] == [
            "Cannot query field 'nothing' on type 'Query'.",
            "Cannot query field 'neither' on type 'Query'.",
        ]


def test_the_operation_is_chosen_by_its_name(small: Small) -> None:
    document = small.schema.documents.read("query A { __typename } query B { __typename }")

    assert document.operation("B").name.value == "B"  # type: ignore[union-attr]
    with pytest.raises(Invalid):
        document.operation(None)
    with pytest.raises(Invalid):
        document.operation("C")


@pytest.mark.parametrize("text", ["{ __typename }", "query Greet { gone }", "{"])
def test_a_trusted_document_must_fit_the_schema_and_have_a_name(small: Small, text: str) -> None:
    with pytest.raises(ValueError, match=r"^A trusted document"):
        documents.Documents(small.schema._schema, Limits(), [text])
