"""Which capability is offered in which channel, as the blueprint declares it, and where it says nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from steadylight_server.capabilities.models import Capability


class Parity(StrEnum):
    """What a channel makes of a capability."""

    AVAILABLE = "AVAILABLE"
    LIMITED = "LIMITED"
    NOT_FEASIBLE = "NOT_FEASIBLE"
    UNDECLARED = "UNDECLARED"  # it is offered, since nobody said otherwise; whether that is so, nobody said either


@dataclass(frozen=True)
class Cell:
    """One capability in one channel. The reason is there where it is LIMITED or NOT_FEASIBLE."""

    channel: str
    parity: Parity
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One capability in all channels, by their names."""

    capability: str
    label: str
    cells: tuple[Cell, ...]


def matrix(capabilities: Mapping[str, Capability], channels: Collection[str]) -> list[Row]:
    """A row for each capability by name, with a cell for each of the channels, and for those that it names itself."""
    named = {channel for one in capabilities.values() for channel in one.channels}
    columns = sorted(named.union(channels))
    return [
        Row(name, capabilities[name].label, tuple(_cell(capabilities[name], channel) for channel in columns))
        for name in sorted(capabilities)
    ]


def _cell(capability: Capability, channel: str) -> Cell:
    if (binding := capability.channels.get(channel)) is None:
        return Cell(channel, Parity.UNDECLARED)
    return Cell(channel, Parity(binding.offer), binding.reason)
