"""A tiny identity provider: whoever signs in gets a token that says who they are, signed so that anybody can check it.

    python examples/identity_provider.py --port 8500 --origin http://127.0.0.1:8600

Stands for the one that a company has already, from which it wants nothing but OpenID Connect's authorization code flow
with PKCE. This one takes a password by JSON, to stay small. What Steadylight needs of either is the same: `iss`,
`aud`, `sub` and `exp` in a JWT, and the public key at `/jwks.json`. `--origin` is the page that may sign customers in.
The accounts are made up, and the key is made anew at each start: tokens of an earlier one are worth nothing.
"""

import argparse
import json
import secrets
import socket
import time
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PASSWORDS = {"C-1004": "mandarine", "C-1005": "bergamot"}
AUDIENCES = ("own-page",)
SECONDS = 600


def app(issuer: str, origin: str) -> Starlette:
    """The provider, known to the world as `issuer`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    name = secrets.token_hex(8)

    async def keys(request: Request) -> Response:
        """The public key, by whose name the tokens call it."""
        return JSONResponse({"keys": [public | {"kid": name, "use": "sig", "alg": "RS256"}]})

    async def token(request: Request) -> Response:
        """`{"customer": …, "password": …, "audience": "own-page"}`. A token for ten minutes."""
        told = await request.json()
        password = PASSWORDS.get(told.get("customer"), "")
        if not password or not secrets.compare_digest(password, told.get("password", "")):
            return JSONResponse({"error": "That is not the password."}, status_code=401)
        if told.get("audience") not in AUDIENCES:
            return JSONResponse({"error": "There is no such audience."}, status_code=400)
        now = int(time.time())
        claims = {"iss": issuer, "aud": told["audience"], "sub": told["customer"], "iat": now, "exp": now + SECONDS}
        signed = jwt.encode(claims, key, algorithm="RS256", headers={"kid": name})
        return JSONResponse({"token": signed, "seconds": SECONDS}, headers={"Cache-Control": "no-store"})

    cors = Middleware(CORSMiddleware, allow_origins=[origin], allow_methods=["POST"], allow_headers=["Content-Type"])
    return Starlette(routes=[Route("/jwks.json", keys), Route("/token", token, methods=["POST"])], middleware=[cors])


def main() -> None:
    """Serves on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="The identity provider of Steadylight's demo.")
    parser.add_argument("--port", type=int, default=8500, help="port to listen on; 0 takes a free one")
    parser.add_argument("--origin", default="http://127.0.0.1:8600", help="the page that may sign customers in")
    given = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", given.port))
    issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(f"The identity provider is open: {issuer}", flush=True)
    uvicorn.Server(uvicorn.Config(app(issuer, given.origin), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
