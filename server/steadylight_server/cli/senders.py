"""A client of the SDK for each channel that a log names, with a key of that channel."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from steadylight import Client, Conflict, Options
from steadylight_server.cli.actionlog import Line
from steadylight_server.cli.output import Failure
from steadylight_server.cli.patience import patiently

_VIEWER = "{ viewer { channel scopes } }"
_CHANNELS = "{ channels { name kind highestAssurance } }"
_REGISTER = "channels:register"
# What a new channel may assert: all that a log's own words can be trusted for.
_HIGHEST = "LOGIN"


class Refused(Exception):
    """This channel's lines cannot be sent; the message says why."""


class Senders:
    """The clients, made as channels turn up. With a channel's key in the place of an admin's, that channel alone."""

    def __init__(self, url: str, key: str | None, options: Options) -> None:
        """With STEADYLIGHT_KEY if `key` is None.

        Raises the SDK's errors when the server cannot be reached, Failure when the key cannot do this.
        """
        self._url = url
        self._options = options
        self._clients: dict[str, Client] = {}
        self._existing: dict[str, dict[str, Any]] = {}
        self.keys: list[str] = []  # those that were fetched
        self.asking = Client(url, key, options=options)
        try:
            self._only: str | None = self._channel()
        except BaseException:
            self.asking.close(0)
            raise
        if self._only is not None:
            self._clients[self._only] = self.asking

    def of(self, channel: str, lines: Sequence[Line]) -> Client:
        """The channel's client; a channel that is not registered yet is. Raises Refused."""
        if channel not in self._clients:
            if self._only is not None:
                raise Refused(f"channel: the key speaks for {self._only} only, not for {channel}; use an admin's")
            key = patiently(lambda: self._key(channel, lines))
            self.keys.append(key)
            self._clients[channel] = Client(self._url, key, options=self._options)
        return self._clients[channel]

    def _channel(self) -> str | None:
        """Whose key it is, None for an admin's. Raises Failure for an admin's that cannot fetch others."""
        viewer = self.asking.graphql(_VIEWER)["viewer"]
        if viewer["channel"] is None and _REGISTER not in viewer["scopes"]:
            raise Failure(f"The key lacks the scope {_REGISTER}. Make one that has it: steadylight key add --admin")
        channel: str | None = viewer["channel"]
        return channel

    def _key(self, channel: str, lines: Sequence[Line]) -> str:
        """A new key, of the channel as it is if there is one."""
        if channel not in self._existing:
            self._look_again()
        there = self._existing.get(channel)
        if there is None:
            try:
                return self.asking.register_channel(channel, _kind(lines), _HIGHEST)
            except Conflict:  # somebody else has added it meanwhile
                self._look_again()
                there = self._existing[channel]
        return self.asking.register_channel(channel, there["kind"], there["highestAssurance"])

    def _look_again(self) -> None:
        self._existing = {one["name"]: one for one in self.asking.graphql(_CHANNELS)["channels"]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for client in {id(client): client for client in (self.asking, *self._clients.values())}.values():
            client.close(0)


def _kind(lines: Sequence[Line]) -> str:
    """The kind of a channel that is known by these lines alone: employees act in one that is assisted."""
    agents = sum(line.action.get("actor") == "AGENT" for line in lines)
    return "ASSISTED" if agents * 2 > len(lines) else "SELF_SERVICE"
