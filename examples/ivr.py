"""An interactive voice response: the telephone network posts what happens in a call, and does what it is answered.

Against a server that `make serve` left running:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...               # printed by: steadylight channel add ivr --kind AUTOMATED_AGENT
    python examples/ivr.py --port 8200       # then be the telephone network, see examples/README.md

What to look at: `call_begins`, where a caller's number is a claim that shows nothing, and `code_keyed`, from which on
the same contact is a customer's. An answer is JSON: `say` is read to the caller, `sms` is sent, `transfer` hands the
call to an agent. The customers' phones are made up; their numbers are kept free for drama by the British regulator.
"""

import argparse
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight import Client, Contact, Context, SteadylightError

PHONES = {"C-1001": "+447700900123", "C-1002": "+447700900456"}


@dataclass
class Call:
    """A call under way: the contact it is to Steadylight, and how far the caller has proven who they are."""

    contact: Contact
    claimed: str | None = None
    code: str | None = None
    customer: str | None = None


CALLS: dict[str, Call] = {}
Event = Callable[[Client, str, dict[str, Any]], dict[str, Any]]


def call_begins(light: Client, id: str, told: dict[str, Any]) -> dict[str, Any]:
    """`{"caller": "+44..."}`. Anybody can forge a caller's number, so Steadylight shows nothing for it."""
    call = CALLS[id] = Call(light.customer(phone=told["caller"], assurance="CALLER_ID").contact(key=id))
    call.contact.record("call.began", {"line": "service"})
    context = _context(call.contact)
    known = context.customer if context else None
    return {"say": "Welcome. Please key in your customer number.", "known": known}


def number_keyed(light: Client, id: str, told: dict[str, Any]) -> dict[str, Any]:
    """`{"customer": "C-1001"}`. A one-time code goes to the phone on file, whoever is calling."""
    call = CALLS[id]
    call.claimed, call.code = told["customer"], f"{secrets.randbelow(1_000_000):06}"
    answer: dict[str, Any] = {"say": "We have sent you a code. Please key it in."}
    if call.claimed in PHONES:  # The same words either way: nobody learns here who is a customer.
        answer["sms"] = {"to": PHONES[call.claimed], "text": f"Your code is {call.code}"}
    return answer


def code_keyed(light: Client, id: str, told: dict[str, Any]) -> dict[str, Any]:
    """`{"code": "123456"}`. The right code proves the customer number: from now on the call is that customer's."""
    call = CALLS[id]
    right, call.code = call.code or "", None  # one attempt, or a machine would try them all
    if call.claimed not in PHONES or not secrets.compare_digest(right, str(told["code"])):
        return {"say": "That is not the code.", "known": None}
    call.customer = call.claimed
    call.contact.identify(customer_number=call.customer, assurance="OTP")
    context = _context(call.contact)
    actions = context.actions if context else ()
    looked_at = [action.properties["plan"] for action in actions if action.type == "plan.viewed"]  # the latest first
    question = f"Is it about {looked_at[0]}, which you looked at online?" if looked_at else "What is it about?"
    return {"say": f"Thank you. {question} Press 1 for an adviser.", "known": context.customer if context else None}


def menu_keyed(light: Client, id: str, told: dict[str, Any]) -> dict[str, Any]:
    """`{"choice": "adviser"}`. The call goes to an agent, with what was proven; the rest they get from Steadylight."""
    call = CALLS[id]
    call.contact.record("menu.chosen", {"choice": told["choice"]})
    call.contact.end("TRANSFERRED")
    light.flush(2)  # before the agent picks up
    proven = {"customer": call.customer, "assurance": "OTP"} if call.customer else {}
    return {"say": "Please hold the line.", "transfer": {"to": "contact-centre", "call": id, **proven}}


def _context(contact: Contact) -> Context | None:
    """What is known, in at most a second of a caller's patience; without an answer the call goes on."""
    try:
        return contact.context(within=1)
    except SteadylightError as error:
        print(f"No context: {error}", flush=True)
        return None


def app(light: Client) -> Starlette:
    """The call's webhooks."""

    def answering(event: Event) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            id = request.path_params["id"]
            if event is not call_begins and id not in CALLS:
                return JSONResponse({"error": "There is no such call."}, status_code=404)
            # In a thread: the blocking client would stop every other call.
            return JSONResponse(await anyio.to_thread.run_sync(event, light, id, await request.json()))

        return answer

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        yield
        light.close()

    events: dict[str, Event] = {"begins": call_begins, "number": number_keyed, "code": code_keyed, "menu": menu_keyed}
    routes = [Route(f"/calls/{{id}}/{name}", answering(event), methods=["POST"]) for name, event in events.items()]
    return Starlette(routes=routes, lifespan=closing)


def main() -> None:
    """Takes calls on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The IVR of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8200, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The line is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(Client()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
