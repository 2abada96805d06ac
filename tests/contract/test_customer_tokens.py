"""The SDK beside a customer's own token, against the real server: it proves one customer, and shows no other."""

from collections.abc import Iterator

import pytest

from steadylight import Assurance, Client, Unauthenticated
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.issuers import IssuerKit


@pytest.fixture(scope="module")
def bank() -> IssuerKit:
    """Whom the customers sign in with; its tokens are for the web channel."""
    return IssuerKit("bank", "CUSTOMER", {"web-shop": "web"})


@pytest.fixture(scope="module")
def house(mongod: EmbeddedDatabase, bank: IssuerKit) -> Iterator[LiveServer]:
    live = LiveServer(settings_for(mongod, issuers=(bank.settings(),)))
    yield live
    live.stop()


@pytest.fixture(scope="module")
def recorded(house: LiveServer) -> None:
    """Two customers, each with one action."""
    with Client(house.url, house.key("desk", "ASSISTED")) as desk:
        for name in ("Ann", "Ben"):
            desk.customer(login=name, assurance="LOGIN").contact(f"call-{name}").record(f"seen.{name.lower()}")


@pytest.mark.usefixtures("recorded")
def test_a_token_proves_what_the_channel_may_not_assert(house: LiveServer, bank: IssuerKit) -> None:
    with Client(house.url, house.key("web", highest="CALLER_ID")) as web:
        ann = web.customer(token=bank.token("Ann")).contact("visit-1").context(within=5)
        plain = web.customer(login="Ann", assurance="LOGIN").contact("visit-2").context(within=5)

    assert (ann.assurance, [action.type for action in ann.actions]) == (Assurance.LOGIN, ["seen.ann"])
    assert (plain.customer, plain.assurance, list(plain.actions)) == (None, Assurance.CLAIMED, [])


@pytest.mark.usefixtures("recorded")
def test_beside_a_token_nobody_else_is_proven(house: LiveServer, bank: IssuerKit) -> None:
    with Client(house.url, house.key("web")) as web:
        visit = web.customer(login="Ben", assurance="LOGIN", token=bank.token("Ann")).contact("visit-3")
        context = visit.context(within=5)

    assert [action.type for action in context.actions] == ["seen.ann"]
    assert [(one.value, one.assurance) for one in context.claims] == [("Ben", Assurance.CLAIMED)]


@pytest.mark.usefixtures("recorded")
def test_a_token_that_was_given_to_another_channel_is_refused(house: LiveServer, bank: IssuerKit) -> None:
    with Client(house.url, house.key("ivr")) as ivr:
        with pytest.raises(Unauthenticated, match="given to the channel web"):
            ivr.customer(token=bank.token("Ann")).contact("call-1").context(within=5)
