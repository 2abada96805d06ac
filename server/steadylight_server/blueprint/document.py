"""Reads a blueprint."""

from steadylight_server.blueprint.capabilities import is_data
from steadylight_server.blueprint.models import Blueprint
from steadylight_server.core import document


def read(text: str) -> Blueprint:
    """The blueprint that the text is. Raises Invalid, with a line for each fault, in the order of the text."""
    return document.read(text, Blueprint, what="a blueprint", begins="version: 1", words=_words, is_data=is_data)


def _words(kind: str, path: document.Path) -> str | None:
    if kind == "literal_error" and path == ("version",):
        return "this server reads version 1"
    if kind == "string_pattern_mismatch" and path[:1] != ("default_region",):
        return "a name has 1 to 50 lower-case letters, digits and hyphens, a letter first"
    return None
