"""Conditions in CEL, the Common Expression Language: compiled once, asked often. The only home of `cel`.

Whether one holds depends on the facts that it is given and on nothing else: CEL has no clock, no chance and no deeds.
What cannot be evaluated, as where a property is missing, does not hold.

The cost is that of making CEL values of facts: 2 µs for a text, 40 µs for ten properties. So each fact is handed over
when the expression comes to it, and what it came to is noted. One that read nothing but facts of few values holds
for all that agree in these, and is not evaluated again; one that read more is, each time, for those few values:
`type == "case.reassigned" && properties.kind == "group"` reads the properties of reassignments alone. Several that are
asked of the same facts are remembered together: for most facts, one look-up answers all.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cel import Program

MOST_CHARACTERS = 1_000  # longer ones could nest deeper than a thread's stack
# Outcomes that are remembered; types of action are made up by channels.
_MOST_KNOWN = 10_000
_TYPES = {"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"}
# The others, such as getHours, want a timestamp or a duration.
_FUNCTIONS = {
    *("contains", "endsWith", "matches", "size", "startsWith"),
    *("bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"),
}
_OF_TIMES = re.compile(r"get(?:Date|Day|FullYear|Hours|Milliseconds|Minutes|Month|Seconds)\w*")
_OPERATOR = re.compile(r"[_!@-].*")
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,")
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): (.+?)(?: expecting .*)?$", re.MULTILINE)
_unasked = object()


class Condition:
    """An expression over named facts. `few` are those of them that have few values, which can be keys of a dict."""

    def __init__(self, text: str, facts: Collection[str], *, few: Sequence[str] = ()) -> None:
        """Raises ValueError for what is no CEL, and for names and functions that there are not."""
        self.text = text
        self._program = _compiled(text, facts)
        self.few = tuple(few)
        self._rest = frozenset(facts) - frozenset(few)
        # By the values of the few: what came of it, or None where it depends on more.
        self._known: dict[tuple[object, ...], bool | None] = {}

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether it is true of these facts. None stands for a fact that is not there."""
        few = tuple([facts[name] for name in self.few])
        known = self._known.get(few, _unasked)
        if known is True or known is False:
            return known
        return self._evaluated(facts.get) if known is None else self._learnt(few, facts)

    def is_settled(self, facts: Mapping[str, Any]) -> bool:
        """Whether all that agree in the few have the same outcome, as far as is known."""
        return self._known.get(tuple([facts[name] for name in self.few])) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def _learnt(self, few: tuple[object, ...], facts: Mapping[str, Any]) -> bool:
        """Evaluates it, and remembers what came of it if it read nothing but the few."""
        read: set[str] = set()

        def resolve(name: str) -> object:
            read.add(name)
            return facts.get(name)

        outcome = self._evaluated(resolve)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[few] = outcome if read.isdisjoint(self._rest) else None
        return outcome

    def _evaluated(self, resolve: Callable[[str], object]) -> bool:
        from cel import Context

        context = Context()
        context.set_variable_resolver(resolve)
        try:
            return self._program.execute(context) is True
        except Exception:  # of a dozen kinds: what the facts do not allow to be asked does not hold
            return False


class Conditions:
    """Several, by name, which have the same few facts."""

    def __init__(self, named: Mapping[str, Condition]) -> None:
        self._named = named
        self._few = next((condition.few for condition in named.values()), ())
        # By the values of the few: the names of those that hold, and those that have to be asked.
        self._known: dict[tuple[object, ...], tuple[frozenset[str], Sequence[str]]] = {}

    def holding(self, facts: Mapping[str, Any]) -> frozenset[str]:
        """The names of those that hold."""
        few = tuple([facts[name] for name in self._few])
        if few not in self._known:
            return self._learnt(few, facts)
        sure, open = self._known[few]
        return sure.union([name for name in open if self._named[name].holds(facts)]) if open else sure

    def _learnt(self, few: tuple[object, ...], facts: Mapping[str, Any]) -> frozenset[str]:
        holding = frozenset(name for name, condition in self._named.items() if condition.holds(facts))
        open = [name for name, condition in self._named.items() if not condition.is_settled(facts)]
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[few] = holding.difference(open), open
        return holding


def _compiled(text: str, facts: Collection[str]) -> "Program":
    from cel import compile  # not at the top: it takes a third of a second, which `--help` need not wait for

    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a condition has at most {MOST_CHARACTERS:,} characters")
    try:
        program = compile(text)
    except ValueError as error:
        raise ValueError(f"this is no condition in CEL: {_why(str(error))}") from None
    names = {*facts, *_TYPES, *_BOUND.findall(text)}
    if unknown := [name for name in program.variables() if name not in names]:
        raise ValueError(f"there is no {unknown[0]!r} to ask of. There are {', '.join(facts)}")
    functions = [name for name in program.functions() if not _OPERATOR.fullmatch(name)]
    if unknown := [name for name in functions if name not in _FUNCTIONS and not _OF_TIMES.fullmatch(name)]:
        raise ValueError(f"there is no function {unknown[0]!r}. There are {', '.join(sorted(_FUNCTIONS))}")
    return program


def _why(said: str) -> str:
    """The library's complaint in one line: where, and what is wrong there."""
    found = _PLACE.search(said)
    if found is None:
        return said.partition("\n")[0]
    line, column, message = found.groups()
    at = f"character {column}" if line == "1" else f"line {line}, character {column}"
    return f"{at}: {message}"
