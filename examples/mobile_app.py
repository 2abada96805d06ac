"""The back end of a mobile app: what the home screen says and offers depends on what happened in other channels.

Against a server that `make serve` left running:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                 # printed by: steadylight channel add app --kind SELF_SERVICE
    python examples/mobile_app.py --port 8300  # then be the app, see examples/README.md

What to look at: `home`, which asks for the context with a deadline and shows a plain home screen if there is none, and
`open_complaint`, which reads in it what a phone adviser wrote up. The accounts and the offers are made up.
"""

import argparse
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight import Action, AsyncClient, AsyncContact, SteadylightError

ACCOUNTS = {"C-1001": ("tangerine", "Mara"), "C-1002": ("clementine", "Tom")}
# What each offer is about: nobody is offered what they complain of.
OFFERS = {"Roaming pack, 9.90 a week": "roaming", "A second SIM card, 5.00 a month": "sim"}

SESSIONS: dict[str, tuple[str, AsyncContact]] = {}


def open_complaint(actions: Sequence[Action]) -> Action | None:
    """The latest complaint whose case nobody has closed."""
    closed = {action.subject for action in actions if action.type == "case.closed"}
    complaints = (action for action in actions if action.type == "complaint.made")
    return next((made for made in complaints if made.subject not in closed), None)  # the latest comes first


def when(at: datetime, now: datetime) -> str:
    """As one says it: the time alone if it was today."""
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%H:%M on %A}"


def app(light: AsyncClient) -> Starlette:
    """What the app on the telephone talks to."""

    async def sign_in(request: Request) -> Response:
        """`{"customer": "C-1002", "password": …}`. A session for the app to send with each request."""
        told = await request.json()
        password, _ = ACCOUNTS.get(told["customer"], ("", ""))
        if not password or not secrets.compare_digest(password, told["password"]):
            return JSONResponse({"error": "That is not the password."}, status_code=401)
        session = secrets.token_urlsafe()
        contact = light.customer(customer_number=told["customer"], assurance="LOGIN").contact(key=f"app-{uuid4()}")
        contact.record("app.opened")
        SESSIONS[session] = told["customer"], contact
        return JSONResponse({"session": session})

    async def home(request: Request) -> Response:
        """The home screen: a greeting, and what to offer."""
        session = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if session not in SESSIONS:
            return JSONResponse({"error": "Sign in first."}, status_code=401)
        customer, contact = SESSIONS[session]
        greeting, about = f"Hello {ACCOUNTS[customer][1]}.", None
        try:
            context = await contact.context(within=2)
        except SteadylightError as error:
            print(f"No context: {error}", flush=True)
        else:
            if complaint := open_complaint(context.actions):
                about = complaint.properties["about"]
                greeting += f" We are working on your {about} complaint of {when(complaint.at, context.at)}."
        offers = [offer for offer, subject in OFFERS.items() if subject != about]
        contact.record("offers.shown", {"offers": offers})
        return JSONResponse({"greeting": greeting, "offers": offers})

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        async with light:
            yield

    routes = [Route("/sign-in", sign_in, methods=["POST"]), Route("/home", home)]
    return Starlette(routes=routes, lifespan=closing)


def main() -> None:
    """Serves the app's back end on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The mobile app's back end of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8300, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The app is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(AsyncClient()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
