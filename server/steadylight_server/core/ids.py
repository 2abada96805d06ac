"""Ids that sort by the time they were made (UUIDv7, RFC 9562): new entries land at the end of an index."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random ones."""
    random = int.from_bytes(os.urandom(10), "big")
    version_and_variant = 0x7 << 76 | 0b10 << 62
    noise = (random >> 68 & 0xFFF) << 64 | random & (1 << 62) - 1
    return UUID(int=time.time_ns() // 1_000_000 << 80 | version_and_variant | noise)
