"""Judges JSON Web Tokens (RFC 7519) of the issuers in the settings, and nobody else's.

Which issuer a token names decides by which keys, algorithms and audiences it is judged; its own header decides nothing
but which of that issuer's keys to try. Keys come from the settings or from the issuer's JWKS (RFC 7517), which is
fetched when a token names a key that is not known, and every ten minutes while tokens come. While an issuer cannot be
reached, the keys it had are good for a day; those it no longer shows are forgotten as soon as it answers.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import structlog

from steadylight_server.access.models import Role
from steadylight_server.core.config import Issuer
from steadylight_server.core.errors import Unauthenticated, Unavailable
from steadylight_server.core.http import Http

log = structlog.get_logger("steadylight.tokens")

_LONGEST = 8_192  # characters; what is longer is no token but an attempt
_LONGEST_SUBJECT = 256
_FRESH = 600.0
_GOOD = 86_400.0
# An attacker names keys that do not exist; the issuer is asked for them no more often than this, seconds.
_PAUSE = 5.0
_REFUSED = "The token is not good: "
_OTHER_KIND = f"{_REFUSED}its issuer's key is for something else."


@dataclass(frozen=True)
class Claims:
    """What a good token says. `kind` is of the identifier that a customer's subject is."""

    issuer: str
    role: Role
    subject: str
    kind: str
    channel: str | None
    expires_at: datetime
    may_link: bool = False

    @property
    def id(self) -> str:
        """Names the subject, for limits and the audit: two issuers may know the same name."""
        return f"{self.issuer}#{self.subject}"


class Tokens:
    """The issuers that are trusted."""

    def __init__(self, issuers: Sequence[Issuer], http: Http) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: _Keys(issuer, http) for issuer in issuers}

    async def read(self, token: str) -> Claims:
        """What it says. Raises Unauthenticated for what is no good, Unavailable while there are no keys to judge by."""
        issuer, header = self._unverified(token)
        key = await self._keys[issuer.issuer].key(header.get("kid"), header["alg"])
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=issuer.algorithms,
                issuer=issuer.issuer,
                audience=list(issuer.audiences),
                leeway=issuer.leeway_seconds,
                options={"require": ["exp", "iss", "aud", issuer.subject_claim]},
            )
            expires_at = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=issuer.leeway_seconds)
        except jwt.InvalidKeyError:
            raise Unauthenticated(_OTHER_KIND) from None
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"{_REFUSED}{str(error).rstrip('.')}.") from None
        except (ValueError, TypeError, OverflowError, OSError):
            raise Unauthenticated(f"{_REFUSED}exp is no time that a clock can show.") from None
        subject = claims[issuer.subject_claim]
        # What cannot be printed can be neither stored nor shown in a terminal as it is.
        if (
            not isinstance(subject, str)
            or not 0 < len(subject.strip()) <= _LONGEST_SUBJECT
            or not subject.isprintable()
        ):
            raise Unauthenticated(f"{_REFUSED}{issuer.subject_claim} names nobody.")
        return Claims(
            issuer=issuer.issuer,
            role=Role(issuer.role),
            subject=subject,
            kind=issuer.kind,
            channel=_channel(issuer, claims["aud"]),
            may_link=issuer.may_link,
            expires_at=expires_at,
        )

    def _unverified(self, token: str) -> tuple[Issuer, Mapping[str, Any]]:
        """Who it says it is from, and its header; both believed only once the signature is checked."""
        try:
            if len(token) > _LONGEST:
                raise jwt.DecodeError("too long")
            told = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthenticated("The credential is neither a key of ours nor a token.") from None
        issuer = self._issuers.get(str(told["payload"].get("iss")))
        if issuer is None:
            raise Unauthenticated(f"{_REFUSED}its issuer is not one of STEADYLIGHT_ISSUERS.")
        header = told["header"]
        if header.get("alg") not in issuer.algorithms:
            raise Unauthenticated(f"{_REFUSED}its algorithm is not one that its issuer uses.")
        if "crit" in header or not isinstance(header.get("kid"), str | None):
            raise Unauthenticated(f"{_REFUSED}its header asks for what is not understood.")
        return issuer, header


