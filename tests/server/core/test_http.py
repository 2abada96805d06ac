"""The door to other servers: whatever is wrong over there, it is told as UNAVAILABLE."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from steadylight_server.core import http as module
from steadylight_server.core.errors import Unavailable
from steadylight_server.core.http import Http

URL = "https://id.example.com/jwks.json"
SECRET = "what the other server said"


def http(answer: Callable[[httpx.Request], Any]) -> Http:
    return Http(transport=httpx.MockTransport(answer))


async def refused(client: Http, url: str = URL) -> str:
    with pytest.raises(Unavailable) as caught:
        await client.json(url)
    return caught.value.message


async def test_what_is_there_is_read_as_json() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"keys": [1, "ä"]})

    client = http(answer)
    told = await client.json(URL)
    await client.close()

    assert told == {"keys": [1, "ä"]}
    assert (seen[0].method, str(seen[0].url)) == ("GET", URL)
    assert seen[0].headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie"} & set(seen[0].headers)


@pytest.mark.parametrize("status", [204, 301, 302, 307, 400, 401, 404, 429, 500, 503])
async def test_another_status_is_unavailable_and_no_redirect_is_followed(status: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"Location": "http://169.254.169.254/"}, text=SECRET)

    assert await refused(http(answer)) == f"{URL} answers {status}."
    assert asked == [URL]


@pytest.mark.parametrize("body", [b"", b"<html>" + SECRET.encode(), b"\xff", b"{", b"[" * 100_000])
async def test_what_is_no_json_is_unavailable(body: bytes) -> None:
    told = await refused(http(lambda _: httpx.Response(200, content=body)))

    assert told == f"{URL} does not answer in JSON."


async def test_a_large_answer_is_given_up_before_it_is_read() -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 100_000
            yield b" " * 100_000

    told = await refused(http(lambda _: httpx.Response(200, content=endless())))

    assert told == f"{URL} answers more than 1,000,000 bytes."
    assert given == 1_100_000


async def test_a_small_answer_does_not_become_a_large_one() -> None:
    unpacked = False

    async def bomb() -> AsyncIterator[bytes]:
        nonlocal unpacked
        unpacked = True
        yield gzip.compress(b" " * 50_000_000)

    told = await refused(http(lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=bomb())))

    assert told == f"{URL} answers packed, which it was not asked for."
    assert not unpacked


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.UnsupportedProtocol]
)
async def test_a_broken_connection_is_unavailable(error: type[httpx.TransportError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error(SECRET)

    assert await refused(http(answer)) == f"{URL} does not answer: {error.__name__}."


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/jwks.json", "nowhere", "http://[", "ftp://id.example.com/"])
async def test_an_address_that_leads_nowhere_is_unavailable(url: str) -> None:
    client = Http()

    assert (await refused(client, url)).startswith(url)
    await client.close()


async def test_a_server_that_drips_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.2)

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.05)
            yield b" "

    async with asyncio.timeout(2):
        told = await refused(http(lambda _: httpx.Response(200, content=dripping())))

    assert told == f"{URL} does not answer: TimeoutError."


async def test_a_server_that_says_nothing_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        client = Http()

        async with asyncio.timeout(2):
            told = await refused(client, url)

        assert told.startswith(f"{url} does not answer: ")
        await client.close()
