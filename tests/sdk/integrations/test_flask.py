"""The integration, in a small app; served by gunicorn in tests/live."""

import pytest
from flask import Flask, Request

from steadylight import Client, Contact
from steadylight.integrations.flask import Who, contact, init_app
from steadylight.testing import Server


def app(light: Client, who: Who) -> Flask:
    app = Flask("shop")
    init_app(app, light=light, who=who)

    @app.get("/plan/<plan>")
    def view(plan: str) -> str:
        contact.record("plan.viewed", {"plan": plan})
        contact.record("plan.rated")
        return contact.key

    @app.get("/health")
    def health() -> str:
        return "well"

    return app


def test_a_request_has_its_contact(server: Server) -> None:
    with server.client() as light:
        asked: list[str] = []

        def who(request: Request) -> Contact:
            asked.append(request.path)
            return light.customer(login=request.headers["user"], assurance="LOGIN").contact(request.headers["visit"])

        browser = app(light, who).test_client()
        assert browser.get("/health").text == "well"
        assert browser.get("/plan/fibre", headers={"user": "C-1", "visit": "s-1"}).text == "s-1"
        assert browser.get("/plan/cable", headers={"user": "C-2", "visit": "s-2"}).text == "s-2"

    told = [(action.contact, action.identifiers[0].value, action.type) for action in server.actions]
    assert told == [
        ("s-1", "C-1", "plan.viewed"),
        ("s-1", "C-1", "plan.rated"),
        ("s-2", "C-2", "plan.viewed"),
        ("s-2", "C-2", "plan.rated"),
    ]
    assert asked == ["/plan/fibre", "/plan/cable"]


def test_a_visit_of_nobody_has_a_nameless_contact(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def broken(request: Request) -> Contact:
        raise KeyError("user")

    with server.client() as light:
        for who in (broken, lambda request: None):
            assert app(light, who).test_client().get("/plan/fibre").status_code == 200

    assert [action.identifiers for action in server.actions] == [()] * 4
    assert len({action.contact for action in server.actions}) == 2
    assert "who() raised" in caplog.text


def test_outside_of_a_request_there_is_no_contact() -> None:
    with pytest.raises(RuntimeError, match="init_app"):
        contact.record("a.b")
