"""The real application with one route more, the least that a read through this server costs: a document by its id."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steadylight_server.app import create_app
from steadylight_server.core.config import Settings
from steadylight_server.core.mongo import Database


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

    app.router.routes.append(Route("/floor/{id}", one))
    return app
