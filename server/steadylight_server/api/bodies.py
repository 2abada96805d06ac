"""Request bodies, read and inflated without ever holding more than the limit."""

import zlib

from starlette.requests import Request

from steadylight_server.core.errors import Invalid

# A body that is too long is read on and dropped up to this many times the limit: closing at once would reset the
# connection while the caller still sends, and they would see a network failure instead of the reason.
_DRAINED = 8


class TooLarge(Invalid):
    """The body, as sent or inflated, is longer than the server takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is longer than {limit} bytes.")


async def read(request: Request, limit: int) -> bytes:
    """The body as sent. Raises TooLarge, and starlette's ClientDisconnect if the caller leaves."""
    chunks: list[bytes] = []
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
        if length > limit * _DRAINED:
            break
    if length > limit:
        raise TooLarge(limit)
    return b"".join(chunks)


def inflate(body: bytes, limit: int) -> bytes:
    """The body with gzip undone. Raises TooLarge before much more than `limit` exists, Invalid if it is not gzip."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise Invalid("The body is not gzip, though Content-Encoding says so.") from error
    if len(inflated) > limit:
        raise TooLarge(limit)
    if not inflater.eof or inflater.unused_data:
        raise Invalid("The body is not one whole gzip stream.")
    return inflated
