"""A cash machine: a card and its PIN, notes go in, and every other channel knows at once.

Against a server that `make serve` left running:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                   # printed by: steadylight channel add cash-machine --kind SELF_SERVICE
    python examples/cash_machine.py --port 8400  # then be its slots and keys, see examples/README.md

What to look at: `card`, where a PIN is worth KNOWLEDGE and no more, and `deposit`. The card's own number and the PIN
stay in the bank: Steadylight is told the customer number, and the card's last four digits. Cards and customers are
made up.
"""

import argparse
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight import Client, Contact

MACHINE = "CM-17, Harbour Street"
# By card number: the PIN, the customer, the account.
CARDS = {"5300000000004711": ("4921", "C-1003", "001-77"), "5300000000004822": ("1860", "C-1004", "001-91")}
NOTES = ("5", "10", "20", "50", "100")

SESSIONS: dict[str, tuple[Contact, str, str]] = {}
Event = Callable[[Client, str, dict[str, Any]], dict[str, Any]]


def card(light: Client, id: str, told: dict[str, Any]) -> dict[str, Any]:
    """`{"card": …, "pin": …}`. A right PIN shows that somebody knows it, which is less than signing in."""
    pin, customer, account = CARDS.get(told["card"], ("", "", ""))
    if not pin or not secrets.compare_digest(pin, told["pin"]):
        return {"screen": "Wrong PIN."}
    contact = light.customer(customer_number=customer, assurance="KNOWLEDGE").contact(key=id)
    contact.record("card.inserted", {"machine": MACHINE, "card": f"…{told['card'][-4:]}"})
    SESSIONS[id] = contact, account, told["card"][-4:]
    return {"screen": "Welcome. Put in your notes."}


def deposit(light: Client, id: str, told: dict[str, Any]) -> dict[str, Any]:
    """`{"notes": {"20": 5, "10": 2}}`. The receipt."""
    contact, account, last = SESSIONS[id]
    amount = sum((Decimal(note) * told["notes"].get(note, 0) for note in NOTES), Decimal(0))
    facts = {"amount": f"{amount:.2f}", "currency": "EUR", "machine": MACHINE, "card": f"…{last}"}
    contact.record("deposit.made", facts, subject=("account", account))
    light.flush(2)  # before the receipt is out: the customer may be at the counter in a moment
    return {"screen": f"{facts['amount']} EUR on account {account}. Thank you."}


def leave(light: Client, id: str, told: dict[str, Any]) -> dict[str, Any]:
    """`{}`. The card comes out."""
    SESSIONS.pop(id)[0].end("RESOLVED")
    return {"screen": "Take your card."}


def app(light: Client) -> Starlette:
    """The machine's slots and keys, which post what happens and show what they are answered."""

    def answering(event: Event) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            id = request.path_params["id"]
            if event is not card and id not in SESSIONS:
                return JSONResponse({"screen": "Put in your card."}, status_code=404)
            return JSONResponse(await anyio.to_thread.run_sync(event, light, id, await request.json()))

        return answer

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        yield
        light.close()

    events: dict[str, Event] = {"card": card, "deposit": deposit, "leave": leave}
    routes = [Route(f"/sessions/{{id}}/{name}", answering(event), methods=["POST"]) for name, event in events.items()]
    return Starlette(routes=routes, lifespan=closing)


def main() -> None:
    """Serves customers on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The cash machine of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8400, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The machine is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(Client()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
