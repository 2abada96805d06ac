"""Signing in with a link from the command line: no password is ever set, so none can be guessed or forgotten.

    GET  /sign-in#<secret>    a page whose script posts what stands behind the #, which no browser sends and no log sees
    POST /sign-in             {"link": "<secret>"}: uses the link up and sets the cookie
    POST /sign-out            ends the session, on every server

The cookie is Secure, HttpOnly and SameSite=Strict, and is over when the session is. Browsers keep it over TLS, and on
the very machine that the server runs on. A link that a mail scanner or a preview fetches is not used up by that.
"""

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from steadylight_server.access.service import SESSION_LASTS
from steadylight_server.api.credentials import COOKIE, must_be_our_page
from steadylight_server.api.info import Services
from steadylight_server.core.errors import Invalid

_MOST_BYTES = 1_000

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Steadylight</title>
<link rel="icon" href="data:,">
<script src="sign-in.js" defer></script>
</head>
<body>
<h1>Steadylight</h1>
<p id="told" role="status">Signing in…</p>
<noscript><p>This page needs JavaScript.</p></noscript>
</body>
</html>
"""
# The secret leaves the address before it is used, so that it stays in no history.
_SCRIPT = """"use strict";
const told = document.getElementById("told");
const link = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

async function signIn() {
  if (!link) {
    told.textContent = "You need a sign-in link. On the server run: steadylight admin link";
    return;
  }
  const answer = await fetch("sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ link }),
  });
  if (!answer.ok) {
    told.textContent = (await answer.json()).errors[0].message;
    return;
  }
  const who = await fetch("graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: "{ viewer { role } }" }),
  });
  if (who.ok) {
    location.replace("graphiql");
  } else {
    told.textContent = "The link was good, but your browser does not keep the cookie: it does so over https only.";
  }
}

signIn().catch(() => { told.textContent = "The server does not answer. Ask for a new link, and try again."; });
"""


def routes() -> Sequence[BaseRoute]:
    """The page, its script, and what it posts to."""
    return [
        Route("/sign-in", _page, methods=["GET"]),
        Route("/sign-in.js", _script, methods=["GET"]),
        Route("/sign-in", _sign_in, methods=["POST"]),
        Route("/sign-out", _sign_out, methods=["POST"]),
    ]


async def _page(request: Request) -> Response:
    return HTMLResponse(_PAGE, headers=_HEADERS)


async def _script(request: Request) -> Response:
    return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)


async def _sign_in(request: Request) -> Response:
    """Raises Unauthenticated for a link that is no good, Forbidden for a foreign page, Invalid."""
    must_be_our_page(request)
    services: Services = request.app.state.services
    _, secret = await services.access.sign_in(_link(await _body(request)))
    response = Response(status_code=204, headers=_HEADERS)
    response.set_cookie(
        COOKIE, secret, max_age=int(SESSION_LASTS.total_seconds()), secure=True, httponly=True, samesite="strict"
    )
    return response


async def _sign_out(request: Request) -> Response:
    """Raises Unauthenticated for who is not signed in, Forbidden for a foreign page."""
    must_be_our_page(request)
    services: Services = request.app.state.services
    viewer = await services.gate.session(request.cookies.get(COOKIE, ""))
    assert viewer.credential is not None
    await services.access.revoke(viewer.credential, by=viewer.described())
    response = Response(status_code=204, headers=_HEADERS)
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
    return response


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise Invalid("That is more than a link.")
    return body


def _link(body: bytes) -> str:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    link = given.get("link") if isinstance(given, dict) else None
    if not isinstance(link, str):
        raise Invalid('Post {"link": "<what stands behind the # of a sign-in link>"}.')
    return link
