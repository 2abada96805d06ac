"""A system of a company's own, as its programmers would write it from the Standard Webhooks specification.

It imports nothing of ours: what it believes, any receiver would. It has a thread of its own, and misbehaves as told.
"""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Seconds that the receiver's clock and the sender's may be apart.
TOLERANCE = 300


class NotVerified(Exception):
    """Whoever sent this does not know the secret, or somebody sends again what was sent long ago."""


def verify(secret: str, headers: dict[str, str], body: bytes) -> None:
    """Raises NotVerified."""
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE:
        raise NotVerified("too old, or from the future")
    raw = base64.b64decode(secret[len("whsec_") :])
    expected = base64.b64encode(hmac.new(raw, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    for one in headers.get("webhook-signature", "").split(" "):
        version, _, signature = one.partition(",")
        if version == "v1" and hmac.compare_digest(signature, expected):
            return
    raise NotVerified("no signature fits")


@dataclass(frozen=True)
class Received:
    """One request that was verified."""

    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """By which a repetition is known."""
        return self.headers["idempotency-key"]

    @property
    def said(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


# Either what is answered, or whatever it likes with the connection.
Answer = tuple[int, Any]
Behaviour = Callable[["Receiver", Received, BaseHTTPRequestHandler], Answer | None]


def does_it(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> Answer:
    """Does what has one key once, and answers each repetition as the first time, if it honours keys."""
    with receiver.lock:
        if not receiver.honours_keys or received.key not in receiver.answers:
            receiver.deeds.append(received.key)
            receiver.answers[received.key] = {"number": len(receiver.deeds)}
        return 200, receiver.answers[received.key]


def answers(status: int, said: Any, **headers: str) -> Behaviour:
    """The same to everybody; bytes are sent as they are."""

    def behave(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> None:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        _send(handler, status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return behave


def is_slow(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> Answer:
    """Does it, and answers when nobody waits any more, or when the test is over."""
    answer = does_it(receiver, received, handler)
    receiver.over.wait(30)
    return answer


def drips(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> None:
    """Answers for ever, a little at a time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not receiver.over.wait(0.02):
        handler.wfile.write(b" ")


def is_endless(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> None:
    """Answers more than anybody would keep."""
    handler.send_response(200)
    handler.end_headers()
    while not receiver.over.is_set():
        handler.wfile.write(b" " * 100_000)


def hangs_up(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> None:
    """Does it, and closes the connection without a word."""
    does_it(receiver, received, handler)
    _cut(handler)


def stops_in_the_middle(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> None:
    """Does it, begins to answer, and closes its half of the connection."""
    does_it(receiver, received, handler)
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"number"')
    handler.connection.shutdown(socket.SHUT_WR)
    handler.close_connection = True


def speaks_another_language(receiver: "Receiver", received: Received, handler: BaseHTTPRequestHandler) -> None:
    """Is no HTTP server at all."""
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n")
    _cut(handler)


class Receiver:
    """The system, on a port of its own. `behaviours` are played one after the other; the last one stays."""

    def __init__(self, *secrets: str, honours_keys: bool = True) -> None:
        """It knows one secret, or, while it changes, several."""
        self.secrets = secrets
        self.honours_keys = honours_keys
        self.behaviours: list[Behaviour] = [does_it]
        self.received: list[Received] = []
        self.refused: list[str] = []
        self.deeds: list[str] = []
        self.answers: dict[str, Any] = {}
        self.connections = 0
        self._open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.over = threading.Event()
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where to call it."""
        return f"http://127.0.0.1:{self._port}/perform"

    def behaves(self, *behaviours: Behaviour) -> None:
        """From now on."""
        self.behaviours = list(behaviours)

    def next(self) -> Behaviour:
        """What to do about the request at hand."""
        with self.lock:
            return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def start(self) -> None:
        """Listens, on the same port as before."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listens no more: connections are refused, and those that are open are cut."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with self.lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def opened(self, connection: socket.socket) -> None:
        """Somebody connected."""
        with self.lock:
            self.connections += 1
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """They are gone."""
        with self.lock:
            self._open.discard(connection)

    def close(self) -> None:
        """Stops for good; whoever is slow stops waiting."""
        self.over.set()
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that hang up are none of its business."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            receiver.opened(self.connection)

        def finish(self) -> None:
            receiver.closed(self.connection)
            super().finish()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if (fault := _fault(receiver.secrets, headers, body)) is not None:
                receiver.refused.append(fault)
                _send(self, 401, json.dumps({"code": "BAD_SIGNATURE", "message": fault}).encode(), {})
                return
            received = Received(headers, body)
            receiver.received.append(received)
            answer = receiver.next()(receiver, received, self)
            if answer is not None:
                _send(self, answer[0], json.dumps(answer[1]).encode(), {})

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    return Handler


def _fault(secrets: Sequence[str], headers: dict[str, str], body: bytes) -> str | None:
    faults = []
    for secret in secrets:
        try:
            verify(secret, headers, body)
        except NotVerified as error:
            faults.append(str(error))
        else:
            return None
    return faults[0]


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _cut(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def receiving(*secrets: str, honours_keys: bool = True) -> Iterator[Receiver]:
    """A receiver for as long as this is entered."""
    receiver = Receiver(*secrets, honours_keys=honours_keys)
    try:
        yield receiver
    finally:
        receiver.close()
