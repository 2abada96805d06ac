"""Channels and credentials in MongoDB. A ledger: backed up, never rebuilt.

channels       _id: name · kind: ChannelKind · highest_assurance: name of the level · created_at · cost_per_contact?
credentials    _id: 12 hex digits · kind: CredentialKind · role · name?: an employee's · channel: name, or null ·
               hash: SHA-256 of the whole secret · scopes: names · created_at · expires_at? · revoked_at? ·
               last_used_at?: to the minute or so · changed_at?: when it was ended, by the database's clock ·
               gone_at?: when links and sessions are removed
               indexes: (kind, channel); changed_at; gone_at, which removes
secrets        _id: what it signs · value: 32 random bytes, made by whichever server needs it first
"""

import secrets
from collections.abc import Mapping
from datetime import datetime

from pymongo import IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from steadylight_server.access.models import Channel, ChannelKind, Credential, CredentialKind, Role
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store


class AccessStore(Store):
    """Reads and writes channels, credentials and signing secrets."""

    collections = {"channels": Kept.LEDGER, "credentials": Kept.LEDGER, "secrets": Kept.LEDGER}
    indexes = {
        "credentials": [
            IndexModel([("kind", 1), ("channel", 1)], name="owner"),
            IndexModel([("changed_at", 1)], name="changed", sparse=True),
            IndexModel([("gone_at", 1)], name="gone", expireAfterSeconds=0),
        ]
    }

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

    async def put_channel(self, channel: Channel) -> None:
        """Stores it, in the place of what it was; since when it exists stays."""
        cost = channel.cost_per_contact
        told = {"kind": channel.kind.value, "highest_assurance": channel.highest_assurance.name}
        change: Document = {
            "$set": told if cost is None else {**told, "cost_per_contact": cost},
            "$setOnInsert": {"created_at": channel.created_at},
        }
        if cost is None:
            change["$unset"] = {"cost_per_contact": ""}
        await self._channels.update_one({"_id": channel.name}, change, upsert=True)

    async def remove_channel(self, name: str) -> None:
        """There is no such channel from now on."""
        await self._channels.delete_one({"_id": name})

    async def channel(self, name: str) -> Channel | None:
        """The channel of that name."""
        document = await self._channels.find_one({"_id": name})
        return _channel(document) if document else None

    async def channels(self) -> list[Channel]:
        """All, by name."""
        return [_channel(document) for document in await self._channels.find({}, sort=[("_id", 1)])]

    async def add_credential(self, credential: Credential, hash: bytes, *, gone_at: datetime | None = None) -> None:
        """Stores the credential with the hash of its secret."""
        optional = {"name": credential.name, "expires_at": credential.expires_at, "gone_at": gone_at}
        await self._credentials.insert_one(
            {
                "_id": credential.id,
                "kind": credential.kind.value,
                "role": credential.role.value,
                "channel": credential.channel,
                "hash": hash,
                "scopes": sorted(credential.scopes),
                "created_at": credential.created_at,
                **{name: value for name, value in optional.items() if value is not None},
            }
        )

    async def credential(self, id: str) -> tuple[Credential, bytes] | None:
        """The credential and the hash of its secret."""
        document = await self._credentials.find_one({"_id": id})
        return (_credential(document), bytes(document["hash"])) if document else None

    async def keys(self, channel: str | None) -> list[Credential]:
        """Those of one channel, or of the admins; oldest first."""
        return await self._found({"kind": {"$in": [CredentialKind.KEY.value, None]}, "channel": channel})

    async def sessions(self) -> list[Credential]:
        """All that are kept, oldest first."""
        return await self._found({"kind": CredentialKind.SESSION.value})

    async def end(self, id: str, *, field: str, at: datetime) -> Credential | None:
        """Sets `expires_at` or `revoked_at`, unless it is set to something earlier; None when there is no such id."""
        change = {"$min": {field: at}, "$currentDate": {"changed_at": True}}
        document = await self._credentials.find_one_and_update({"_id": id}, change)
        return _credential(document) if document else None

    async def use_up(self, id: str, at: datetime) -> bool:
        """Ends what is good once; False when that was done before."""
        matched, _ = await self._credentials.update_one(
            {"_id": id, "revoked_at": {"$exists": False}},
            {"$set": {"revoked_at": at}, "$currentDate": {"changed_at": True}},
        )
        return matched == 1

    async def changed_since(self, at: datetime) -> dict[str, datetime]:
        """Which were ended at that moment or later, by the database's clock, and when."""
        found = await self._credentials.find({"changed_at": {"$gte": at}})
        return {document["_id"]: document["changed_at"] for document in found}

    async def database_time(self) -> datetime:
        """What `changed_at` is measured by."""
        return await self.database.server_time()

    async def mark_used(self, used: Mapping[str, datetime]) -> None:
        """Keeps when each was used last."""
        await self._credentials.bulk_write(
            [UpdateOne({"_id": id}, {"$max": {"last_used_at": at}}) for id, at in used.items()]
        )

    async def _found(self, query: Document) -> list[Credential]:
        found = await self._credentials.find(query, sort=[("created_at", 1), ("_id", 1)])
        return [_credential(document) for document in found]

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
        cost_per_contact=document.get("cost_per_contact"),
    )


def _credential(document: Document) -> Credential:
    # What was stored before there were other kinds is a key.
    role = Role(document["role"]) if "role" in document else Role.CHANNEL if document["channel"] else Role.ADMIN
    return Credential(
        id=document["_id"],
        kind=CredentialKind(document.get("kind", CredentialKind.KEY.value)),
        role=role,
        name=document.get("name"),
        channel=document["channel"],
        scopes=frozenset(document["scopes"]),
        created_at=document["created_at"],
        expires_at=document.get("expires_at"),
        revoked_at=document.get("revoked_at"),
        last_used_at=document.get("last_used_at"),
    )
