"""The webhook of an SMS gateway: a customer goes on by text message with what they began elsewhere.

Against a server that `make serve` left running, with broadband.yaml applied:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                  # printed by: steadylight channel add sms --kind AUTOMATED_AGENT
    python examples/sms.py --port 8106
    curl http://127.0.0.1:8106/messages --json '{"from": "+447700900155", "text": "CONTINUE"}'

What to look at: `code_sent`, which proves who it is, and `next_line`. `--forgetful` asks everything, as an app does
that only records: the customer is asked twice, and the record of asks tells where and why.
"""

import argparse
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight import Client, Contact, Journey

# The number on file of each customer: a sender's number can be forged, an answer to it goes where it belongs.
CUSTOMERS = {"+447700900155": "C-1005", "+447700900156": "C-1006"}


@dataclass
class Thread:
    """The messages with one number: who it is once they read back the code, and the question that was put last."""

    contact: Contact
    code: str = field(default_factory=lambda: f"{secrets.randbelow(1_000_000):06}")
    journey: Journey | None = None
    asked: list[str] = field(default_factory=list)


THREADS: dict[str, Thread] = {}


def code_sent(light: Client, number: str) -> str:
    """The first answer: whoever reads the code has the telephone."""
    THREADS[number] = Thread(light.contact(key=f"sms-{secrets.token_hex(4)}"))
    return f"Your code is {THREADS[number].code}. Send it back to go on."


def received(light: Client, number: str, text: str, is_forgetful: bool) -> str:
    """What is answered to this message."""
    if number not in CUSTOMERS:
        return "We do not know this number."
    if number not in THREADS:
        return code_sent(light, number)
    thread = THREADS[number]
    if thread.journey is None:
        if not secrets.compare_digest(thread.code, text.strip()):
            del THREADS[number]  # one attempt, or a machine would try them all
            return "That is not the code."
        thread.contact.identify(customer_number=CUSTOMERS[number], assurance="OTP")
        thread.journey = thread.contact.journey("add-broadband", within=5)
    elif thread.asked:
        thread.journey.answer(thread.asked[-1], text.strip())
    return next_line(thread.journey, thread.asked, is_forgetful)


def next_line(journey: Journey, asked: list[str], is_forgetful: bool) -> str:
    """The next question that nobody has had an answer to, in whatever channel; without one the order is placed."""
    for question in journey.questions:
        is_known = question.name in asked if is_forgetful else journey.ask(question.name, within=5).known
        if not is_known:
            asked.append(question.name)
            return question.label or question.name
    asked.clear()
    journey.complete("ordered", within=5)
    return "Thank you, it is ordered."


def app(light: Client, is_forgetful: bool = False) -> Starlette:
    """The gateway's webhook."""

    async def message(request: Request) -> Response:
        told = await request.json()
        # In a thread: the blocking client would stop every other message.
        reply = await anyio.to_thread.run_sync(received, light, str(told["from"]), str(told["text"]), is_forgetful)
        return JSONResponse({"reply": reply})

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        yield
        light.close()

    return Starlette(routes=[Route("/messages", message, methods=["POST"])], lifespan=closing)


def main() -> None:
    """Serves the webhook on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The SMS webhook of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8106, help="port to listen on; 0 takes a free one")
    parser.add_argument("--forgetful", action="store_true", help="ask the customer everything, whatever is known")
    given = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", given.port))
    print(f"The webhook is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app(Client(), given.forgetful), log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
