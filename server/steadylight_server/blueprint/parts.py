"""What the sections of a blueprint are made of."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,4}[smhd]$")]
Label = Annotated[str, StringConstraints(max_length=200)]


class Closed(BaseModel):
    """Nothing but what is declared, and nobody changes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def span(text: str) -> timedelta:
    """How long a Duration is: `30m`, `12h`, `2d`."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
