"""The real application with two routes more, the least that a read through this server costs: a document by its id, and
a query of tantivy over all that can be searched.
"""

import re

import tantivy
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steadylight_server.app import create_app
from steadylight_server.core.config import Settings
from steadylight_server.core.mongo import Database
from steadylight_server.knowledge.search import SearchService

_FIELDS = ("title", "heading", "body")


class Raw:
    """Tantivy as it comes, over what a server can search: title, heading and text, any of the words, the ten best."""

    def __init__(self, search: SearchService) -> None:
        builder = tantivy.SchemaBuilder()
        for name in _FIELDS:
            builder.add_text_field(name, tokenizer_name="en_stem")
        self._index = tantivy.Index(builder.build())
        writer = self._index.writer(num_threads=1)
        entries = [one.entry for one in search._index._state.entries.values()]
        for one in entries:
            writer.add_document(tantivy.Document(title=one.title, heading=one.heading, body=one.body))
        writer.commit()
        self._index.reload()
        self._searcher = self._index.searcher()
        self.fragments = len(entries)

    def found(self, query: str) -> list[float]:
        """The scores of the best."""
        parsed, _ = self._index.parse_query_lenient(re.sub(r"[^\w\s]", " ", query), list(_FIELDS))
        return [score for score, _ in self._searcher.search(parsed, 10).hits]


def create() -> Starlette:
    """A factory for uvicorn; the settings come from the environment."""
    settings = Settings()
    assert settings.mongodb_uri is not None
    app = create_app(settings)
    floor = Database(settings.mongodb_uri, settings.database).collection("floor")

    async def one(request: Request) -> Response:
        found = await floor.find_one({"_id": request.path_params["id"]})
        assert found is not None
        return Response(found["body"], media_type="application/json")

    raw: list[Raw] = []

    async def query(request: Request) -> Response:
        if not raw:
            raw.append(Raw(app.state.services.search))
        return JSONResponse(raw[0].found((await request.json())["query"]))

    app.router.routes.append(Route("/floor/{id}", one))
    app.router.routes.append(Route("/raw", query, methods=["POST"]))
    return app
