"""Journeys when the server is away, and what an app does not see of them."""

from dataclasses import replace

import pytest

from steadylight import NotFound, Unreachable
from steadylight.testing import FAST, Server


def test_a_server_that_is_away_is_no_error_for_who_asks() -> None:
    server = Server()
    with server.client("web") as web, server.client("sms") as sms:
        web.customer(login="C-1", assurance="LOGIN").contact(key="w").journey("add-broadband").answer("postcode", "SW1")
        web.flush(5)
        contact = sms.customer(login="C-1", assurance="LOGIN").contact(key="s")
        journey = contact.journey("add-broadband")
        server.down()

        known, unknown = journey.ask("postcode"), journey.ask("speed")
        journey.answer("speed", 500)
        told = journey.ask("speed")
        with pytest.raises(Unreachable):
            contact.journey("add-broadband")
        with pytest.raises(Unreachable):
            journey.complete()

        server.up()
        assert sms.flush(5) == 0

    assert (known.known, known.value, known.stale) == (True, "SW1", True)
    assert (unknown.known, unknown.value, unknown.stale) == (False, None, True)
    assert (told.known, told.value, told.stale) == (True, 500, False)
    asked = [one.properties for one in server.actions if one.type == "journey.asked"]
    assert asked == [{"question": "postcode", "known": True, "use": "USE"}, {"question": "speed", "known": False}]


def test_what_was_taken_back_is_not_known_while_the_server_is_away() -> None:
    server = Server()
    with server.client("web") as web:
        contact = web.customer(login="C-1", assurance="LOGIN").contact(key="w")
        contact.journey("add-broadband").answer("postcode", "SW1")
        journey = contact.journey("add-broadband")
        journey.answer("postcode", None)
        server.down()

        assert not journey.ask("postcode").known


@pytest.mark.parametrize(
    "body", [b"{}", b'{"data": {"askQuestion": null}}', b'{"data": {"askQuestion": {"answer": 7}}}', b"<html>"]
)
def test_garbage_from_the_server_is_no_error_for_who_asks(body: bytes) -> None:
    server = Server()
    with server.client("web") as web:
        journey = web.customer(login="C-1", assurance="LOGIN").contact(key="w").journey("add-broadband")
        server.fail(200, body=body)

        assert journey.ask("postcode").stale


def test_a_lost_answer_is_asked_for_again_and_done_once() -> None:
    server = Server()
    with server.client("web", options=replace(FAST, backoff_base=0.001)) as web:
        contact = web.customer(login="C-1", assurance="LOGIN").contact(key="w")
        server.fail(503, times=2)
        journey = contact.journey("add-broadband", within=5)
        server.fail(503)

        assert journey.advance("plan", within=5)
        assert not journey.resumed
    assert [one.type for one in server.actions] == ["journey.started", "journey.advanced"]


def test_a_journey_that_is_not_there_is_told_as_such() -> None:
    server = Server()
    with server.client("web") as web:
        journey = web.customer(login="C-1", assurance="LOGIN").contact(key="w").journey("add-broadband")
        stranger = web.customer(login="C-2", assurance="LOGIN").contact(key="x").journey("move")
        journey._state = stranger.state

        with pytest.raises(NotFound):
            journey.ask("postcode")


def test_a_representation_shows_no_answer() -> None:
    server = Server()
    with server.client("web") as web:
        journey = web.customer(login="C-1", assurance="LOGIN").contact(key="w").journey("add-broadband", "order-7")
        journey.answer("iban", "DE02")

    assert repr(journey) == "Journey(type='add-broadband', key='order-7', status='OPEN')"
