"""Parity in the graph: where channels differ in what they offer, and what customers do who meet such a gap."""

from datetime import datetime, timedelta
from typing import Annotated

import strawberry

from steadylight_server.api.enums import CapabilityParity
from steadylight_server.api.info import Info
from steadylight_server.capabilities.parity import Cell, Row
from steadylight_server.core.clock import in_milliseconds
from steadylight_server.core.errors import Invalid
from steadylight_server.insights.models import Met
from steadylight_server.insights.service import MOST_GAPS, WITHIN


@strawberry.type(description="What one channel makes of one capability.")
class ParityCell:
    cell: strawberry.Private[Cell]

    @strawberry.field(description="The channel.")
    def channel(self) -> str:
        return self.cell.channel

    @strawberry.field(description="What it makes of it.")
    def parity(self) -> CapabilityParity:
        return self.cell.parity

    @strawberry.field(description="Why, where it is LIMITED or NOT_FEASIBLE.")
    def reason(self) -> str | None:
        return self.cell.reason or None


@strawberry.type(description="One capability in all channels.")
class ParityRow:
    row: strawberry.Private[Row]

    @strawberry.field(description="The capability's name.")
    def capability(self) -> str:
        return self.row.capability

    @strawberry.field(description="What people call it.")
    def label(self) -> str | None:
        return self.row.label or None

    @strawberry.field(description="A cell for each channel, by name.")
    def cells(self) -> list[ParityCell]:
        return [ParityCell(cell=cell) for cell in self.row.cells]


@strawberry.type(description="To which channel customers changed.")
class ChannelChange:
    channel: str = strawberry.field(description="The channel.")
    times: int = strawberry.field(description="How often; once for each time that somebody came there.")


@strawberry.type(description="A gap, how often customers met it, and what they did next.")
class GapMet:
    met: strawberry.Private[Met]

    @strawberry.field(description="What they wanted.")
    def capability(self) -> str:
        return self.met.capability

    @strawberry.field(description="Where they did not get it.")
    def channel(self) -> str:
        return self.met.channel

    @strawberry.field(description="Why not: NOT_FEASIBLE, ASSURANCE_TOO_LOW, or what the channel said.")
    def why(self) -> str:
        return self.met.why

    @strawberry.field(description="How often it was met.")
    def times(self) -> int:
        return self.met.times

    @strawberry.field(description="How many customers met it.")
    def customers(self) -> int:
        return self.met.customers

    @strawberry.field(description="How many of them were seen in another channel soon after.")
    def changed(self) -> int:
        return self.met.changed

    @strawberry.field(description="In which, the most frequent first.")
    def changes(self) -> list[ChannelChange]:
        return [ChannelChange(channel=channel, times=times) for channel, times in self.met.changes.items()]


@strawberry.type(description="Where channels differ in what they offer, and what it does to customers.")
class ParityReport:
    capabilities: list[ParityRow] = strawberry.field(description="What the blueprint declares, by name.")
    gaps: list[GapMet] = strawberry.field(description="The gaps that were met, the most frequent first.")
    since: datetime = strawberry.field(description="Since when gaps are counted.")
    within: float = strawberry.field(description="How many seconds after a gap somebody counts as having changed.")
    is_complete: bool = strawberry.field(
        description=f"False where more than {MOST_GAPS:,} gaps were met: then the latest are counted."
    )


@strawberry.type
class ParityQueries:
    """The report."""

    @strawberry.field(
        description="Which capability is offered in which channel and why not in others; which gaps customers met, and "
        "to which channel they went."
    )
    async def parity(
        self,
        info: Info,
        since: Annotated[
            datetime | None,
            strawberry.argument(description="Since when gaps are counted; the last 30 days, if left out."),
        ] = None,
        within: Annotated[
            float,
            strawberry.argument(
                description="How many seconds after a gap somebody counts as having changed; a day at most."
            ),
        ] = WITHIN.total_seconds(),
    ) -> ParityReport:
        try:
            soon = timedelta(seconds=within)
        except (OverflowError, ValueError):
            raise Invalid("within: a number of seconds.") from None
        since = since and in_milliseconds(since)
        report = await info.context.services.insights.parity(since=since, within=soon)
        return ParityReport(
            capabilities=[ParityRow(row=row) for row in report.rows],
            gaps=[GapMet(met=met) for met in report.met],
            since=report.since,
            within=report.within.total_seconds(),
            is_complete=report.is_complete,
        )
