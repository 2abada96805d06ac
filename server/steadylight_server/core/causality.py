"""Read-your-writes across channels and servers: a signed token says from which moment on a reader must see.

A write answers with a token; whoever presents it, in any channel, sees at least that write, or is told UNAVAILABLE.
The token holds the database's operation time and cluster time (with the cluster's own signature, so that a node that
lags learns the time), and an HMAC-SHA256 over both, cut to 16 bytes: a forged time could make a node wait.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson.binary import Binary
from bson.int64 import Int64
from bson.timestamp import Timestamp

from steadylight_server.core.errors import Invalid

_LAYOUT = struct.Struct(">IIIIq20s")  # operation time, increment; cluster time, increment; key id, signature
_SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class Moment:
    """A point in the life of the database cluster."""

    operation_time: Timestamp
    cluster_time: Timestamp
    key_id: int
    signature: bytes

    @classmethod
    def of(cls, operation_time: Timestamp, cluster_time: Mapping[str, Any]) -> "Moment":
        """From what the driver keeps in a session."""
        proof = cluster_time.get("signature") or {}
        return cls(
            operation_time, cluster_time["clusterTime"], int(proof.get("keyId", 0)), bytes(proof.get("hash", b""))
        )

    def gossip(self) -> dict[str, Any]:
        """The cluster time in the form in which drivers pass it on."""
        proof = {"hash": Binary(self.signature.ljust(20, b"\0")), "keyId": Int64(self.key_id)}
        return {"clusterTime": self.cluster_time, "signature": proof}

    def token(self, secret: bytes) -> str:
        """Opaque text for a client to keep and present."""
        packed = _LAYOUT.pack(
            self.operation_time.time,
            self.operation_time.inc,
            self.cluster_time.time,
            self.cluster_time.inc,
            self.key_id,
            self.signature,
        )
        return base64.urlsafe_b64encode(packed + _sign(packed, secret)).rstrip(b"=").decode()

    @classmethod
    def from_token(cls, token: str, secret: bytes) -> "Moment":
        """Raises Invalid for anything that this deployment did not sign."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            packed, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
            time, inc, cluster, cluster_inc, key_id, proof = _LAYOUT.unpack(packed)
        except (binascii.Error, struct.error, ValueError) as error:
            raise Invalid("The token is not one of ours. Present it exactly as it was given.") from error
        if not hmac.compare_digest(signature, _sign(packed, secret)):
            raise Invalid("The token is not one of ours. Present it exactly as it was given.")
        return cls(Timestamp(time, inc), Timestamp(cluster, cluster_inc), key_id, proof)


def _sign(packed: bytes, secret: bytes) -> bytes:
    # Not hmac.digest, which lets another thread go first however little there is to sign.
    return hmac.new(secret, packed, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
