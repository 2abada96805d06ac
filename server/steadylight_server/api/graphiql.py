"""GraphiQL at /graphiql, from files that lie beside this one: it works where nothing but this server can be reached.

The files are bundled from npm packages by `server/graphiql`, at build time. Where that was not done, the page says how.
"""

import html
import json
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

ASSETS = Path(__file__).parent / "assets"
EXAMPLES = Path(__file__).parent / "examples"
OPERATIONS = Path(__file__).parents[1] / "contract/operations"

# Open in a tab each at a first visit, in this order; the other examples are in the list beside them.
FIRST = ("FindCustomer", "WhoAmI")

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            # The editor makes style elements while it runs and has no way to give them a nonce. Scripts stay strict.
            "style-src 'self' 'unsafe-inline'",
            "font-src 'self' data:",  # GraphiQL's style sheet carries its fonts and a few icons in itself
            "img-src 'self' data:",
            "connect-src 'self'",  # this origin's WebSockets are of 'self', too
            "worker-src 'self'",  # completion and checks run beside the page
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
}
# The names hold hashes of the content, so what has a name never changes.
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}

# Addresses are relative, so that the page also works below a path that a proxy puts in front.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GraphiQL · Steadylight</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="graphiql/assets/{style}">
<script type="module" src="graphiql/assets/{script}"></script>
</head>
<body><div id="graphiql" data-examples="{examples}"><noscript>GraphiQL needs JavaScript.</noscript></div></body>
</html>
"""
_NOT_BUILT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>GraphiQL was not built · Steadylight</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>GraphiQL was not built</h1>
<p>This server works, but it was installed without the files of this page, and loads none from elsewhere.
To add them, on a machine with Node.js 20 or newer, npm and a network:</p>
<ul>
<li>in the source tree, run <code>make graphiql</code> and start the server again; or</li>
<li>build the package there with <code>STEADYLIGHT_REQUIRE_GRAPHIQL=1 python -m build --wheel</code>
and install that wheel here. It holds them.</li>
</ul>
<p>Until then any GraphQL client can be pointed at <code>/graphql</code>.</p>
</body>
</html>
"""


def examples() -> Sequence[dict[str, Any]]:
    """Documents to begin with: `name`, `about`, `query`, `variables` as JSON text, and whether it opens `first`.

    In variables `"<a new UUID>"`, `"<now>"` and `"<the customer found last>"` stand for what the page
    fills in; the last one stays as it is until an answer has shown a customer's id. An operation whose variables only
    an earlier answer tells, such as a journey's id, is none.
    """
    documents = (path for folder in (EXAMPLES, OPERATIONS) for path in sorted(folder.glob("*.graphql")))
    found = {path.stem: path.read_text() for path in documents}
    found = {name: text for name, text in found.items() if "$" not in text or _variables(name).exists()}
    names = sorted(found, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    return [_example(name, found[name]) for name in names]


def _example(name: str, query: str) -> dict[str, Any]:
    comment = " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), query.splitlines()))
    variables = _variables(name)
    return {
        "name": name,
        "about": comment or "As the SDK sends it.",
        "query": query,
        "variables": variables.read_text() if variables.exists() else "",
        "first": name in FIRST,
    }


def _variables(name: str) -> Path:
    return EXAMPLES / f"{name}.json"


def routes(assets: Path = ASSETS) -> Sequence[BaseRoute]:
    """The page, its files, and the way to it from the server's bare address."""
    served = {path.name: path for path in assets.glob("*")}
    page = _page(json.loads(served["manifest.json"].read_text())) if "manifest.json" in served else None

    async def graphiql(request: Request) -> Response:
        _must_be_a_browser(request)
        headers = {**HEADERS, "Cache-Control": "no-cache", "Vary": "Accept"}
        return HTMLResponse(page or _NOT_BUILT, 200 if page else 404, headers)

    async def asset(request: Request) -> Response:
        path = served.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, headers={**HEADERS, **_FOR_EVER})

    return [
        Route("/", _home, methods=["GET"]),
        Route("/graphiql", graphiql, methods=["GET"]),
        Route("/graphiql/assets/{name}", asset, methods=["GET"]),
    ]


def _page(manifest: dict[str, str]) -> str:
    return _PAGE.format(**manifest, examples=html.escape(json.dumps(examples())))


async def _home(request: Request) -> Response:
    """Who opens the server in a browser is looking for this page. Raises a 404 for any other client."""
    _must_be_a_browser(request, status=404)
    return RedirectResponse("graphiql", 307, {"Vary": "Accept"})


def _must_be_a_browser(request: Request, status: int = 406) -> None:
    if "text/html" not in request.headers.get("accept", ""):
        raise HTTPException(status, "This address is a page for browsers; the graph is at /graphql.")
