"""Reads the YAML that business people write, and says of every fault on which line it is.

It reads less than all of YAML, so that a slip is noticed: no name twice, no anchors, no tags, and only `true` and
`false` are truths (`NO` is Norway). In a list every scalar is text: `blocked: [null, 0]` means what it says.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from steadylight_server.core.errors import Invalid

MOST_CHARACTERS = 500_000
# Deeper is none of ours, and would be read by recursion.
_DEEPEST = 20
# More would scroll the first ones away.
_MOST_TOLD = 20

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_PLAIN = re.compile(r"(?P<int>-?(0|[1-9]\d{0,17}))|(?P<float>-?\d{1,17}\.\d{1,17})")
_KNOWN = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


class Misplaced(ValueError):
    """For validators: a fault within what they were given. `path` leads there."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class _Fault(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")


def read(
    text: str,
    model: type[M],
    *,
    what: str,
    begins: str,
    words: Callable[[str, Path], str | None] = lambda kind, path: None,
    is_data: Callable[[Path], bool] = lambda path: False,
) -> M:
    """What the text says. Raises Invalid, with a line for each fault, in the order of the text.

    `what` names it, as in "a blueprint", and `begins` is how it begins. `words` may say pydantic's errors of that kind,
    at that place, better. `is_data` says of a place in a list that a number there is a number, not text.
    """
    if len(text) > MOST_CHARACTERS:
        raise Invalid(f"{what.capitalize()} has at most {MOST_CHARACTERS:,} characters.")
    lines: dict[Path, int] = {}
    try:
        _check(text)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        data = _data(node, (), lines, is_data) if node is not None else None
    except yaml.MarkedYAMLError as error:
        raise Invalid(f"line {_line(error.problem_mark)}: this is no YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise Invalid(f"This is no YAML: {error}.") from None
    except _Fault as fault:
        raise Invalid(f"{fault}.") from None
    if not isinstance(data, dict):
        raise Invalid(f"line 1: {what} is a mapping that begins with `{begins}`.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Invalid(_told(error, lines, words)) from None


def json_schema(model: type[BaseModel], *, id: str, title: str) -> dict[str, Any]:
    """The JSON Schema of the document, without what pydantic says for programs only."""

    def plain(part: Any) -> Any:
        if isinstance(part, list):
            return [plain(one) for one in part]
        if not isinstance(part, dict):
            return part
        kept = {name: plain(one) for name, one in part.items() if name != "title" and (name, one) != ("default", None)}
        return kept | ({"additionalProperties": False} if "patternProperties" in part else {})

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:steadylight:{id}",
        "title": title,
        **plain(model.model_json_schema()),
    }


def _line(mark: Any) -> int:
    """PyYAML counts from 0. Its types say that a mark may be missing, which one of a text never is."""
    return int(mark.line) + 1


def _check(text: str) -> None:
    """Raises _Fault for what would be read by recursion, or grow while it is read."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Fault(line, "anchors and aliases are not taken. Write it out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise _Fault(line, "nested too deeply")


def _data(node: yaml.Node, path: Path, lines: dict[Path, int], is_data: Callable[[Path], bool]) -> Any:
    """The node as plain data; notes on which line each part stands."""
    line = _line(node.start_mark)
    lines.setdefault(path, line)
    if node.tag not in _KNOWN:
        raise _Fault(line, f"{node.tag} is not taken")
    if isinstance(node, yaml.SequenceNode):
        return [_data(one, (*path, index), lines, is_data) for index, one in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            at = _line(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                raise _Fault(at, "a name is text")
            if key.value in found:
                raise _Fault(at, f"{key.value} is here twice")
            lines[(*path, key.value)] = at
            found[key.value] = _data(value, (*path, key.value), lines, is_data)
        return found
    in_a_list = bool(path) and isinstance(path[-1], int) and not is_data(path)
    is_quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    return node.value if in_a_list or is_quoted else _scalar(node.value)


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    found = _PLAIN.fullmatch(text)
    if found is None:
        return text
    return int(text) if found["int"] else float(text)


def _told(error: ValidationError, lines: Mapping[Path, int], words: Callable[[str, Path], str | None]) -> str:
    """What is wrong and where, in the order of the text."""
    faults: list[tuple[int, str]] = []
    for one in error.errors(include_url=False, include_input=False):
        within = getattr(one.get("ctx", {}).get("error"), "path", ())
        path = (*(step for step in one["loc"] if step != "[key]"), *within)
        line = next(lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines)
        message = words(one["type"], path) or _message(one["type"], one["msg"])
        faults.append((line, f"{_place(path)}{message}"))
    told = [f"line {line}: {message}" for line, message in sorted(faults)]
    more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    return "\n".join(told[:_MOST_TOLD] + more)


def _place(path: Sequence[object]) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def _message(kind: str, said: str) -> str:
    if kind == "extra_forbidden":
        return "nothing is called so here. Is it spelt right?"
    if kind == "missing":
        return "is missing"
    if kind in ("model_type", "dict_type"):
        return "here belong names, each with what it is"
    return said.removeprefix("Value error, ")
