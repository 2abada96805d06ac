"""Channels and credentials in MongoDB. A ledger: backed up, never rebuilt.

channels       _id: name · kind: ChannelKind · highest_assurance: name of the level · created_at
credentials    _id: key id (12 hex digits) · channel: name, or null for an admin · hash: SHA-256 of the whole key ·
               scopes: names · created_at · expires_at? · revoked_at?       index: channel
secrets        _id: what it signs · value: 32 random bytes, made by whichever server needs it first
"""

import secrets
from datetime import datetime

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from steadylight_server.access.models import Channel, ChannelKind, Credential, Scope
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store


class AccessStore(Store):
    """Reads and writes channels, credentials and signing secrets."""

    collections = {"channels": Kept.LEDGER, "credentials": Kept.LEDGER, "secrets": Kept.LEDGER}
    indexes = {"credentials": [IndexModel([("channel", 1)], name="channel")]}

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._channels = self.collection("channels")
        self._credentials = self.collection("credentials")
        self._secrets = self.collection("secrets")

    async def add_channel(self, channel: Channel) -> bool:
        """Stores it; False when the name is taken."""
        document = {
            "_id": channel.name,
            "kind": channel.kind.value,
            "highest_assurance": channel.highest_assurance.name,
            "created_at": channel.created_at,
        }
        try:
            await self._channels.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def channel(self, name: str) -> Channel | None:
        """The channel of that name."""
        document = await self._channels.find_one({"_id": name})
        return _channel(document) if document else None

    async def channels(self) -> list[Channel]:
        """All, by name."""
        return [_channel(document) for document in await self._channels.find({}, sort=[("_id", 1)])]

    async def add_credential(self, credential: Credential, hash: bytes) -> None:
        """Stores the credential with the hash of its key."""
        await self._credentials.insert_one(
            {
                "_id": credential.id,
                "channel": credential.channel,
                "hash": hash,
                "scopes": sorted(credential.scopes),
                "created_at": credential.created_at,
                **({"expires_at": credential.expires_at} if credential.expires_at else {}),
            }
        )

    async def credential(self, id: str) -> tuple[Credential, bytes] | None:
        """The credential and the hash of its key."""
        document = await self._credentials.find_one({"_id": id})
        return (_credential(document), bytes(document["hash"])) if document else None

    async def credentials(self, channel: str | None) -> list[Credential]:
        """Those of one channel, or of the admins; oldest first."""
        found = await self._credentials.find({"channel": channel}, sort=[("created_at", 1), ("_id", 1)])
        return [_credential(document) for document in found]

    async def end(self, id: str, *, field: str, at: datetime) -> bool:
        """Sets `expires_at` or `revoked_at`, unless it is set to something earlier; False when there is no such key."""
        matched, _ = await self._credentials.update_one({"_id": id}, {"$min": {field: at}})
        return matched == 1

    async def secret(self, name: str) -> bytes:
        """The signing secret of that name; made once, also when several servers ask at the same moment."""
        change = {"$setOnInsert": {"value": secrets.token_bytes(32)}}
        try:
            document = await self._secrets.find_one_and_update({"_id": name}, change, upsert=True)
        except DuplicateKeyError:
            document = await self._secrets.find_one({"_id": name})
        assert document is not None
        return bytes(document["value"])


def _channel(document: Document) -> Channel:
    return Channel(
        name=document["_id"],
        kind=ChannelKind(document["kind"]),
        highest_assurance=Assurance[document["highest_assurance"]],
        created_at=document["created_at"],
    )


def _credential(document: Document) -> Credential:
    return Credential(
        id=document["_id"],
        channel=document["channel"],
        scopes=frozenset(Scope(scope) for scope in document["scopes"]),
        created_at=document["created_at"],
        expires_at=document.get("expires_at"),
        revoked_at=document.get("revoked_at"),
    )
