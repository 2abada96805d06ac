"""The bank's web pages, one of four channels that show the same statement.

Against a server that `make serve` left running, with bank.yaml applied and core_banking.py beside it:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                 # printed by: steadylight key add bank-web
    python examples/web_bank.py --port 8710    # http://127.0.0.1:8710/C-1003/statements/2026-10

What to look at: `statement`. The page in which the customer signed in is not shown: the address has their number.
"""

import argparse
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from steadylight import AsyncClient, SteadylightError


def page(title: str, inside: str, status: int = 200) -> Response:
    """A whole page."""
    return HTMLResponse(f"<!doctype html><title>{escape(title)}</title><h1>{escape(title)}</h1>{inside}", status)


def app(light: AsyncClient) -> Starlette:
    """The pages."""

    async def statement(request: Request) -> Response:
        customer, period = request.path_params["customer"], request.path_params["period"]
        visit = light.customer(customer_number=customer, assurance="LOGIN").contact(key=f"web-{customer}")
        try:
            # The same key in every channel: whoever asks second is shown what the first one was.
            done = await visit.perform("statement.view", {"period": period}, key=f"statement-{period}")
        except SteadylightError as error:
            return page("Not now", f"<p>{escape(error.message)}</p>", 503)
        if done.state != "DONE" or done.output is None:
            return page("Not now", f"<p>{escape(done.failure.message if done.failure else done.state)}</p>", 503)
        told = done.output
        rows = "".join(
            f"<tr><td>{escape(line['on'])}</td><td>{escape(line['text'])}</td><td>{line['amount']:.2f}</td></tr>"
            for line in told["lines"]
        )
        return page(f"Statement of {period}", f"<table>{rows}</table><p>Balance {told['balance']:.2f} EUR</p>")

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        async with light:
            yield

    return Starlette(routes=[Route("/{customer}/statements/{period}", statement)], lifespan=closing)


def main() -> None:
    """Serves the pages on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The bank's web pages of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8710, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The bank is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(AsyncClient()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
