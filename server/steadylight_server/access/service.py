"""Registers channels, makes and ends keys, and tells who a key belongs to.

A key reads `sl_<id>_<secret>`. The secret has 256 random bits, so a plain SHA-256 of the key is all that is stored:
slow hashes protect guessable passwords, which this is not. A checked key is remembered for a few seconds, so that a
request costs no query for it; a revoked key therefore works that much longer at the most.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from datetime import timedelta

from steadylight_server.access.models import (
    ADMIN_SCOPES,
    CHANNEL_SCOPES,
    HIGHEST_ASSURANCE,
    Channel,
    ChannelKind,
    Credential,
    Scope,
    Viewer,
)
from steadylight_server.access.store import AccessStore
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated

_NAME = re.compile(r"[a-z][a-z0-9-]{0,49}")
_KEY = re.compile(r"sl_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_UNKNOWN = "The key is not known, or no longer good. Check STEADYLIGHT_KEY; `steadylight key list` shows what exists."
_MOST_REMEMBERED = 10_000


class AccessService:
    """The only judge of credentials."""

    def __init__(self, store: AccessStore, *, clock: Clock = now, remember_seconds: float = 2.0) -> None:
        self._store = store
        self._clock = clock
        self._remember_seconds = remember_seconds
        self._remembered: OrderedDict[bytes, tuple[float, Viewer]] = OrderedDict()

    async def add_channel(self, name: str, kind: ChannelKind, *, highest_assurance: Assurance | None = None) -> Channel:
        """A new channel. Raises Conflict when the name is taken, Invalid when it is no name."""
        if not _NAME.fullmatch(name):
            raise Invalid("A channel's name has 1 to 50 lower-case letters, digits and hyphens, a letter first.")
        channel = Channel(
            name=name,
            kind=kind,
            highest_assurance=highest_assurance or HIGHEST_ASSURANCE[kind],
            created_at=self._clock(),
        )
        if not await self._store.add_channel(channel):
            raise Conflict(f"There is a channel called {name} already.")
        return channel

    async def register(
        self, viewer: Viewer, name: str, kind: ChannelKind, *, highest_assurance: Assurance | None = None
    ) -> tuple[Channel, str]:
        """The channel of that name, made if need be, and a new key for it.

        Raises Forbidden without the scope, Conflict when it exists and is of another kind or assurance.
        """
        if not viewer.may(Scope.CHANNELS_REGISTER):
            raise Forbidden(f"This key lacks the scope {Scope.CHANNELS_REGISTER}.")
        try:
            channel = await self.add_channel(name, kind, highest_assurance=highest_assurance)
        except Conflict:
            channel = await self.channel(name)
            if channel.kind != kind or channel.highest_assurance != (highest_assurance or HIGHEST_ASSURANCE[kind]):
                raise
        return channel, (await self.add_key(name))[1]

    async def channel(self, name: str) -> Channel:
        """Raises NotFound."""
        channel = await self._store.channel(name)
        if channel is None:
            raise NotFound(f"There is no channel called {name}. Add it with `steadylight channel add {name}`.")
        return channel

    async def channels(self) -> list[Channel]:
        """All, by name."""
        return await self._store.channels()

    async def add_key(self, channel: str | None, *, scopes: frozenset[Scope] | None = None) -> tuple[Credential, str]:
        """A new credential and its key, which is shown this once. `channel` None makes an admin's.

        Raises NotFound when there is no such channel.
        """
        if channel is not None:
            await self.channel(channel)
        id = secrets.token_hex(6)
        key = f"sl_{id}_{secrets.token_urlsafe(32)}"
        credential = Credential(
            id=id,
            channel=channel,
            scopes=scopes if scopes is not None else CHANNEL_SCOPES if channel else ADMIN_SCOPES,
            created_at=self._clock(),
        )
        await self._store.add_credential(credential, _hash(key))
        return credential, key

    async def rotate(self, channel: str | None, *, overlap: timedelta) -> tuple[Credential, str]:
        """A new key; the good ones that were there end after `overlap`. Raises NotFound.

        It may do what they could together, so that nobody gains a scope by rotating; without one, what is usual.
        """
        good = [credential for credential in await self.keys(channel) if credential.is_good(self._clock())]
        scopes = frozenset[Scope]().union(*(credential.scopes for credential in good))
        added = await self.add_key(channel, scopes=scopes or None)
        for credential in good:
            await self._store.end(credential.id, field="expires_at", at=self._clock() + overlap)
        return added

    async def revoke(self, id: str) -> None:
        """Ends a key now. Raises NotFound."""
        if not await self._store.end(id, field="revoked_at", at=self._clock()):
            raise NotFound(f"There is no key with the id {id}. `steadylight key list` shows what exists.")

    async def keys(self, channel: str | None) -> list[Credential]:
        """A channel's credentials, or the admins'; oldest first."""
        return await self._store.credentials(channel)

    async def authenticate(self, key: str) -> Viewer:
        """Whose key it is. Raises Unauthenticated."""
        hash = _hash(key)
        since, viewer = self._remembered.get(hash, (0.0, None))
        if viewer and time.monotonic() - since < self._remember_seconds and viewer.credential.is_good(self._clock()):
            return viewer
        self._remembered.pop(hash, None)
        viewer = await self._check(key, hash)
        self._remembered[hash] = (time.monotonic(), viewer)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return viewer

    async def ended(self, viewer: Viewer, *, check_every: float) -> None:
        """Returns when the viewer's credential has ended, within so many seconds of it."""
        # Another server may have revoked it: only the database knows, so it is asked.
        while (found := await self._store.credential(viewer.credential.id)) and found[0].is_good(self._clock()):  # noqa: ASYNC110
            await asyncio.sleep(check_every)

    async def secret(self, name: str) -> bytes:
        """The deployment's signing secret of that name."""
        return await self._store.secret(name)

    async def _check(self, key: str, hash: bytes) -> Viewer:
        shape = _KEY.fullmatch(key)
        found = await self._store.credential(shape[1]) if shape else None
        if found is None or not hmac.compare_digest(found[1], hash) or not found[0].is_good(self._clock()):
            raise Unauthenticated(_UNKNOWN)
        credential = found[0]
        if credential.channel is None:
            return Viewer(credential=credential, channel=None, highest_assurance=Assurance.IN_PERSON)
        channel = await self.channel(credential.channel)
        return Viewer(credential=credential, channel=channel.name, highest_assurance=channel.highest_assurance)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
