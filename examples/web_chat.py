"""The web chat's back end: it helps a customer to order broadband, and lets them leave whenever they like.

Against a server that `make serve` left running, with broadband.yaml applied:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                  # printed by: steadylight channel add web-chat --kind AUTOMATED_AGENT
    python examples/web_chat.py --port 8105
    curl http://127.0.0.1:8105/chats/1 --json '{"customer": "C-1005", "text": "I want broadband"}'

What to look at: `said` and `next_line`. Nobody is asked what Steadylight knows. The page in which the customer signed
in is not shown: it hands on their customer number with each line.
"""

import argparse
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight import AsyncClient, AsyncJourney


@dataclass
class Chat:
    """One conversation: the journey it is about, and the question that was put last."""

    journey: AsyncJourney
    asked: str | None = None


CHATS: dict[str, Chat] = {}


async def said(light: AsyncClient, id: str, customer: str, text: str) -> str:
    """What the chat says to this line of the customer's."""
    if id not in CHATS:
        contact = light.customer(customer_number=customer, assurance="LOGIN").contact(key=id)
        CHATS[id] = Chat(await contact.journey("add-broadband", within=5))
        hello = "Let us go on with your order." if CHATS[id].journey.resumed else "I can order that for you."
        return f"{hello} {await next_line(CHATS[id])}"
    chat = CHATS[id]
    if chat.asked is not None:
        chat.journey.answer(chat.asked, text)
    return await next_line(chat)


async def next_line(chat: Chat) -> str:
    """The next question that nobody has had an answer to, in whatever channel; without one the order is placed."""
    for question in chat.journey.questions:
        known = await chat.journey.ask(question.name, within=5)
        if not known.known:
            chat.asked = question.name
            return question.label or question.name
    chat.asked = None
    await chat.journey.complete("ordered", within=5)
    return "Thank you, it is ordered."


def app(light: AsyncClient) -> Starlette:
    """The chat, one request for each line."""

    async def line(request: Request) -> Response:
        told = await request.json()
        words = await said(light, request.path_params["id"], str(told["customer"]), str(told["text"]))
        return JSONResponse({"say": words})

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        async with light:
            yield

    return Starlette(routes=[Route("/chats/{id}", line, methods=["POST"])], lifespan=closing)


def main() -> None:
    """Serves the chat on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The web chat of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8105, help="port to listen on; 0 takes a free one")
    listener = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"The chat is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app(AsyncClient()), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
