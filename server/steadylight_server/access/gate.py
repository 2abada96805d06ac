"""Tells who is asking: whose secret it is, or for whom a token speaks.

A secret that was checked is remembered, so that a request costs no query for it. `refresh`, called several times a
second, forgets what has ended on any server; what is remembered is trusted for TRUST seconds after a refresh, and
`AccessService.revoke` waits that long. So no server takes a key once its revocation has returned, and one that cannot
refresh asks the database for each request. Under load a refresh takes longer than what is left of the trust: requests
wait for it, rather than that each asks for itself.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from steadylight_server.access.models import (
    ADMIN_SCOPES,
    Channel,
    Credential,
    CredentialKind,
    Proven,
    Role,
    Scope,
    Viewer,
)
from steadylight_server.access.service import TRUST, hashed, parsed
from steadylight_server.access.store import AccessStore
from steadylight_server.access.tokens import Claims, Tokens
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Forbidden, Unauthenticated

_UNKNOWN = "The key is not known, or no longer good. Check STEADYLIGHT_KEY; `steadylight key list` shows what exists."
_SIGNED_OUT = "You are not signed in. `steadylight admin link` and `steadylight agent link` make sign-in links."
_MOST_REMEMBERED = 10_000
# Two database servers' clocks may be this far apart.
_SKEW = timedelta(seconds=10)
# How often the last uses are written down, seconds.
_MARK_EVERY = 15.0


class Gate:
    """The only judge of credentials."""

    def __init__(self, store: AccessStore, tokens: Tokens, *, clock: Clock = now) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._remembered: OrderedDict[bytes, tuple[Viewer, Credential]] = OrderedDict()
        self._channels: dict[str, Channel] = {}
        self._trusted_until = 0.0
        self._refreshed = 0
        self._has_refreshed = asyncio.Event()  # whether or not it could
        self._has_refreshed.set()
        self._forgotten = 0
        self._seen: datetime | None = None
        self._changed: dict[str, datetime] = {}
        self._used: dict[str, datetime] = {}
        self._marked = 0.0
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def key(self, key: str) -> Viewer:
        """Whose key it is. Raises Unauthenticated."""
        return await self._whose(key, CredentialKind.KEY, _UNKNOWN)

    async def session(self, secret: str) -> Viewer:
        """Who signed in. Raises Unauthenticated."""
        return await self._whose(secret, CredentialKind.SESSION, _SIGNED_OUT)

    async def token(self, token: str) -> Viewer:
        """For whom a token in a front end's hands speaks. Raises Unauthenticated, or Unavailable as `Tokens.read`."""
        claims = await self._tokens.read(token)
        channel = await self._channel(claims.channel)
        if claims.channel and channel is None:
            raise Unauthenticated(f"The token's audience stands for the channel {claims.channel}, which is not there.")
        scopes = {Scope.CUSTOMERS_READ}
        if claims.role is Role.CUSTOMER and channel:
            scopes.add(Scope.ACTIONS_WRITE)
        elif claims.role is Role.ADMIN:
            scopes |= ADMIN_SCOPES
        elif claims.role is Role.AGENT and claims.may_link:
            scopes.add(Scope.IDENTITIES_LINK)
        return Viewer(
            role=claims.role,
            id=claims.id,
            name=None if claims.role is Role.CUSTOMER else claims.subject,
            channel=claims.channel,
            scopes=frozenset(scopes),
            highest_assurance=channel.highest_assurance if channel else Assurance.IN_PERSON,
            customer=_proven(claims),
            expires_at=claims.expires_at,
        )

    async def for_customer(self, viewer: Viewer, token: str) -> Viewer:
        """The viewer, a channel's back end, as far as it speaks for the customer whose token it presents.

        Raises Forbidden for another role, Unauthenticated for a token that is no customer's, or another channel's.
        """
        if viewer.role is not Role.CHANNEL:
            raise Forbidden("Steadylight-Customer goes beside a channel's key. A front end sends its token itself.")
        claims = await self._tokens.read(token)
        if claims.role is not Role.CUSTOMER:
            raise Unauthenticated("The token in Steadylight-Customer is not a customer's.")
        if claims.channel not in (None, viewer.channel):
            raise Unauthenticated(f"The token was given to the channel {claims.channel}, not to {viewer.channel}.")
        ends = min(filter(None, (viewer.expires_at, claims.expires_at)))
        return viewer.model_copy(update={"customer": _proven(claims), "expires_at": ends})

    async def ended(self, viewer: Viewer, *, check_every: float) -> None:
        """Returns when the viewer's credential has ended, on whatever server that was said."""
        with self._told_of(viewer.credential) as told:
            while True:
                told.clear()  # before the look: what is told meanwhile is looked at again
                if not await self._is_good(viewer):
                    return
                left = (viewer.expires_at - self._clock()).total_seconds() if viewer.expires_at else check_every
                try:
                    await asyncio.wait_for(told.wait(), max(0.0, min(left, check_every)))
                except TimeoutError:
                    continue

    async def refresh(self) -> None:
        """Forgets what has ended since the last time, here or elsewhere. Raises Unavailable."""
        self._has_refreshed.clear()
        try:
            await self._refresh()
        finally:
            self._has_refreshed.set()
        if time.monotonic() - self._marked > _MARK_EVERY:
            await self.mark_used()

    async def _refresh(self) -> None:
        began = time.monotonic()
        if self._seen is None:
            self._seen = await self._store.database_time()
            self._remembered.clear()
        changed = await self._store.changed_since(self._seen - _SKEW)
        self._seen = max(self._seen, *changed.values()) if changed else self._seen
        for hash, (viewer, _) in list(self._remembered.items()):
            if viewer.credential in changed:
                del self._remembered[hash]
        for id, _ in changed.items() - self._changed.items():
            for told in self._waiting.get(id, ()):
                told.set()
        self._changed = changed
        self._refreshed += 1
        self._trusted_until = began + TRUST

    def forget_channels(self) -> None:
        """Channels may be other than they were: whoever asks next is looked at anew."""
        self._channels.clear()
        self._remembered.clear()
        self._forgotten += 1
        self._refreshed += 1

    async def mark_used(self) -> None:
        """Writes down when each key was used last. Raises Unavailable."""
        self._marked = time.monotonic()
        used, self._used = self._used, {}
        try:
            if used:
                await self._store.mark_used(used)
        except BaseException:  # also when the server stops meanwhile: it tries once more
            self._used = used | self._used
            raise

    @property
    def _is_trusted(self) -> bool:
        """Whether what is remembered counts without another look."""
        return time.monotonic() < self._trusted_until

    async def _whose(self, secret: str, kind: CredentialKind, otherwise: str) -> Viewer:
        hash = hashed(secret)
        if not self._is_trusted and hash in self._remembered:
            with suppress(TimeoutError):
                async with asyncio.timeout(TRUST):
                    await self._has_refreshed.wait()
        viewer, credential = self._remembered.get(hash, (None, None))
        if viewer is None or credential is None or not self._is_trusted:
            refreshed = self._refreshed
            viewer, credential = await self._check(secret, hash, kind, otherwise)
            if refreshed == self._refreshed:  # else a refresh may have passed over what this look was too early to see
                self._remembered[hash] = viewer, credential
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        at = self._clock()
        if credential.kind is not kind or not credential.is_good(at):
            raise Unauthenticated(otherwise)
        self._used[credential.id] = at
        return viewer

    async def _check(self, secret: str, hash: bytes, kind: CredentialKind, otherwise: str) -> tuple[Viewer, Credential]:
        shape = parsed(secret)
        found = await self._store.credential(shape[1]) if shape and shape[0] is kind else None
        if found is None or not secrets.compare_digest(found[1], hash):
            raise Unauthenticated(otherwise)
        credential = found[0]
        channel = await self._channel(credential.channel)
        viewer = Viewer(
            role=credential.role,
            id=credential.id,
            name=credential.name,
            channel=credential.channel,
            scopes=credential.scopes,
            highest_assurance=channel.highest_assurance if channel else Assurance.IN_PERSON,
            credential=credential.id,
            expires_at=credential.expires_at,
        )
        return viewer, credential

    async def _channel(self, name: str | None) -> Channel | None:
        """Remembered until `forget_channels`."""
        if name is None or name in self._channels:
            return self._channels.get(name or "")
        forgotten = self._forgotten
        found = await self._store.channel(name)
        if found is not None and forgotten == self._forgotten:
            self._channels[name] = found
        return found

    async def _is_good(self, viewer: Viewer) -> bool:
        if viewer.expires_at and viewer.expires_at <= self._clock():
            return False
        if viewer.credential is None:
            return True
        found = await self._store.credential(viewer.credential)
        return found is not None and found[0].is_good(self._clock())

    @contextmanager
    def _told_of(self, credential: str | None) -> Iterator[asyncio.Event]:
        """Set when `refresh` learns of a change of the credential."""
        told = asyncio.Event()
        if credential is None:
            yield told
            return
        self._waiting.setdefault(credential, set()).add(told)
        try:
            yield told
        finally:
            self._waiting[credential].discard(told)
            if not self._waiting[credential]:
                del self._waiting[credential]


def _proven(claims: Claims) -> Proven | None:
    return Proven(claims.kind, claims.subject) if claims.role is Role.CUSTOMER else None
