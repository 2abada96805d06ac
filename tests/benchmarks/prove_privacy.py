"""Two customers' real browsers send 200 random queries each, with each other's ids: neither gets a byte of the other.

The queries are drawn over the whole schema, subscriptions and the recording of actions included; their arguments are
drawn from what belongs to the asker, from what it may have got hold of about the other, and from nonsense.
"""

import json
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.browser import CHROMIUM, chromium
from tests.issuers import IssuerKit
from tests.live.couple import Couple, InBrowser
from tests.live.processes import ServerProcess, keys

from .figures import Figures

TIMES = 200
NAME = "steadylight"


def prove(figures: Figures) -> None:
    """Notes how much each heard of itself, and of the other."""
    assert CHROMIUM, "the customers' browsers are Chromium, which is not installed"
    kit = IssuerKit("id", "CUSTOMER", {"web-page": "web"})
    with tempfile.TemporaryDirectory(prefix="steadylight-privacy-") as made, ExitStack() as stack:
        folder = Path(made)
        mongod = stack.enter_context(EmbeddedDatabase.start(folder / "data"))
        given = {
            "STEADYLIGHT_MONGODB_URI": mongod.uri,
            "STEADYLIGHT_DATABASE": NAME,
            "STEADYLIGHT_ISSUERS": json.dumps([kit.settings().model_dump(mode="json")]),
            "STEADYLIGHT_RATE_PER_CUSTOMER": "unlimited",
        }
        server = ServerProcess(folder / "log", "--port", 0, **given)
        stack.callback(server.stop)
        channels = keys(mongod.uri, NAME, web="SELF_SERVICE", desk="ASSISTED")
        couple = stack.enter_context(closing(Couple(server.url, channels, kit)))
        pages = []
        for number, token in enumerate(couple.tokens):
            profile = folder / f"browser-{number}"
            profile.mkdir()
            pages.append(InBrowser(stack.enter_context(chromium(profile)), server.url, token))
        couple.ask((pages[0], pages[1]), times=TIMES)
    figures.note("queries that each browser sent", couple.answers / 2, exactly=TIMES)
    figures.note("answers that held something of the asker's own", couple.own, at_least=TIMES / 5)
    figures.note("answers that repeated what the asker itself had said of the other", couple.echoes)
    figures.note("bytes of the other seen", sum(len(leak) for _, leak in couple.leaks), "bytes", at_most=0)
