"""The thread from the SDK through GraphQL into MongoDB and back, whole."""

from steadylight import Client
from tests.conftest import LiveServer


def test_what_one_channel_records_another_sees(server: LiveServer) -> None:
    with (
        Client(url=server.url, key=server.key("web")) as web,
        Client(url=server.url, key=server.key("contact-centre", "ASSISTED")) as desk,
    ):
        visit = web.customer(login="C-1001", assurance="LOGIN").contact(key="visit-1")
        visit.record("plan.viewed", {"plan": "fibre-500"})
        assert web.flush(5) == 0

        seen = desk.customer(login="C-1001", assurance="LOGIN").contact(key="call-1").context(within=5)

        assert [(one.channel, one.type, one.properties) for one in seen.actions] == [
            ("web", "plan.viewed", {"plan": "fibre-500"})
        ]
        assert [(one.channel, one.key) for one in seen.contacts] == [("web", "visit-1")]
