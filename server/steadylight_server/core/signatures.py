"""Signatures on what is sent to other systems, as the Standard Webhooks specification 1.0.0 has them.

    webhook-id         the same however often it is sent; never has a full stop in it
    webhook-timestamp  seconds since 1970, of this attempt: a receiver refuses what is old, so nobody can send it again
    webhook-signature  `v1,` and HMAC-SHA256 in base64 over `id.timestamp.body`; one for each secret, parted by spaces

A receiver takes what one of the signatures fits. So a secret is changed without an outage: sign with both, let the
receiver change to the new one, sign with that alone.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
# Bytes; the specification's bounds.
_SHORTEST, _LONGEST = 24, 64


def key(secret: str) -> bytes:
    """The bytes that sign, of a secret as `whsec_` and base64. Raises ValueError, without the secret in its message."""
    try:
        if not secret.startswith(PREFIX):
            raise ValueError
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"a secret is {PREFIX} and bytes in base64") from None
    if not _SHORTEST <= len(found) <= _LONGEST:
        raise ValueError(f"a secret has {_SHORTEST} to {_LONGEST} bytes")
    return found


def signed(keys: Sequence[bytes], id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt at `at`, in seconds since 1970. Raises ValueError for an id with a full stop."""
    if "." in id:
        raise ValueError("an id with a full stop could pass for another id and time")
    content = f"{id}.{at}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(one, content, hashlib.sha256)).decode() for one in keys)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
