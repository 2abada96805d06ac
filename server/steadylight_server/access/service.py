"""Registers channels, makes and ends credentials. All of it is audited.

A secret reads `<kind>_<id>_<secret>`, as in `sl_3f2a90b1c4d5_…`. It has 256 random bits, so a plain SHA-256 of the
whole is all that is stored: slow hashes protect guessable passwords, which this is not. `access/gate` reads it.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta

from steadylight_server.access.models import (
    ADMIN_SCOPES,
    AGENT_SCOPES,
    CHANNEL_SCOPES,
    HIGHEST_ASSURANCE,
    Channel,
    ChannelKind,
    Credential,
    CredentialKind,
    Role,
    Viewer,
)
from steadylight_server.access.store import AccessStore
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.audit import Audit
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable

_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,49}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SECRET = re.compile(r"(sl|sll|sls)_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")

# A link lies in a terminal or a message until somebody clicks it; a session is a working day.
LINK_LASTS = timedelta(hours=1)
SESSION_LASTS = timedelta(hours=8)
# Links and sessions that are over are kept so long for whoever looks into something.
_KEPT = timedelta(days=30)

# A server trusts what it remembers of a credential this long after it last asked what has ended, seconds.
TRUST = 0.5
_LINK_IS_OVER = "This sign-in link is not known, or was used, or is too old. `steadylight admin link` makes a new one."


def parsed(secret: str) -> tuple[CredentialKind, str] | None:
    """Kind and id of what looks like a secret of ours."""
    shape = _SECRET.fullmatch(secret)
    return (CredentialKind(shape[1]), shape[2]) if shape else None


def hashed(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class AccessService:
    """The only maker of channels and credentials. `by` says who asks for it, for the audit."""

    def __init__(self, store: AccessStore, audit: Audit, *, clock: Clock = now) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def add_channel(
        self,
        name: str,
        kind: ChannelKind,
        *,
        highest_assurance: Assurance | None = None,
        by: Mapping[str, str],
    ) -> Channel:
        """A new channel. Raises Conflict when the name is taken, Invalid when it is no name."""
        if not _CHANNEL.fullmatch(name):
            raise Invalid("A channel's name has 1 to 50 lower-case letters, digits and hyphens, a letter first.")
        channel = Channel(
            name=name,
            kind=kind,
            highest_assurance=highest_assurance or HIGHEST_ASSURANCE[kind],
            created_at=self._clock(),
        )
        if await self._store.channel(name) is None:
            await self._audit.note(who=by, deed="channel.added", why=name)
            if await self._store.add_channel(channel):
                return channel
        raise Conflict(f"There is a channel called {name} already.")

    async def register(
        self, viewer: Viewer, name: str, kind: ChannelKind, *, highest_assurance: Assurance | None = None
    ) -> tuple[Channel, str]:
        """The channel of that name, made if need be, and a new key for it.

        Raises Conflict when it exists and is of another kind or assurance.
        """
        by = viewer.described()
        try:
            channel = await self.add_channel(name, kind, highest_assurance=highest_assurance, by=by)
        except Conflict:
            channel = await self.channel(name)
            if channel.kind != kind or channel.highest_assurance != (highest_assurance or HIGHEST_ASSURANCE[kind]):
                raise
        return channel, (await self.add_key(name, by=by))[1]

    async def channel(self, name: str) -> Channel:
        """Raises NotFound."""
        channel = await self._store.channel(name)
        if channel is None:
            raise NotFound(f"There is no channel called {name}. Add it with `steadylight channel add {name}`.")
        return channel

    async def channels(self) -> list[Channel]:
        """All, by name."""
        return await self._store.channels()

    async def declare_channels(self, declared: Iterable[Channel], removed: Iterable[str]) -> None:
        """Makes channels what somebody declared, and removes others; in the caller's transaction, who audits it."""
        for channel in declared:
            await self._store.put_channel(channel)
        for name in removed:
            await self._store.remove_channel(name)

    async def add_key(
        self,
        channel: str | None,
        *,
        scopes: frozenset[str] | None = None,
        lasting: timedelta | None = None,
        by: Mapping[str, str],
    ) -> tuple[Credential, str]:
        """A new credential and its key, which is shown this once. `channel` None makes an admin's.

        It is good for as long as `lasting` says, or until somebody ends it.

        Raises NotFound when there is no such channel.
        """
        if channel is not None:
            await self.channel(channel)
        role, usual = (Role.CHANNEL, CHANNEL_SCOPES) if channel else (Role.ADMIN, ADMIN_SCOPES)
        at = self._clock()
        return await self._add(
            Credential(
                id=secrets.token_hex(6),
                role=role,
                channel=channel,
                scopes=usual if scopes is None else scopes,
                created_at=at,
                expires_at=at + lasting if lasting is not None else None,
            ),
            by=by,
        )

    async def rotate(self, channel: str | None, *, overlap: timedelta, by: Mapping[str, str]) -> tuple[Credential, str]:
        """A new key; the good ones that were there end after `overlap`. Raises NotFound.

        It may do what they could together, so that nobody gains a scope by rotating; without one, what is usual.
        """
        good = [credential for credential in await self.keys(channel) if credential.is_good(self._clock())]
        scopes = frozenset[str]().union(*(credential.scopes for credential in good))
        added = await self.add_key(channel, scopes=scopes or None, by=by)
        for credential in good:
            await self._audit.note(who=by, deed="key.ending", why=credential.id)
        for credential in good:
            await self._store.end(credential.id, field="expires_at", at=self._clock() + overlap)
        if good and overlap < timedelta(seconds=TRUST):
            await asyncio.sleep(TRUST)  # as in `revoke`
        return added

    async def revoke(self, *ids: str, by: Mapping[str, str]) -> None:
        """Ends keys, links and sessions now. When this returns, or raises, no server takes those that were found.

        Raises NotFound for the first that was not; Unavailable where the audit could not be written, for which the end
        of a stolen key must not wait.
        """
        ended = {id: await self._store.end(id, field="revoked_at", at=self._clock()) for id in ids}
        if any(ended.values()):
            await asyncio.sleep(TRUST)  # which is how long a server that does not know of it yet may trust its memory
        for id, credential in ended.items():
            if credential is None:
                raise NotFound(f"There is no key or session with the id {id}. `steadylight key list` shows the keys.")
            try:
                await self._audit.note(who=by, deed=f"{credential.kind.name.lower()}.revoked", why=id)
            except Unavailable as error:
                raise Unavailable(
                    f"{id} is ended, but the audit log does not say so yet. Try again shortly."
                ) from error

    async def keys(self, channel: str | None) -> list[Credential]:
        """A channel's credentials, or the admins'; oldest first."""
        return await self._store.keys(channel)

    async def sessions(self) -> list[Credential]:
        """Of employees who signed in by a link; oldest first."""
        return await self._store.sessions()

    async def add_link(
        self, role: Role, name: str, *, channel: str | None = None, by: Mapping[str, str]
    ) -> tuple[Credential, str]:
        """A new sign-in link's credential and secret, good once, for LINK_LASTS.

        `channel` is the one whose contacts an agent works on. Raises Invalid for what is no name, NotFound.
        """
        if not 0 < len(name) <= 100 or name != name.strip() or _UNPRINTABLE.search(name):
            raise Invalid("A name has 1 to 100 printable characters, none of them a space at either end.")
        if channel is not None:
            await self.channel(channel)
        return await self._add(
            Credential(
                id=secrets.token_hex(6),
                kind=CredentialKind.LINK,
                role=role,
                name=name,
                channel=channel,
                scopes=ADMIN_SCOPES if role is Role.ADMIN else AGENT_SCOPES,
                created_at=self._clock(),
                expires_at=self._clock() + LINK_LASTS,
            ),
            by=by,
        )

    async def sign_in(self, link: str) -> tuple[Credential, str]:
        """The session that a link opens, and its secret; the link is used up. Raises Unauthenticated."""
        shape = parsed(link)
        found = await self._store.credential(shape[1]) if shape and shape[0] is CredentialKind.LINK else None
        if found is None or not secrets.compare_digest(found[1], hashed(link)) or not found[0].is_good(self._clock()):
            raise Unauthenticated(_LINK_IS_OVER)
        opened = found[0]
        if not await self._store.use_up(opened.id, self._clock()):
            raise Unauthenticated(_LINK_IS_OVER)
        at = self._clock()
        fresh = {"kind": CredentialKind.SESSION, "id": secrets.token_hex(6)}
        session = opened.model_copy(update={**fresh, "created_at": at, "expires_at": at + SESSION_LASTS})
        by = {"role": session.role.value, "id": session.id, "name": session.name or ""}
        return await self._add(session, by=by)

    async def secret(self, name: str) -> bytes:
        """The deployment's signing secret of that name."""
        return await self._store.secret(name)

    async def _add(self, credential: Credential, *, by: Mapping[str, str]) -> tuple[Credential, str]:
        """Audited first: one that is not in the audit must not be good."""
        secret = f"{credential.kind.value}_{credential.id}_{secrets.token_urlsafe(32)}"
        owner = credential.name or credential.channel or credential.role.value
        await self._audit.note(who=by, deed=f"{credential.kind.name.lower()}.added", why=f"{credential.id} of {owner}")
        gone_at = credential.expires_at + _KEPT if credential.expires_at else None
        await self._store.add_credential(credential, hashed(secret), gone_at=gone_at)
        return credential, secret
