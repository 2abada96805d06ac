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
from urllib.parse import SplitResult, urlsplit

import orjson
import structlog

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

log = structlog.get_logger("steadylight.capabilities")

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


class NotSetUp:
    """A capability whose webhook this server may not call, or for which it knows no secret."""

    honours_keys = False
    unavailable = "The system behind it is not set up on this server."

    async def __call__(self, call: Call, tell: Tell) -> Answer:
        """Raises NotDone."""
        raise NotDone(self.unavailable)


class Webhooks:
    """Makes one implementation of each webhook that a blueprint names, and keeps it: its circuit too. To be closed."""

    def __init__(self, http: Http, secrets: Mapping[str, Sequence[str]], *, http_hosts: Sequence[str] = ()) -> None:
        """`secrets` by name, each to be signed with; plain http is for this machine and `http_hosts`."""
        self._http = http
        self._secrets = secrets
        self._http_hosts = _THIS_MACHINE.union(http_hosts)
        self._made: dict[WebhookBinding, Implementation] = {}
        self._webhooks: list[Webhook] = []

    def __call__(self, binding: WebhookBinding, timeout: timedelta) -> Implementation:
        """The same for the same binding. The timeout comes with each call."""
        if binding not in self._made:
            self._made[binding] = self._make(binding)
        return self._made[binding]

    async def close(self) -> None:
        """Gives all connections back."""
        for webhook in self._webhooks:
            await webhook.close()

    def _make(self, binding: WebhookBinding) -> Implementation:
        where = urlsplit(binding.url)
        # For logs and metrics: which system, and what of it. Neither host nor query are anybody's business there.
        name = f"{binding.secret}{where.path}"
        secrets = self._secrets.get(binding.secret, ())
        if fault := self._fault(where, secrets):
            log.error("a webhook is not set up", webhook=name, why=fault)
            return NotSetUp()
        line = self._http.line(binding.url, keeps=binding.honours_keys)
        webhook = Webhook(name, line, [key(secret) for secret in secrets], honours_keys=binding.honours_keys)
        self._webhooks.append(webhook)
        return WebhookImplementation(webhook)

    def _fault(self, where: SplitResult, secrets: Sequence[str]) -> str | None:
        if not secrets:
            return "STEADYLIGHT_WEBHOOK_SECRETS has no secret of that name"
        if where.scheme == "https" or (where.scheme == "http" and where.hostname in self._http_hosts):
            return None
        return "its address is not https, and its host is not in STEADYLIGHT_WEBHOOK_HTTP_HOSTS"


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
