"""Who looks at an article, and what there is to tell viewers apart by."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

LOCALES = ("en", "de", "de-CH", "fr")
CHANNELS = {"web": "SELF_SERVICE", "ivr": "AUTOMATED_AGENT", "desk": "ASSISTED"}
SEGMENTS = ("gold", "silver", "student")
PRODUCTS = ("loan", "card")
REGIONS = ("north", "south")
TARIFFS = ("max", "mini", "extra")
LEVELS = ("CLAIMED", "CALLER_ID", "KNOWLEDGE", "OTP", "LOGIN", "IN_PERSON")
_BAR = LEVELS.index("OTP")  # of a login, below which nobody is anybody


@dataclass(frozen=True)
class Eyes:
    """Who looks. `is_employee` in an ASSISTED channel only; `level` is how sure the channel is of the customer."""

    channel: str
    is_employee: bool
    locale: str | None
    traits: Mapping[str, Any] = field(default_factory=dict)
    level: str = "LOGIN"

    @property
    def seen(self) -> "Eyes":
        """What may be gone by. Only where employees serve customers does anybody come in person; and of whom the
        channel is not sure enough, nothing is known.
        """
        if self.level == "IN_PERSON" and CHANNELS[self.channel] != "ASSISTED":
            return replace(self, level="LOGIN")
        return self if LEVELS.index(self.level) >= _BAR else replace(self, traits={}, level=LEVELS[0])


def _named(names: tuple[str, ...]) -> st.SearchStrategy[str | list[str]]:
    """One of them, as a text, or several, as a list."""
    return st.sampled_from(names) | st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)


_traits = st.fixed_dictionaries(
    {},
    optional={
        "segment": _named(SEGMENTS),
        "product": _named(PRODUCTS),
        "region": _named(REGIONS),
        "age": st.sampled_from([7, 17, 18, 40]),
        "tariff": st.sampled_from(TARIFFS),
        "member": st.booleans(),
    },
)


def _of(channel: str, is_employee: bool, locale: str | None, traits: Mapping[str, Any], level: str) -> Eyes:
    return Eyes(channel, is_employee and CHANNELS[channel] == "ASSISTED", locale, traits, level)


eyes = st.builds(
    _of,
    st.sampled_from(list(CHANNELS)),
    st.booleans(),
    st.sampled_from([None, *LOCALES, "de-AT", "pt-BR"]),
    _traits,
    st.sampled_from(["LOGIN", "LOGIN", "OTP", "OTP", *LEVELS]),
)
