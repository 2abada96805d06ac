"""`steadylight serve`: the server, and the database in its data directory when no other is named.

This process owns the socket and the embedded database; with several workers it serves nothing itself. Workers learn
the database's address from their environment. All end with this process, however that ends.
"""

import asyncio
import http.client
import ipaddress
import math
import multiprocessing
import os
import shlex
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from steadylight_server.access.models import Role
from steadylight_server.cli.database import opened
from steadylight_server.cli.links import sign_in_url
from steadylight_server.cli.options import Data, operator, settings
from steadylight_server.cli.output import Failure
from steadylight_server.core.config import Settings

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

log = structlog.get_logger("steadylight.serve")

# Connections that wait to be taken; the kernel caps it at its own limit.
_BACKLOG = 2048


def add_to(program: typer.Typer) -> None:
    """Adds the command."""
    program.command(
        "serve",
        epilog="Example: steadylight serve --port 8080 --workers 2 --data /var/lib/steadylight",
        help="Run the server until SIGTERM or Ctrl-C, which let requests under way finish. Without "
        "STEADYLIGHT_MONGODB_URI it runs a database of its own in the data directory.",
    )(serve)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Left out: STEADYLIGHT_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port; 0 takes a free one and says which. Left out: STEADYLIGHT_PORT, else 8000."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Processes, about one per core. Left out: STEADYLIGHT_WORKERS, else 1."),
    ] = None,
    data: Data = None,
    link: Annotated[
        bool, typer.Option("--link/--no-link", help="Print a link that signs a browser in as an admin, once.")
    ] = True,
    trust_proxy: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESSES",
            help="Believe X-Forwarded-* of these proxies: addresses or networks with commas between, or *. "
            "Left out: nobody's.",
        ),
    ] = None,
) -> None:
    """Runs until it is told to stop. Raises Failure, EmbeddedError or Unavailable when it cannot begin."""
    from steadylight_server.app import database_uri
    from steadylight_server.core import logs

    chosen = settings(data, host=host, port=port, workers=workers)
    if sys.stderr.isatty() and "log_format" not in chosen.model_fields_set:
        chosen = chosen.model_copy(update={"log_format": "console"})
    logs.configure(chosen.log_level, chosen.log_format)
    with _stopped_by_signals(), ExitStack() as stack:
        listener = stack.enter_context(listen(chosen.host, chosen.port))
        uri = stack.enter_context(database_uri(chosen))
        secret = asyncio.run(_prepare(chosen, uri, link=link))
        os.environ |= {"STEADYLIGHT_MONGODB_URI": uri, "STEADYLIGHT_LOG_FORMAT": chosen.log_format}
        if chosen.workers > 1:
            # Before workers import prometheus-client: each keeps its numbers there, any can show the sum.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="steadylight-metrics-")
            )
        if is_open(chosen.host) and trust_proxy is None:
            log.warning("listening beyond this machine without TLS: keys can be read on the way", do=_TLS)
        announcement = Announcement(listener, _welcome(chosen, listener, secret))
        announcement.start()
        _run(_config(chosen, trust_proxy), listener)
        if not announcement.is_made:
            raise Failure("The server did not start. The log above says why.")


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; they wait until a server serves it. Raises Failure."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error  # without the address once more
        raise Failure(
            f"Cannot listen on {host} port {port}: {reason}. "
            "Choose another with --host and --port; --port 0 takes a free one."
        ) from error


def url_of(listener: socket.socket) -> str:
    """Where a client on this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_open(host: str) -> bool:
    """Whether others than this machine reach the address."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


async def _prepare(chosen: Settings, uri: str, *, link: bool) -> str | None:
    """Makes the indexes, once and not in each worker; a database that cannot be used is told in one message.

    Returns the secret of a sign-in link for who starts the server.
    """
    from steadylight_server.access.service import AccessService
    from steadylight_server.core.audit import Audit

    async with opened(chosen, uri) as (_, stores):
        if not link:
            return None
        service = AccessService(stores.access, Audit(stores.audit))
        return (await service.add_link(Role.ADMIN, operator()["name"], by=operator()))[1]


def _config(chosen: Settings, trust_proxy: str | None) -> "uvicorn.Config":
    import uvicorn

    alone = chosen.workers == 1
    return uvicorn.Config(
        "steadylight_server.app:create_app" if alone else "steadylight_server.cli.serve:worker",
        factory=True,
        workers=chosen.workers,
        http="httptools",  # and uvloop, which "auto" takes wherever it can be installed
        log_config=None,
        access_log=False,  # core/requests writes ours
        server_header=False,
        proxy_headers=trust_proxy is not None,
        forwarded_allow_ips=trust_proxy,
        timeout_graceful_shutdown=math.ceil(chosen.drain_seconds),
    )


def _run(config: "uvicorn.Config", listener: socket.socket) -> None:
    """Serves until a signal."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    if config.workers == 1:
        with suppress(SystemExit):  # what uvicorn exits with where it cannot start; the missing announcement tells
            uvicorn.Server(config).run(sockets=[listener])
    else:
        Multiprocess(config, sockets=[listener]).run()


def worker() -> "Starlette":
    """What each of several processes serves."""
    from uvicorn.config import STARTUP_FAILURE

    from steadylight_server.app import create_app

    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is started by `steadylight serve`"

    def follow() -> None:
        parent.join()
        # A worker that stayed would hold the port, with no database behind it.
        os._exit(1)

    threading.Thread(target=follow, name="steadylight-follow", daemon=True).start()
    try:
        return create_app()
    except Exception as error:
        log.exception("the application cannot be made")
        # With any other code uvicorn would start workers for ever.
        raise SystemExit(STARTUP_FAILURE) from error


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and Ctrl-C end what is inside cleanly, with exit code 0, also before and after uvicorn handles them."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stopped(BaseException):
    """Told to stop. Not an Exception, so that nothing on the way takes it for a failure."""


class Announcement(threading.Thread):
    """Prints a line on stdout as soon as the server answers."""

    def __init__(self, listener: socket.socket, text: str) -> None:
        super().__init__(name="steadylight-announce", daemon=True)
        self._url = url_of(listener)
        self._text = text
        self.is_made = False

    def run(self) -> None:
        """Asks until there is an answer."""
        while not _answers(self._url):
            time.sleep(0.05)
        self.is_made = True
        typer.echo(self._text)
        sys.stdout.flush()


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _welcome(chosen: Settings, listener: socket.socket, secret: str | None) -> str:
    url = url_of(listener)
    where = "the database of STEADYLIGHT_MONGODB_URI" if chosen.mongodb_uri else f"its own database in {chosen.data}"
    is_usual = chosen.mongodb_uri is not None or chosen.data == Path("steadylight-data")
    hint = _HINT if is_usual else f"{_HINT} --data {shlex.quote(str(chosen.data))}"
    ready = f"Steadylight is ready: {url}/graphql, on {where}. {hint}"
    return f"{ready}\nSign in as an admin, once, within an hour: {sign_in_url(url, secret)}" if secret else ready


_TLS = "put a proxy with TLS in front, and name it with --trust-proxy"
_HINT = "Add a channel: steadylight channel add web"
