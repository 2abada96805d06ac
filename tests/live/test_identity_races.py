"""Nobody becomes two customers by being seen twice at once, and nobody is taken over by being named."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pymongo
import pytest

from steadylight import Client, NotFound
from steadylight.testing import FAST
from tests.conftest import LiveServer
from tests.factories import action
from tests.live.conftest import Pair
from tests.live.follower import Follower
from tests.live.races import race


def test_one_identifier_seen_by_32_clients_at_once_is_one_customer(pair: Pair) -> None:
    rounds = asyncio.run(race(pair.urls, pair.key, pair.database, rounds=5))

    assert [each for each in rounds if not each.is_one_customer_each(1)] == []


def test_so_are_several_in_batches_that_name_them_in_another_order(pair: Pair) -> None:
    rounds = asyncio.run(race(pair.urls, pair.key, pair.database, rounds=2, names=5))

    assert [each for each in rounds if not each.is_one_customer_each(5)] == []


CONTEXT = """query($input: ContextInput!) {
  context(input: $input) {
    customer { id } assurance claims { kind value assurance } actions { id type } contacts { id key }
  }
}"""
CUSTOMER = "query($by: CustomerBy!) { customer(by: $by) { id actions { edges { node { type } } } } }"
NODE = "query($id: ID!) { node(id: $id) { id } }"


class Stranger:
    """A channel that states somebody's e-mail address without proof, and asks in every way there is."""

    def __init__(self, server: LiveServer, email: str, assurance: str) -> None:
        self._url, self._key = server.url, server.key("ivr")
        self._light = Client(self._url, self._key, options=FAST)
        self._identifier = {"kind": "email", "value": email, "assurance": assurance}
        self.email = email

    def record(self, contact: str) -> None:
        """Something, in a contact of the stranger's own."""
        mine = action(self._identifier, type="stranger.called", contact=contact)
        assert self._light.deliver([mine]).stored == 1
        assert self._light.deliver([action(self._identifier)]).refused == 1

    def sees(self, contact: str) -> list[str]:
        """The types of all actions that the contexts show; they must be of nobody."""
        who = self._light.customer(assurance=self._identifier["assurance"], email=self.email).contact(contact)
        document = who.context(within=5)
        given = {"identifiers": [self._identifier], "contact": contact}
        typed = self._light.graphql(CONTEXT, {"input": given})["context"]
        assert (document.customer, document.identifiers, document.assurance) == (None, (), "CLAIMED")
        assert (typed["customer"], typed["assurance"]) == (None, "CLAIMED")
        assert [each["value"] for each in typed["claims"]] == [each.value for each in document.claims] == [self.email]
        assert [each["type"] for each in typed["actions"]] == [each.type for each in document.actions]
        assert {each["key"] for each in typed["contacts"]} <= {contact}
        return [each.type for each in document.actions]

    def finds_nobody(self) -> None:
        """By no identifier: neither the address, however written, nor what stands for a contact within."""
        personas = [{"kind": "contact:persona", "value": f"{channel}/visit-1"} for channel in ("ivr", "web")]
        spelt = [self._identifier, {**self._identifier, "value": f" {self.email.upper()}"}]
        for identifier in (*spelt, *({**one, "assurance": "LOGIN"} for one in personas)):
            with pytest.raises(NotFound):
                self._light.graphql(CUSTOMER, {"by": {"identifier": identifier}})

    def follows_nobody(self) -> None:
        """Not as it happens either."""

        async def follow() -> dict[str, Any]:
            async with Follower.at(self._url, self._key) as follower:
                await follower.follow({"identifier": self._identifier})
                return await follower.heard()

        heard = asyncio.run(follow())
        assert heard["type"] in ("error", "next")
        errors = heard["payload"] if heard["type"] == "error" else heard["payload"]["errors"]
        assert [each["extensions"]["code"] for each in errors] == ["NOT_FOUND"]

    def close(self) -> None:
        self._light.close(0)


@pytest.fixture(params=["CLAIMED", "CALLER_ID", "KNOWLEDGE"])
def stranger(request: pytest.FixtureRequest, shared_server: LiveServer) -> Iterator[Stranger]:
    """Who names an address that nobody used before, with every assurance below its bar."""
    stranger = Stranger(shared_server, f"ann-{uuid4().hex[:8]}@example.org", request.param)
    yield stranger
    stranger.close()