class _Keys:
    """The keys of one issuer."""

    def __init__(self, issuer: Issuer, http: Http) -> None:
        self._issuer = issuer
        self._http = http
        self._keys: Mapping[str | None, Mapping[str, Any]] = {}
        self._fetched = -_GOOD
        self._tried = -_PAUSE
        self._fetching: asyncio.Task[bool] | None = None
        self._is_down = False

    async def key(self, id: str | None, algorithm: str) -> Any:
        """The key to judge by. Raises Unauthenticated where the issuer has none of that id, Unavailable."""
        if self._issuer.public_key is not None:
            return self._issuer.public_key
        is_fresh = time.monotonic() - self._fetched <= _FRESH
        if id is None and is_fresh and len(self._keys) > 1:
            raise Unauthenticated(f"{_REFUSED}it names no key, and its issuer has several.")
        if self._find(id) is None or not is_fresh:
            await self._learn(id)
        found = self._find(id)
        if found is None:
            raise Unauthenticated(f"{_REFUSED}its issuer has no such key.")
        if found.get("alg", algorithm) != algorithm:
            raise Unauthenticated(_OTHER_KIND)
        try:
            return jwt.PyJWK.from_dict(dict(found), algorithm=algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unauthenticated(_OTHER_KIND) from None

    def _find(self, id: str | None) -> Mapping[str, Any] | None:
        if time.monotonic() - self._fetched > _GOOD:
            return None
        if id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(id)

    async def _learn(self, id: str | None) -> None:
        """Asks the issuer, once for all who wait. Whose key is known waits for no issuer that did not answer last time.

        Raises Unavailable only where there is nothing to judge by.
        """
        is_known = self._find(id) is not None
        is_first = self._fetching is None or self._fetching.done()
        pause = max(0.0, self._tried + _PAUSE - time.monotonic())
        if is_first and not pause:
            self._tried = time.monotonic()
            self._fetching = asyncio.create_task(self._fetch())
        if self._fetching is None or self._fetching.done() or (is_known and self._is_down):
            has_answered = True
        else:
            has_answered = await asyncio.shield(self._fetching)  # somebody who gives up ends it for nobody else
        if is_known or self._find(id) is not None:
            return
        if not has_answered:
            raise Unavailable("The token's issuer cannot be reached. Try again shortly.", retry_after=_PAUSE)
        if pause:  # the set is older than this request, and may lack what is new
            raise Unavailable("The token's key is not known yet. Try again shortly.", retry_after=pause)

    async def _fetch(self) -> bool:
        """Whether the issuer answered."""
        assert self._issuer.jwks_url is not None
        try:
            self._keys = _signing(await self._http.json(self._issuer.jwks_url))
        except Unavailable as error:
            log.warning("an issuer's keys cannot be fetched", issuer=self._issuer.issuer, reason=error.message)
            self._is_down = True
            return False
        self._fetched = time.monotonic()
        self._is_down = False
        return True


def _signing(told: object) -> Mapping[str | None, Mapping[str, Any]]:
    """The keys of a JWKS that may sign, by id. Raises Unavailable for what is none."""
    keys = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(keys, list):
        raise Unavailable("The issuer's answer is not a JWKS.")
    return {
        key.get("kid"): key
        for key in keys
        if isinstance(key, dict)
        and isinstance(key.get("kid"), str | None)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
    }


def _channel(issuer: Issuer, audience: str | Sequence[str]) -> str | None:
    """The channel that the token was given to. Raises Unauthenticated where that may be two."""
    given = [audience] if isinstance(audience, str) else audience
    channels = {issuer.audiences[one] for one in given if one in issuer.audiences}
    if len(channels) != 1:
        raise Unauthenticated(f"{_REFUSED}its audiences stand for several channels.")
    return channels.pop()
