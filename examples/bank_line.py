"""The bank's telephone line: it reads out the balance and sends the statement's link by text message.

Against a server that `make serve` left running, with bank.yaml applied and core_banking.py beside it:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                 # printed by: steadylight key add bank-ivr
    python examples/bank_line.py --port 8730
    curl http://127.0.0.1:8730/calls/1 --json '{"customer": "C-1003", "wants": "statement", "period": "2026-10"}'

What to look at: `wants_plan`. What this channel may not do is refused by Steadylight with the reason, which is read
out; that the customer met this gap is on their timeline, and in `steadylight parity`. How the caller proved the number,
by a code as in ivr.py, is not shown.
"""

import argparse
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight import Client, Contact, Forbidden, SteadylightError

PHONES = {"C-1003": "+447700900789"}


def wants_statement(call: Contact, customer: str, told: dict[str, Any]) -> dict[str, Any]:
    """The balance, read out; the rest as a text message to the phone on file."""
    period = told["period"]
    done = call.perform("statement.view", {"period": period}, key=f"statement-{period}")
    if done.state != "DONE" or done.output is None:
        return {"say": done.failure.message if done.failure else "Please call again later."}
    text = f"Your statement of {period}: {done.output['link']}"
    say = f"Your balance is {done.output['balance']:.2f} euros. We have sent you the statement."
    return {"say": say, "sms": {"to": PHONES[customer], "text": text}}


def wants_plan(call: Contact, customer: str, told: dict[str, Any]) -> dict[str, Any]:
    """Another plan, which cannot be had on the telephone."""
    try:
        done = call.perform("plan.change", {"plan": told["plan"]}, key=f"plan-{told['plan']}")
    except Forbidden as error:
        return {"say": f"{error.message} Please visit a branch, or the web."}
    return {"say": f"Done: {done.output}"}


WANTS = {"statement": wants_statement, "plan": wants_plan}


def app(light: Client) -> Starlette:
    """The call's webhook: one request for each wish."""

    async def wish(request: Request) -> Response:
        told = await request.json()
        customer = str(told["customer"])
        call = light.customer(customer_number=customer, assurance="OTP").contact(key=request.path_params["id"])
        try:
            # In a thread: the blocking client would stop every other call.
            return JSONResponse(await anyio.to_thread.run_sync(WANTS[told["wants"]], call, customer, told))
        except SteadylightError as error:
            print(f"Not performed: {error}", flush=True)
            return JSONResponse({"say": "Please call again later."})

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        yield
        light.close()

    return Starlette(routes=[Route("/calls/{id}", wish, methods=["POST"])], lifespan=closing)


def main() -> None:
    """Takes calls on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The bank's telephone line of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8730, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The line is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(Client()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
