"""The back end of the bank's mobile app: it offers what this channel may, and shows the statement in short.

Against a server that `make serve` left running, with bank.yaml applied and core_banking.py beside it:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                 # printed by: steadylight key add bank-app
    python examples/bank_app.py --port 8720    # http://127.0.0.1:8720/C-1003/menu, …/C-1003/statements/2026-10

What to look at: `menu`. It is made of what Steadylight says this channel may offer this customer now, and why not the
rest: nobody builds a button that leads nowhere. The app's sign-in is not shown: the address has the customer's number.
"""

import argparse
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight import AsyncClient, AsyncContact, SteadylightError


def app(light: AsyncClient) -> Starlette:
    """What the app on the telephone talks to."""

    def visit(request: Request) -> AsyncContact:
        customer = request.path_params["customer"]
        return light.customer(customer_number=customer, assurance="LOGIN").contact(key=f"app-{customer}")

    async def menu(request: Request) -> Response:
        offered = await visit(request).capabilities(within=5)
        buttons = [{"does": one.name, "text": one.label, "note": one.reason} for one in offered if one.offered]
        return JSONResponse({"buttons": buttons})

    async def statement(request: Request) -> Response:
        period = request.path_params["period"]
        try:
            done = await visit(request).perform("statement.view", {"period": period}, key=f"statement-{period}")
        except SteadylightError as error:
            return JSONResponse({"error": error.message}, status_code=503)
        if done.state != "DONE" or done.output is None:
            return JSONResponse({"error": done.failure.message if done.failure else done.state}, status_code=503)
        told = done.output
        return JSONResponse({"balance": told["balance"], "booked": len(told["lines"]), "open": told["link"]})

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        async with light:
            yield

    routes = [Route("/{customer}/menu", menu), Route("/{customer}/statements/{period}", statement)]
    return Starlette(routes=routes, lifespan=closing)


def main() -> None:
    """Serves the app's back end on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The bank's mobile app of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8720, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The app is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(AsyncClient()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
