"""Identity providers for tests: they sign tokens, show their keys as a JWKS, and change them."""

import json
import time
from collections.abc import Mapping
from itertools import count
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from steadylight_server.core.config import Issuer

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
LASTS = 3_600  # seconds


def private_key(algorithm: str) -> Private:
    """A new key that signs with the algorithm. Raises KeyError for one that is not known here."""
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        curves: dict[str, type[ec.EllipticCurve]] = {
            "ES256": ec.SECP256R1,
            "ES384": ec.SECP384R1,
            "ES512": ec.SECP521R1,
        }
        return ec.generate_private_key(curves[algorithm]())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class IssuerKit:
    """One issuer, `https://NAME.example.com`: its current key signs, and those before it are no longer shown."""

    def __init__(
        self,
        name: str,
        role: Literal["CUSTOMER", "AGENT", "ADMIN"],
        audiences: Mapping[str, str | None] | None = None,
        *,
        algorithm: str = "RS256",
    ) -> None:
        self.name = name
        self.issuer = f"https://{name}.example.com"
        self.role = role
        self.audiences = dict(audiences or {f"{name}-page": None})
        self.algorithm = algorithm
        self._numbers = count(1)
        self.rotate()

    def settings(self, jwks_url: str | None = None, **given: Any) -> Issuer:
        """As the server is told of it: with the current public key where there is no URL. `given` replace."""
        made = {
            "issuer": self.issuer,
            "role": self.role,
            "audiences": self.audiences,
            "algorithms": (self.algorithm,),
            "jwks_url": jwks_url,
            "public_key": None if jwks_url else self.public_key(),
            **given,
        }
        return Issuer(**made)

    def token(self, subject: str = "C-1001", *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A good token, for an hour, to the first audience. `claims` and `header` replace or add; None leaves one out.

        `token(exp=time.time() - 60)` is one that has expired.
        """
        at = int(time.time())
        usual = {
            "iss": self.issuer,
            "aud": next(iter(self.audiences)),
            "sub": subject,
            "iat": at,
            "exp": at + LASTS,
        }
        payload = {name: value for name, value in (usual | claims).items() if value is not None}
        headers = {name: value for name, value in ({"kid": self.kid} | dict(header or {})).items() if value is not None}
        return jwt.encode(payload, self.private, algorithm=self.algorithm, headers=headers)

    def public_key(self) -> str:
        """The current one, as PEM."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwks(self) -> dict[str, Any]:
        """The document that shows the current key (RFC 7517)."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            told = RSAAlgorithm.to_jwk(public)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            told = ECAlgorithm.to_jwk(public)
        else:
            told = OKPAlgorithm.to_jwk(public)
        return {"keys": [json.loads(told) | {"kid": self.kid, "use": "sig", "alg": self.algorithm}]}

    def rotate(self) -> None:
        """From here on another key signs and is shown."""
        self.private: Private = private_key(self.algorithm)
        self.kid = f"{self.name}-{next(self._numbers)}"
