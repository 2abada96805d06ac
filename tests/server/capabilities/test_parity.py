"""The matrix says of each capability and channel what the blueprint says, and where it says nothing."""

from steadylight_server.capabilities.models import Binding, Capability, FunctionBinding, Offer
from steadylight_server.capabilities.parity import Cell, Parity, Row, matrix


def capability(name: str, **channels: Binding) -> Capability:
    return Capability(name, FunctionBinding(name), label=name.title(), channels=channels)


def test_each_cell_is_what_was_declared_with_its_reason() -> None:
    limited, none = Binding(Offer.LIMITED, "the last one only"), Binding(Offer.NOT_FEASIBLE, "nobody can read there")
    declared = {
        "statement.view": capability("statement.view", web=Binding(), ivr=limited),
        "plan.change": capability("plan.change", ivr=none, sms=none),
    }

    rows = matrix(declared, ["web", "ivr", "branch"])

    assert rows == [
        Row(
            "plan.change",
            "Plan.Change",
            (
                Cell("branch", Parity.UNDECLARED),
                Cell("ivr", Parity.NOT_FEASIBLE, "nobody can read there"),
                Cell("sms", Parity.NOT_FEASIBLE, "nobody can read there"),
                Cell("web", Parity.UNDECLARED),
            ),
        ),
        Row(
            "statement.view",
            "Statement.View",
            (
                Cell("branch", Parity.UNDECLARED),
                Cell("ivr", Parity.LIMITED, "the last one only"),
                Cell("sms", Parity.UNDECLARED),
                Cell("web", Parity.AVAILABLE),
            ),
        ),
    ]


def test_without_capabilities_there_is_nothing_to_compare() -> None:
    assert matrix({}, ["web"]) == []
