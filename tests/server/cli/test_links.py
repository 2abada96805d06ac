"""`steadylight admin link`, `agent link` and `session`."""

import getpass
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from steadylight_server.access.service import AccessService
from steadylight_server.access.store import AccessStore
from steadylight_server.cli.links import sign_in_url
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import Unauthenticated
from steadylight_server.core.mongo import Database

from .conftest import Steadylight

LINK = r"/sign-in#sll_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"

pytestmark = pytest.mark.usefixtures("environment")


def opened(link: str) -> str:
    """The session's id; as the server does when somebody clicks the link."""

    async def run() -> str:
        settings = Settings()
        assert settings.mongodb_uri is not None
        database = Database(settings.mongodb_uri, settings.database)
        try:
            access = AccessService(AccessStore(database), Audit(AuditStore(database)))
            return (await access.sign_in(link.partition("#")[2]))[0].id
        finally:
            await database.close()

    return anyio.run(run)


def audited(steadylight: Steadylight) -> list[tuple[str, str]]:
    """Deeds and what they were done to, oldest first."""
    entries: list[dict[str, Any]] = steadylight.json("audit", "list")
    return [(one["deed"], one["why"]) for one in sorted(entries, key=lambda one: one["sequence"])]


def test_an_admins_link_signs_in_once(steadylight: Steadylight) -> None:
    made = steadylight.json("admin", "link", "ann", "--url", "https://light.example.com/")

    expires = datetime.fromisoformat(made.pop("expires_at"))
    session = opened(made["link"])

    assert re.fullmatch(rf"https://light\.example\.com{LINK}", made.pop("link"))
    assert made == {"name": "ann", "role": "ADMIN"}
    assert timedelta(minutes=59) < expires - datetime.now(UTC) <= timedelta(hours=1)
    assert [(one["id"], one["role"], one["name"], one["channel"]) for one in steadylight.json("session", "list")] == [
        (session, "ADMIN", "ann", None)
    ]


def test_a_link_that_was_used_is_used_up(steadylight: Steadylight) -> None:
    link = steadylight.json("admin", "link")["link"]
    opened(link)

    with pytest.raises(Unauthenticated):
        opened(link)


def test_whoever_runs_it_is_the_admin_on_this_machine(
    steadylight: Steadylight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYLIGHT_PORT", "8123")

    made = steadylight.json("admin", "link")
    said = steadylight("admin", "link").stdout

    assert made["name"] == getpass.getuser()
    assert re.fullmatch(rf"http://127\.0\.0\.1:8123{LINK}", made["link"])
    assert said.startswith(
        f"Signs {getpass.getuser()} in as an admin, once, within an hour:\n\n    http://127.0.0.1:8123/"
    )


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("10.0.0.5", "http://10.0.0.5:8000"),
    ],
)
def test_the_link_leads_to_where_the_server_is_reached(
    host: str, url: str, steadylight: Steadylight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYLIGHT_HOST", host)

    assert steadylight.json("admin", "link")["link"].startswith(f"{url}/sign-in#sll_")


def test_an_agents_link_is_for_a_channel(steadylight: Steadylight) -> None:
    steadylight("channel", "add", "desk", "--kind", "assisted")

    made = steadylight.json("agent", "link", "A. Singh", "--channel", "desk")
    session = opened(made["link"])
    said = steadylight("agent", "link", "b.osei").stdout

    assert (made["name"], made["role"]) == ("A. Singh", "AGENT")
    assert said.startswith("Signs b.osei in as an agent, once, within an hour:\n\n    http://")
    (shown,) = steadylight.json("session", "list")
    assert (shown["id"], shown["role"], shown["name"], shown["channel"]) == (session, "AGENT", "A. Singh", "desk")
    assert shown["last_used_at"] is None
    assert "A. Singh" in steadylight("session", "list").stdout


def test_a_session_is_ended(steadylight: Steadylight) -> None:
    first, second = (opened(steadylight.json("admin", "link", name)["link"]) for name in ("ann", "bob"))

    ended = steadylight.json("session", "end", first)
    left = steadylight.json("session", "list")
    said = steadylight("session", "end", second).stdout

    assert ended == {"ended": first}
    assert [one["id"] for one in left] == [second]
    assert said == f"Session {second} is over.\n"
    assert steadylight("session", "list").stdout == "Nobody is signed in.\n"
    assert steadylight.json("session", "list") == []


def test_links_and_sessions_are_audited_by_their_ids(steadylight: Steadylight) -> None:
    link = steadylight.json("admin", "link", "ann")["link"]
    session = opened(link)
    steadylight("session", "end", session)

    assert audited(steadylight) == [
        ("link.added", f"{link.partition('#')[2].split('_')[1]} of ann"),
        ("session.added", f"{session} of ann"),
        ("session.revoked", session),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("agent", "link"), 2, "Missing argument"),
        (("admin", "link", "--url", "light.example.com"), 2, "Write it like https://light.example.com."),
        (("agent", "link", " "), 1, "A name has 1 to 100 printable characters"),
        (("agent", "link", "a\nb"), 1, "A name has 1 to 100 printable characters"),
        (("agent", "link", "x" * 101), 1, "A name has 1 to 100 printable characters"),
        (("agent", "link", "a.singh", "--channel", "shop"), 1, "There is no channel called shop."),
        (("session", "end", "0123456789ab"), 1, "There is no key or session with the id 0123456789ab."),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], code: int, told: str, steadylight: Steadylight
) -> None:
    assert told in steadylight(*arguments, code=code).stderr


def test_the_secret_stands_where_no_browser_sends_it() -> None:
    assert sign_in_url("https://light.example.com/", "sll_x") == "https://light.example.com/sign-in#sll_x"
