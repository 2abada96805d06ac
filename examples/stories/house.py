"""What all stories share: one Steadylight server on a database of its own, and the way its channel apps are started."""

import base64
import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from steadylight import Client, Options

from .stage import App, Stage, free_port, say

HERE = Path(__file__).parents[1]
STEADYLIGHT = (sys.executable, "-m", "steadylight_server.cli")


@dataclass(frozen=True)
class House:
    """A running server, seen by its admin; where the customers' own page and the identity provider are."""

    stage: Stage
    url: str
    admin: Client
    identity: str
    origin: str
    #: What calls of the bank's old system are signed with.
    secret: str
    #: By file.
    running: dict[str, App] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def spool(self) -> Path:
        """Where the apps keep what is undelivered: it goes with the house, not to the user's own state."""
        return self.stage.folder / "spool"

    def serve(self, name: str, file: str, channel: str, kind: str) -> App:
        """A channel app that serves, with a key of its own; the one that runs already, if another story started it."""
        if file not in self.running:
            environment = self._environment(channel, kind)
            self.environments[file] = environment
            self.running[file] = self.stage.start(name, sys.executable, HERE / file, "--port", "0", **environment)
        return self.running[file]

    def start_again(self, name: str, file: str, *arguments: str) -> App:
        """The channel app that runs already once more, beside it, with the same key and other arguments."""
        environment = self.environments[file]
        return self.stage.start(name, sys.executable, HERE / file, "--port", "0", *arguments, **environment)

    def screen(self, name: str, file: str, channel: str, kind: str, *arguments: str) -> str:
        """Runs a channel app that shows one screen and ends. What is on the screen."""
        environment = self._environment(channel, kind)
        return self.stage.run(name, sys.executable, HERE / file, *arguments, **environment)

    def page(self) -> App:
        """Starts the server of the customers' own page, which has no key."""
        given = ("--port", str(urlsplit(self.origin).port), "--steadylight", self.url, "--identity", self.identity)
        return self.stage.start("own page", sys.executable, HERE / "own_page.py", *given)

    def _environment(self, channel: str, kind: str) -> dict[str, str]:
        key = self.admin.register_channel(channel, kind)
        return {"STEADYLIGHT_URL": self.url, "STEADYLIGHT_KEY": key, "STEADYLIGHT_SPOOL": str(self.spool)}


@contextmanager
def opened(on: Stage) -> Iterator[House]:
    """The server, which trusts the identity provider's tokens and lets the customers' page in. Raises Failed."""
    # The server must know both before they run.
    origin, identity = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    given = ("--port", str(urlsplit(identity).port), "--origin", origin)
    provider = on.start("identity provider", sys.executable, HERE / "identity_provider.py", *given)
    issuer = {
        "issuer": identity,
        "role": "CUSTOMER",
        "audiences": {"own-page": None},
        "jwks_url": f"{identity}/jwks.json",
        "algorithms": ["RS256"],
        "subject_claim": "sub",
        "kind": "customer-number",
    }
    data = on.folder / "data"
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    url = on.start(
        "server",
        *(*STEADYLIGHT, "serve", "--port", "0", "--data", data),
        STEADYLIGHT_ISSUERS=json.dumps([issuer]),
        STEADYLIGHT_ALLOWED_ORIGINS=json.dumps([origin]),
        STEADYLIGHT_WEBHOOK_SECRETS=json.dumps({"core-banking": [secret]}),
    ).url()
    made = json.loads(on.run("key add", *STEADYLIGHT, "key", "add", "--admin", "--json", "--data", data))
    say("Server", f"{url}/graphql, on a database of its own in a temporary directory")
    provider.url()
    with Client(url, made["key"], options=Options(spool=None)) as admin:
        yield House(on, url, admin, identity, origin, secret)
