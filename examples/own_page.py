"""The customers' own web page: five files from an origin of its own, which knows no key and no secret.

    python examples/own_page.py --port 8600 --steadylight http://127.0.0.1:8000 --identity http://127.0.0.1:8500

The page itself, in examples/page, does all the rest in the browser: it signs the customer in at the identity provider,
and asks the Steadylight server with their token. What that server must be told is in examples/front-end.md. What to
look at: `POLICY`, by which the browser runs nothing but these files and talks to nobody but those two.
"""

import argparse
import socket
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

PAGE = Path(__file__).parent / "page"
FILES = {"": "index.html", "page.js": "page.js", "page.css": "page.css"} | {
    name: name for name in ("me.graphql", "activity.graphql")
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self' {steadylight} {socket} {identity}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


def app(steadylight: str, identity: str) -> Starlette:
    """The page, for one server and one identity provider."""
    place = urlsplit(steadylight)
    sockets = f"{'wss' if place.scheme == 'https' else 'ws'}://{place.netloc}"
    headers = {
        "Content-Security-Policy": POLICY.format(steadylight=steadylight, socket=sockets, identity=identity),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }

    async def file(request: Request) -> Response:
        name = FILES.get(request.path_params["name"])
        return FileResponse(PAGE / name, headers=headers) if name else Response("Not found", 404, headers)

    async def settings(request: Request) -> Response:
        """Where to sign in, and where to ask."""
        return JSONResponse({"steadylight": steadylight, "identity": identity}, headers=headers)

    return Starlette(routes=[Route("/settings.json", settings), Route("/{name:path}", file)])


def main() -> None:
    """Serves the page on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The customers' own page of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8600, help="port to listen on; 0 takes a free one")
    parser.add_argument("--steadylight", default="http://127.0.0.1:8000", help="the Steadylight server")
    parser.add_argument("--identity", default="http://127.0.0.1:8500", help="the identity provider")
    given = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", given.port))
    print(f"The page is open: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    served = app(given.steadylight, given.identity)
    uvicorn.Server(uvicorn.Config(served, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