def everything_of(database: pymongo.database.Database[Any], email: str) -> dict[str, list[dict[str, Any]]]:
    """All that is stored of the customer of that address, as it is stored."""
    found = list(database.identifiers.find({"kind": "email", "value": email}))
    homes = {"$in": [one["profile_id"] for one in found]}
    return {
        "identifiers": found,
        "profiles": list(database.profiles.find({"_id": homes})),
        "actions": list(database.actions.find({"profile_id": homes}, sort=[("_id", 1)])),
        "contacts": list(database.contacts.find({"profile_id": homes}, sort=[("_id", 1)])),
    }


def test_naming_an_address_takes_nothing_before_its_owner_comes(shared_server: LiveServer, stranger: Stranger) -> None:
    visit = f"visit-{uuid4()}"

    stranger.record(visit)

    assert everything_of(shared_server.database, stranger.email) == {
        "identifiers": [],
        "profiles": [],
        "actions": [],
        "contacts": [],
    }
    assert stranger.sees(visit) == ["stranger.called"]
    assert stranger.sees("another") == []
    stranger.finds_nobody()
    stranger.follows_nobody()


def test_naming_an_address_shows_and_changes_nothing_of_its_owner(
    shared_server: LiveServer, stranger: Stranger
) -> None:
    before_login, after_login, first_login = (f"visit-{uuid4()}" for _ in range(3))
    by = {"by": {"identifier": {"kind": "email", "value": stranger.email, "assurance": "OTP"}}}
    stranger.record(before_login)

    with Client(shared_server.url, shared_server.key("web"), options=FAST) as owner:
        own = owner.customer(email=stranger.email, assurance="OTP").contact(first_login)
        own.record("owner.came")
        first = own.context(within=5)
        customer = owner.graphql(CUSTOMER, by)["customer"]
        stored = everything_of(shared_server.database, stranger.email)

        stranger.record(after_login)
        stranger.record(first_login)
        seen = [stranger.sees(contact) for contact in (before_login, after_login, first_login, "another")]
        stranger.finds_nobody()
        stranger.follows_nobody()
        again = own.context(within=5)

        assert [each.type for each in first.actions] == ["owner.came"]
        assert [(each.channel, each.key) for each in first.contacts] == [("web", first_login)]
        assert seen == [["stranger.called"], ["stranger.called"], ["stranger.called"], []]
        assert everything_of(shared_server.database, stranger.email) == stored
        assert (again.customer, again.identifiers, again.claims) == (first.customer, first.identifiers, ())
        assert (again.actions, again.contacts) == (first.actions, first.contacts)
        assert owner.graphql(CUSTOMER, by)["customer"] == customer
        assert owner.graphql(NODE, {"id": customer["id"]})["node"] == {"id": first.customer}


def test_the_owner_s_followers_hear_nothing_of_strangers(shared_server: LiveServer, stranger: Stranger) -> None:
    key = shared_server.key("web")
    by = {"identifier": {"kind": "email", "value": stranger.email, "assurance": "OTP"}}
    with Client(shared_server.url, key, options=FAST) as owner:
        own = owner.customer(email=stranger.email, assurance="OTP").contact("first-login")
        own.record("owner.came")
        owner.flush(5)

        async def listen() -> list[str]:
            async with Follower.at(shared_server.url, key) as follower:
                await follower.follow(by)
                # What is recorded from when the subscription is open on is heard; until then it is recorded again.
                heard: list[str] = []
                while not heard:
                    await asyncio.to_thread(stranger.record, f"visit-{uuid4()}")
                    own.record("owner.acted")
                    owner.flush(5)
                    try:
                        heard.append((await asyncio.wait_for(follower.activity(), 0.5))["type"])
                    except TimeoutError:
                        continue
                await asyncio.to_thread(stranger.record, f"visit-{uuid4()}")
                own.record("owner.left")
                owner.flush(5)
                while heard[-1] != "owner.left":
                    heard.append((await follower.activity())["type"])
                return heard

        heard = asyncio.run(listen())

    assert set(heard) == {"owner.acted", "owner.left"}
