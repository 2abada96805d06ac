"""A capability that a system of the company's own implements, behind a signed webhook.

The body is the same in every attempt, byte for byte, so that a receiver may compare what comes with one key:

    {"type": "statement.view",
     "data": {"performance": "prf_…", "key": "view-2026-10", "input": {…}, "channel": "web", "assurance": "LOGIN",
              "customer": {"id": "cus_…", "identifiers": [{"kind": "customer-number", "value": "77"}]}}}

`Idempotency-Key` is the deed's own among all customers', as is `webhook-id`; `data.key` is what the channels call it,
which another customer's deed may be called, too.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import orjson

from steadylight_server.capabilities.models import (
    MOST_MESSAGE,
    PREFIX,
    Answer,
    Call,
    Failed,
    Implementation,
    NotDone,
    Tell,
    Unknown,
    WebhookBinding,
)
from steadylight_server.core.http import Http
from steadylight_server.core.signatures import key
from steadylight_server.core.webhook import Rejected, Undone, Unsure, Webhook

# Of the time in which an answer is awaited: given up before that is over, it is said what is known by then.
_IN_TIME = 0.95
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


class WebhookImplementation:
    """A capability behind a webhook."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    @property
    def honours_keys(self) -> bool:
        """As the blueprint says of the receiver."""
        return self._webhook.honours_keys

    @property
    def unavailable(self) -> str | None:
        """Says that it does not answer, while its circuit is open."""
        return "The system behind it does not answer now." if self._webhook.is_open else None

    async def __call__(self, call: Call, tell: Tell) -> Answer:
        """What the receiver answers. Raises Failed, Unknown, NotDone. How far it has come is told by the receiver."""
        id = f"{PREFIX}{call.performance_id.hex}"
        try:
            told = await self._webhook.call(id, call.key, _body(id, call), seconds=call.timeout * _IN_TIME)
        except Rejected as error:
            raise Failed(error.code, error.message[:MOST_MESSAGE]) from error
        except Unsure as error:
            raise Unknown(str(error)) from error
        except Undone as error:
            raise NotDone(str(error)) from error
        return Answer(output=told.output, handle=told.handle)

    async def close(self) -> None:
        """Gives the connections back."""
        await self._webhook.close()


class Webhooks:
    """Makes one implementation of each webhook that a blueprint names, and keeps it: its circuit too. To be closed."""

    def __init__(self, http: Http, secrets: Mapping[str, Sequence[str]], *, http_hosts: Sequence[str] = ()) -> None:
        """`secrets` by name, each to be signed with; plain http is for this machine and `http_hosts`."""
        self._http = http
        self._secrets = secrets
        self._http_hosts = _THIS_MACHINE.union(http_hosts)
        self._made: dict[WebhookBinding, WebhookImplementation] = {}

    def __call__(self, binding: WebhookBinding, timeout: timedelta) -> Implementation:
        """The same for the same binding; each call says its timeout. Raises ValueError where it may not be called."""
        if binding not in self._made:
            self._made[binding] = self._make(binding)
        return self._made[binding]

    async def close(self) -> None:
        """Gives all connections back."""
        for implementation in self._made.values():
            await implementation.close()

    def _make(self, binding: WebhookBinding) -> WebhookImplementation:
        where = urlsplit(binding.url)
        secrets = self._secrets.get(binding.secret, ())
        if not secrets:
            raise ValueError(f"STEADYLIGHT_WEBHOOK_SECRETS has no {binding.secret!r}")
        if where.scheme != "https" and (where.scheme != "http" or where.hostname not in self._http_hosts):
            raise ValueError("its address is not https, and its host is not in STEADYLIGHT_WEBHOOK_HTTP_HOSTS")
        # For logs and metrics: which system, and what of it. Neither host nor query is anybody's business there.
        name = f"{binding.secret}{where.path}"
        line = self._http.line(binding.url, keeps=binding.honours_keys)
        webhook = Webhook(name, line, [key(secret) for secret in secrets], honours_keys=binding.honours_keys)
        return WebhookImplementation(webhook)


def _body(id: str, call: Call) -> bytes:
    data = {
        "performance": id,
        "key": call.given_key,
        "input": dict(call.input),
        "channel": call.channel,
        "assurance": call.assurance.name,
        "customer": {
            "id": call.customer.id,
            "identifiers": [{"kind": one.kind, "value": one.value} for one in call.customer.identifiers],
        },
    }
    return orjson.dumps({"type": call.capability, "data": data}, option=orjson.OPT_SORT_KEYS)
