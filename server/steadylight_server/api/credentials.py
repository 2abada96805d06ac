"""Looks at the headers of a request, or of a WebSocket's handshake, and says who asks.

    Authorization          Bearer, then a channel's or admin's key, or a front end's token
    Cookie                 of a sign-in link, where there is no Authorization; from this server's own pages only
    Steadylight-Customer   a customer's token, beside a channel's key
    Steadylight-Reason     why an employee looks, in words; percent-encoded UTF-8 where it is not ASCII
    Steadylight-Contact    the key of the contact that an agent is in

`connection_init` may carry the same names in its payload, since browsers cannot set headers on a WebSocket.
"""

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.requests import HTTPConnection

from steadylight_server.access.models import Viewer
from steadylight_server.api.info import Context, Services
from steadylight_server.core.errors import Forbidden, Invalid, Unauthenticated

HEADERS = ("authorization", "steadylight-customer", "steadylight-reason", "steadylight-contact")
# Browsers send a cookie of this prefix only over TLS (or to this machine), and only to the very host that set it.
COOKIE = "__Host-steadylight"

_LONGEST_REASON = 200
_LONGEST_CONTACT = 128


async def who_asks(connection: HTTPConnection) -> Context:
    """Nobody in particular where there is no credential at all.

    Raises Unauthenticated for one that is no good, Forbidden for a cookie on the way from a foreign page, RateLimited.
    """
    services: Services = connection.app.state.services
    context = Context(
        services,
        await _viewer(connection, services),
        reason=_text(connection.headers, "steadylight-reason", _LONGEST_REASON),
        contact=_text(connection.headers, "steadylight-contact", _LONGEST_CONTACT),
    )
    await context.begin()
    return context


async def _viewer(connection: HTTPConnection, services: Services) -> Viewer | None:
    header = connection.headers.get("authorization")
    customer = connection.headers.get("steadylight-customer")
    cookie = connection.cookies.get(COOKIE)
    if header is not None:
        scheme, _, credential = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the key as `Authorization: Bearer <key>`.")
        credential = credential.strip()
        is_token = credential.count(".") == 2
        viewer = await (services.gate.token(credential) if is_token else services.gate.key(credential))
    elif cookie is not None:
        must_be_our_page(connection)
        viewer = await services.gate.session(cookie)
    elif customer is not None:
        raise Unauthenticated("Steadylight-Customer goes beside a channel's key in Authorization.")
    else:
        return None
    return viewer if customer is None else await services.gate.for_customer(viewer, customer)


def must_be_our_page(connection: HTTPConnection) -> None:
    """Raises Forbidden unless the browser says that a page of this very server sends this."""
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    # A browser that does not say the one, as for WebSockets, says the other of whatever can do harm.
    is_ours = site == "same-origin" if site is not None else origin is not None
    if origin is not None and not _leads_here(origin, connection):
        is_ours = False
    if not is_ours:
        raise Forbidden(
            "A signed-in browser may ask from this server's own pages only; elsewhere send a key or a token."
        )


def _leads_here(origin: str, connection: HTTPConnection) -> bool:
    """Whether a page of that origin is this server's. Where this came over TLS, one that did not is none of ours."""
    scheme, _, host = origin.lower().partition("://")
    is_weaker = scheme == "http" and connection.scope["scheme"] in ("https", "wss")
    return host != "" and host == connection.headers.get("host", "").lower() and not is_weaker


def _text(headers: Mapping[str, str], name: str, longest: int) -> str | None:
    """Raises Invalid for what no audit should hold."""
    text = unquote(headers.get(name, "")).strip()
    if len(text) > longest or not text.isprintable():
        raise Invalid(f"{name.title()}: at most {longest} printable characters.")
    return text or None
