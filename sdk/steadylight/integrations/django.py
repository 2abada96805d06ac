"""For Django: a contact bound to each request, as `request.contact`.

# settings.py
MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware", "shop.channel.steadylight"]

# shop/channel.py
from django.http import HttpRequest
from steadylight import Client
from steadylight.integrations.django import middleware

light = Client()

def who(request: HttpRequest):
    return light.customer(login=request.user.username or None, assurance="LOGIN").contact(key=request.session["visit"])

steadylight = middleware(light=light, who=who)

# in a view
request.contact.record("plan.viewed", {"plan": plan})
"""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.functional import SimpleLazyObject

from .._async_client import AsyncClient, AsyncContact
from .._client import Client, Contact

__all__ = ["Who", "middleware"]

log = logging.getLogger("steadylight")

#: Reads from the request whose contact it is; None where there is nothing to go by.
Who = Callable[[HttpRequest], Contact | AsyncContact | None]
_View = Callable[[HttpRequest], Any]


def middleware(*, light: Client | AsyncClient, who: Who) -> Callable[[_View], _View]:
    """A middleware, for synchronous and asynchronous views, that sets `request.contact` on each request.

    It is a nameless contact where `who` gives None or raises. `who` is asked when a view first uses the contact, so
    that requests which record nothing cost nothing. Place it behind what `who` reads.
    """

    @sync_and_async_middleware
    def bound(get_response: _View) -> _View:
        if inspect.iscoroutinefunction(get_response):

            async def respond_later(request: HttpRequest) -> HttpResponseBase:
                _bind(request, light, who)
                answer: Awaitable[HttpResponseBase] = get_response(request)
                return await answer

            return respond_later

        def respond(request: HttpRequest) -> HttpResponseBase:
            _bind(request, light, who)
            answer: HttpResponseBase = get_response(request)
            return answer

        return respond

    decorated: Callable[[_View], _View] = bound
    return decorated


def _bind(request: Any, light: Client | AsyncClient, who: Who) -> None:
    request.contact = SimpleLazyObject(lambda: _found(request, light, who))


def _found(request: HttpRequest, light: Client | AsyncClient, who: Who) -> Contact | AsyncContact:
    try:
        found = who(request)
    except Exception:  # A page must not fail because nobody can say whose visit it is.
        log.exception("who() raised; the request goes on with a nameless contact")
        found = None
    return light.contact() if found is None else found
