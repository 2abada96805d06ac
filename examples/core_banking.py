"""The bank's old system, which does what four channels offer: one webhook, called by Steadylight alone.

    export CORE_BANKING_SECRET=whsec_...     # the server: STEADYLIGHT_WEBHOOK_SECRETS='{"core-banking": ["whsec_..."]}'
    python examples/core_banking.py --port 8700

What to look at: `is_signed`, all that a receiver needs to know who is calling, and `perform`, where the same key does
nothing twice. It imports nothing of Steadylight's: any language can do this. The accounts are made up.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Told = tuple[int, dict[str, Any]]

BOOKED = {"C-1003": [("01", "Rent", -780.0), ("14", "Cash machine, Rua da Prata", 190.0), ("28", "Salary", 2_140.0)]}
PLANS = {"C-1003": "free"}
# What was answered to each key. A real system keeps it beside what it did, in the same transaction.
ANSWERED: dict[str, Told] = {}
DONE: list[str] = []


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether who sent this knows the secret, and sent it in the last five minutes: Standard Webhooks."""
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(time.time() - int(at)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, hashlib.sha256)).decode()
    given = (one.removeprefix("v1,") for one in headers.get("webhook-signature", "").split())
    return any(hmac.compare_digest(one, expected) for one in given)


def statement(customer: str, input: Mapping[str, Any]) -> Told:
    """What was booked in a month; the same for whoever asks, through whatever channel."""
    period = input["period"]
    lines = [{"on": f"{period}-{day}", "text": text, "amount": amount} for day, text, amount in BOOKED[customer]]
    balance = round(sum(amount for _, _, amount in BOOKED[customer]), 2)
    link = f"https://bank.example/s/{hashlib.sha256(f'{customer} {period}'.encode()).hexdigest()[:10]}"
    return 200, {"period": period, "currency": "EUR", "balance": balance, "lines": lines, "link": link}


def plan(customer: str, input: Mapping[str, Any]) -> Told:
    """Changes the plan. What the customer has already is refused, in words for whoever serves them."""
    before, PLANS[customer] = PLANS[customer], input["plan"]
    if before == input["plan"]:
        return 409, {"code": "SAME_PLAN", "message": f"The account is {before} already."}
    return 200, {"from": before, "to": input["plan"]}


DOES: Mapping[str, Callable[[str, Mapping[str, Any]], Told]] = {"statement.view": statement, "plan.change": plan}


async def perform(request: Request) -> Response:
    """Does what it is asked, once for each key."""
    body = await request.body()
    if not is_signed(os.environ["CORE_BANKING_SECRET"], request.headers, body):
        return JSONResponse({"code": "NOT_SIGNED", "message": "Who is this?"}, status_code=401)
    asked = json.loads(body)
    key = request.headers["idempotency-key"]
    if key not in ANSWERED:
        numbers = [one["value"] for one in asked["data"]["customer"]["identifiers"] if one["kind"] == "customer-number"]
        customer = next((number for number in numbers if number in PLANS), None)
        if customer is None:
            ANSWERED[key] = 404, {"code": "NO_ACCOUNT", "message": "There is no account of this customer."}
        else:
            ANSWERED[key] = DOES[asked["type"]](customer, asked["data"]["input"])
            DONE.append(asked["type"])
    status, answer = ANSWERED[key]
    return JSONResponse(answer, status_code=status)


async def done(request: Request) -> Response:
    """How often anything was done, for the demo."""
    return JSONResponse({name: DONE.count(name) for name in DOES})


def main() -> None:
    """Serves on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The core banking system of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8700, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"Core banking is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    app = Starlette(routes=[Route("/perform", perform, methods=["POST"]), Route("/done", done)])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
