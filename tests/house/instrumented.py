"""The source of a module with probes in it, and what each of them says; `probes` tells what they are for."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

NAME = "_probes_"
#: Where a branch leads that has no statement of its own: to whatever comes next.
ELSEWHERE = 0
Arc = tuple[int, int]


@dataclass
class Probe:
    """What has run when a probe is reached: lines, and arcs from line to line or ELSEWHERE."""

    lines: set[int] = field(default_factory=set)
    arcs: set[Arc] = field(default_factory=set)


class Instrumented:
    """A module's source with probes in it: `tree`, and by number what each of the `probes` says."""

    def __init__(self, source: bytes, path: str) -> None:
        """Raises SyntaxError."""
        self.probes: list[Probe] = []
        self.tree = ast.parse(source, path)
        self._body(self.tree.body)

    def _probe(self, at: ast.AST, lines: Iterable[int] = (), arcs: Iterable[Arc] = ()) -> ast.stmt:
        """A statement that notes it, and seems to stand where `at` stands."""
        number = len(self.probes)
        self.probes.append(Probe(set(lines), set(arcs)))
        place = ast.Subscript(ast.Name(NAME, ast.Load()), ast.Constant(number), ast.Store())
        noted = ast.Assign([place], ast.Constant(1), lineno=1, col_offset=0)
        return ast.fix_missing_locations(ast.copy_location(noted, at))

    def _body(self, body: list[ast.stmt], lines: Iterable[int] = (), arcs: Iterable[Arc] = ()) -> None:
        """Gives each statement a probe; that of the first says, too, what leads here."""
        probed: list[ast.stmt] = []
        here, leading = set(lines), set(arcs)
        for number, statement in enumerate(body):
            if _is_of_the_future(statement):
                here.add(statement.lineno)  # nothing may stand before it
            elif number > 0 or not _is_text(statement):
                probed.append(self._probe(statement, here | _lines(statement), leading))
                here, leading = set(), set()
                self._inside(statement)
            probed.append(statement)
        body[:] = probed

    def _inside(self, statement: ast.stmt) -> None:
        """The bodies of a statement that has some."""
        match statement:
            case ast.If():
                self._body(statement.body, (), [(statement.lineno, _first(statement.body))])
                self._otherwise(statement)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._body(statement.body, (), [(statement.lineno, _first(statement.body))])
                if not (isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant)):
                    self._otherwise(statement)
            case ast.Match():
                self._cases(statement)
            case ast.Try() | ast.TryStar():
                for body in (statement.body, statement.orelse, statement.finalbody):
                    self._body(body)
                for number, handler in enumerate(statement.handlers, 1):
                    self._body(handler.body, [tried.lineno for tried in statement.handlers[:number]])
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.With() | ast.AsyncWith():
                self._body(statement.body)

    def _otherwise(self, statement: ast.If | ast.For | ast.AsyncFor | ast.While) -> None:
        """What is done where the condition does not hold, or the loop is over."""
        if statement.orelse:
            self._body(statement.orelse, (), [(statement.lineno, _first(statement.orelse))])
        else:
            statement.orelse = [self._probe(statement, (), [(statement.lineno, ELSEWHERE)])]

    def _cases(self, statement: ast.Match) -> None:
        """Each case that was tried and left leads to the next."""
        lines: set[int] = set()
        arcs: set[Arc] = set()
        before = None
        for case in statement.cases:
            line = case.pattern.lineno
            lines.add(line)
            if before is not None:
                arcs.add((before, line))
            self._body(case.body, lines, arcs | {(line, _first(case.body))})
            before = line
        last = statement.cases[-1]
        if before is not None and not (last.guard is None and _takes_all(last.pattern)):
            rest = [self._probe(last.pattern, lines, arcs | {(before, ELSEWHERE)})]
            statement.cases.append(ast.match_case(ast.copy_location(ast.MatchAs(), last.pattern), None, rest))


def _takes_all(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchOr):
        return _takes_all(pattern.patterns[-1])
    return isinstance(pattern, ast.MatchAs) and (pattern.pattern is None or _takes_all(pattern.pattern))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_of_the_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _lines(statement: ast.stmt) -> set[int]:
    """Of a statement's head: its own and those of its decorators."""
    return {statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))}


def _first(body: Sequence[ast.stmt]) -> int:
    """The line at which a body begins for who comes from before it."""
    return min(_lines(body[0]))


def ran(source: bytes, path: str, noted: bytes, possible: Iterable[Arc]) -> set[Arc]:
    """What the probes of a file noted, as arcs for coverage.py; a line that ran is an arc to itself.

    `possible` are all arcs that coverage.py sees in the file: they tell what ELSEWHERE is.
    """
    leads: dict[int, set[int]] = {}
    for start, end in possible:
        leads.setdefault(start, set()).add(end)
    probes = Instrumented(source, path).probes
    named: dict[int, set[int]] = {}
    for probe in probes:
        for start, end in probe.arcs:
            named.setdefault(start, set()).add(end)
    arcs: set[Arc] = set()
    for probe, was_reached in zip(probes, noted, strict=True):
        if was_reached:
            arcs |= {(line, line) for line in probe.lines}
            for start, end in probe.arcs:
                ends = {end} if end != ELSEWHERE else leads.get(start, set()) - named[start]
                arcs |= {(start, each) for each in ends}
    return arcs
