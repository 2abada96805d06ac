"""A web shop: the customer signs in, looks at plans and searches; each step is recorded for the other channels.

Against a server that `make serve` left running:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                  # printed by: steadylight channel add web --kind SELF_SERVICE
    python examples/web_shop.py --port 8100     # then open http://127.0.0.1:8100

What to look at: `who`, which tells the SDK's middleware whose visit a request belongs to, and the `record` calls. The
accounts and the plans are made up.
"""

import argparse
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qs
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from steadylight import AsyncClient, AsyncContact
from steadylight.integrations.starlette import SteadylightMiddleware

PASSWORDS = {"C-1001": "tangerine", "C-1002": "clementine"}
PLANS = {"fibre-100": 24.0, "fibre-500": 34.0, "mobile-20": 12.0}
HELP = ("Moving house", "Roaming charges", "Change of tariff")


@dataclass
class Visit:
    """One browser's visit. `id` names it to other channels; the cookie is a secret, and stays here."""

    customer: str | None = None
    id: str = field(default_factory=lambda: f"visit-{uuid4()}")


VISITS: dict[str, Visit] = {}


def app(light: AsyncClient) -> Starlette:
    """The shop, recording through `light`."""

    def who(connection: HTTPConnection) -> AsyncContact | None:
        visit = VISITS.get(connection.cookies.get("visit", ""))
        if visit is None:
            return None
        # A customer number proves who somebody is where they signed in for it; None is left out.
        return light.customer(customer_number=visit.customer, assurance="LOGIN").contact(key=visit.id)

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        async with light:
            yield

    return Starlette(
        routes=[
            Route("/", home),
            Route("/sign-in", sign_in, methods=["POST"]),
            Route("/plans/{plan}", plan),
            Route("/search", search),
            Route("/sign-out", sign_out, methods=["POST"]),
        ],
        middleware=[Middleware(SteadylightMiddleware, light=light, who=who)],
        lifespan=closing,
    )


async def home(request: Request) -> Response:
    """The plans, a search field, and a way in or out; gives a new browser its cookie."""
    visit = VISITS.get(request.cookies.get("visit", ""))
    door = SIGN_OUT.format(visit.customer) if visit and visit.customer else SIGN_IN
    plans = "".join(f'<li><a href="/plans/{name}">{name}</a></li>' for name in PLANS)
    response = HTMLResponse(f"<h1>Plans</h1><ul>{plans}</ul>{SEARCH}{door}")
    if visit is None:
        _remember(response, Visit())
    return response


async def sign_in(request: Request) -> Response:
    """Checks the password. From here on the visit is a customer's."""
    visit = VISITS.pop(request.cookies.get("visit", ""), None) or Visit()
    form = parse_qs((await request.body()).decode())
    number, password = form.get("customer", [""])[0], form.get("password", [""])[0]
    response = RedirectResponse("/", status_code=303)
    if secrets.compare_digest(PASSWORDS.get(number, ""), password) and password:
        visit.customer = number
        request.state.contact.identify(customer_number=number, assurance="LOGIN")
    _remember(response, visit)  # under a new cookie: who knew the old one has not signed in
    return response


async def plan(request: Request) -> Response:
    """One plan and its price."""
    name = request.path_params["plan"]
    if name not in PLANS:
        return HTMLResponse("<h1>No such plan</h1>", status_code=404)
    request.state.contact.record("plan.viewed", {"plan": name, "price": PLANS[name]}, subject=("plan", name))
    return HTMLResponse(f"<h1>{name}</h1><p>{PLANS[name]:.2f} a month</p>")


async def search(request: Request) -> Response:
    """Pages of the help that have all the words."""
    words = request.query_params.get("q", "")
    found = [title for title in HELP if all(word in title.lower() for word in words.lower().split())]
    request.state.contact.record("help.searched", {"words": words, "found": len(found)})
    return HTMLResponse(f"<h1>{escape(words)}</h1><ul>{''.join(f'<li>{title}</li>' for title in found)}</ul>")


async def sign_out(request: Request) -> Response:
    """Ends the visit, here and for the other channels."""
    VISITS.pop(request.cookies.get("visit", ""), None)
    request.state.contact.end()  # before sign_out(), after which nothing is this customer's
    request.state.contact.sign_out()
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie("visit")
    return response


def _remember(response: Response, visit: Visit) -> None:
    cookie = secrets.token_urlsafe()
    VISITS[cookie] = visit
    response.set_cookie("visit", cookie, httponly=True, samesite="lax")


SEARCH = '<form action="/search"><input name="q" placeholder="Search the help"></form>'
SIGN_IN = (
    '<form action="/sign-in" method="post"><input name="customer" value="C-1001">'
    '<input name="password" type="password"><button>Sign in</button></form>'
)
SIGN_OUT = '<form action="/sign-out" method="post"><p>{}</p><button>Sign out</button></form>'


def main() -> None:
    """Serves the shop on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The web shop of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8100, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The shop is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(AsyncClient()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
