"""Plays the fenced blocks of a Markdown file, so that what the README shows is what happens.

Blocks run in their order, in one folder. `bash` runs with the server's address and key in its environment, and what one
block exports the next one sees; `python` runs as a program of its own in the same environment; `graphql` is validated,
and sent when it needs no variables; `mermaid` names its diagram. Any other tag is refused: nothing would test it.
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import graphql
import httpx

FENCE = re.compile(r"^```(?P<tag>[^\n`]*)\n(?P<code>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
DIAGRAMS = ("flowchart", "sequenceDiagram", "stateDiagram-v2", "graph")


class BlockFailed(AssertionError):
    """A block did not do what a reader would expect of it; says which line and why."""


@dataclass(frozen=True)
class Block:
    """One fenced block: the language it is tagged with, its code, and the line of its first fence."""

    tag: str
    code: str
    line: int


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in their order."""
    return [
        Block(found["tag"].strip(), found["code"], text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


@dataclass
class Player:
    """Plays blocks in `folder` against the server at `url`; `close` ends whatever a block left running.

    `key` is what bash and python blocks find in their environment, `admin_key` is used to send GraphQL.
    """

    folder: Path
    url: str
    key: str
    admin_key: str
    schema: graphql.GraphQLSchema
    seconds: float = 150
    _groups: list[int] = field(default_factory=list)

    def play(self, block: Block) -> None:
        """Raises BlockFailed, with the line of the block and what it printed."""
        players = {"bash": self._bash, "python": self._python, "graphql": self._graphql, "mermaid": self._mermaid}
        if block.tag not in players:
            raise BlockFailed(f"line {block.line}: nothing runs a block tagged {block.tag!r}")
        players[block.tag](block)

    def close(self) -> None:
        """Ends the processes that blocks left in the background."""
        for group in self._groups:
            try:
                os.killpg(group, signal.SIGTERM)
            except ProcessLookupError:
                continue

    def _bash(self, block: Block) -> None:
        state = self.folder / ".exports"
        state.touch()
        self._run(block, f"source {state}\n{block.code}\nexport -p > {state}\n")

    def _python(self, block: Block) -> None:
        program = self.folder / f".line_{block.line}.py"
        program.write_text(block.code)
        (self.folder / ".exports").touch()
        self._run(block, f"source {self.folder / '.exports'}\nexec {sys.executable} {program}\n")

    def _run(self, block: Block, script: str) -> None:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "STEADYLIGHT_URL": self.url,
            "STEADYLIGHT_KEY": self.key,
        }
        # A file and not a pipe: a server that the block leaves running would hold a pipe open.
        printed = self.folder / f".line_{block.line}.out"
        with printed.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._groups.append(process.pid)
        try:
            status: int | str = process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = f"no end after {self.seconds:g} s"
        if status != 0:
            raise BlockFailed(f"line {block.line}: {block.tag} ended with {status}\n{printed.read_text()}")

    def _graphql(self, block: Block) -> None:
        try:
            document = graphql.parse(block.code)
        except graphql.GraphQLSyntaxError as error:
            raise BlockFailed(f"line {block.line}: {error}") from error
        if wrong := graphql.validate(self.schema, document):
            raise BlockFailed(f"line {block.line}: {'; '.join(error.message for error in wrong)}")
        if is_sendable(document):
            address = f"{self.url.rstrip('/').removesuffix('/graphql')}/graphql"
            headers = {"Authorization": f"Bearer {self.admin_key}"}
            answer = httpx.post(address, json={"query": block.code}, headers=headers, timeout=self.seconds).json()
            if "errors" in answer:
                raise BlockFailed(f"line {block.line}: {answer['errors']}")

    def _mermaid(self, block: Block) -> None:
        lines = block.code.strip().splitlines()
        if len(lines) < 2 or not lines[0].startswith(DIAGRAMS):
            raise BlockFailed(f"line {block.line}: not a diagram")


def is_sendable(document: graphql.DocumentNode) -> bool:
    """Whether it is one query or mutation that can be sent without variables."""
    operations = [node for node in document.definitions if isinstance(node, graphql.OperationDefinitionNode)]
    return (
        len(operations) == 1
        and operations[0].operation is not graphql.OperationType.SUBSCRIPTION
        and all(
            variable.default_value or not isinstance(variable.type, graphql.NonNullTypeNode)
            for variable in operations[0].variable_definitions or ()
        )
    )
