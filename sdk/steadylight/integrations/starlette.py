"""For Starlette and FastAPI: a contact bound to each request, and a flush when the app shuts down.

from starlette.requests import HTTPConnection
from steadylight import AsyncClient
from steadylight.integrations.starlette import SteadylightMiddleware

light = AsyncClient()

def who(connection: HTTPConnection):
    session = connection.session
    return light.customer(login=session.get("user"), assurance="LOGIN").contact(key=session["id"])

app.add_middleware(SteadylightMiddleware, light=light, who=who)

# in an endpoint
request.state.contact.record("plan.viewed", {"plan": plan})
"""

import inspect
import logging
from collections.abc import Awaitable, Callable

import anyio.to_thread
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .._async_client import AsyncClient, AsyncContact
from .._client import Client, Contact

__all__ = ["SteadylightMiddleware", "Who"]

log = logging.getLogger("steadylight")

_Found = Contact | AsyncContact | None

#: Reads from the request whose contact it is; None where there is nothing to go by. May be async.
Who = Callable[[HTTPConnection], _Found | Awaitable[_Found]]


class SteadylightMiddleware:
    """Sets `request.state.contact`, always: a nameless contact where `who` gives None or raises.

    Place it inside of what `who` reads, such as SessionMiddleware. At shutdown everything recorded is flushed, for at
    most `flush_timeout` seconds; the client stays open, since it is the app's.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        light: Client | AsyncClient,
        who: Who,
        flush_timeout: float = 2.0,
    ) -> None:
        self.app = app
        self._light = light
        self._who = who
        self._flush_timeout = flush_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._flushing(send))
            return
        scope.setdefault("state", {})["contact"] = await self._contact(HTTPConnection(scope))
        await self.app(scope, receive, send)

    async def _contact(self, connection: HTTPConnection) -> Contact | AsyncContact:
        try:
            found = self._who(connection)
            contact = await found if inspect.isawaitable(found) else found
        except Exception:  # A page must not fail because nobody can say whose visit it is.
            log.exception("who() raised; the request goes on with a nameless contact")
            contact = None
        return self._light.contact() if contact is None else contact

    def _flushing(self, send: Send) -> Send:
        async def flushed(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                if isinstance(self._light, AsyncClient):
                    await self._light.flush(self._flush_timeout)
                else:
                    await anyio.to_thread.run_sync(self._light.flush, self._flush_timeout)
            await send(message)

        return flushed
