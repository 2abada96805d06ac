"""What the READMEs show is what happens; and the player of their blocks notices when it is not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphql
import pytest

from . import contract
from .readme import Block, BlockFailed, Player, blocks, is_sendable

ROOT = Path(__file__).parents[2]
READMES = sorted(
    file
    for folder in (".", "sdk", "server", "schema", "examples", "tests")
    for file in (ROOT / folder).glob("README.md" if folder == "." else "**/README.md")
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    """Plays blocks that need no server."""
    schema = graphql.build_schema("type Query { one(of: Int): Int }")
    player = Player(tmp_path, "http://127.0.0.1:9", "sl_key", "sl_admin", schema, seconds=10)
    yield player
    player.close()


def test_blocks_are_found_in_their_order_with_their_line() -> None:
    text = "# Title\n\n```bash\nls\n```\n\ntext `inline`\n\n```python\nprint(1)\n\n```\n"

    assert blocks(text) == [Block("bash", "ls\n", 3), Block("python", "print(1)\n\n", 9)]


def test_a_block_sees_the_server_and_what_a_block_before_it_exported(player: Player, tmp_path: Path) -> None:
    player.play(Block("bash", 'export NAME="two words"\necho "$STEADYLIGHT_URL $STEADYLIGHT_KEY" > seen', 1))
    player.play(Block("python", "import os\nprint(os.environ['NAME'], file=open('seen', 'a'))", 5))

    assert (tmp_path / "seen").read_text() == "http://127.0.0.1:9 sl_key\ntwo words\n"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (Block("bash", "echo before\nfalse\necho after", 3), "line 3: bash ended with 1\nbefore\n"),
        (Block("bash", "echo $NOT_SET", 3), "NOT_SET: unbound variable"),
        (Block("python", "raise ValueError('odd')", 3), "ValueError: odd"),
        (Block("graphql", "{ two }", 3), "line 3: Cannot query field 'two' on type 'Query'."),
        (Block("graphql", "{ one", 3), "line 3: Syntax Error: Expected Name, found <EOF>."),
        (Block("mermaid", "\n", 3), "line 3: not a diagram"),
        (Block("", "anything", 3), "line 3: nothing runs a block tagged ''"),
        (Block("json", "{}", 3), "line 3: nothing runs a block tagged 'json'"),
    ],
)
def test_a_block_that_fails_is_reported_with_its_line(player: Player, block: Block, said: str) -> None:
    with pytest.raises(BlockFailed) as caught:
        player.play(block)

    assert said in str(caught.value)


def test_a_block_that_hangs_is_ended(player: Player) -> None:
    player.seconds = 0.2

    with pytest.raises(BlockFailed, match=r"no end after 0\.2 s"):
        player.play(Block("bash", "sleep 30", 1))


@pytest.mark.parametrize(
    ("document", "sendable"),
    [
        ("{ one }", True),
        ("query A($of: Int) { one(of: $of) }", True),
        ("query A($of: Int! = 1) { one(of: $of) }", True),
        ("query A($of: Int!) { one(of: $of) }", False),
        ("subscription { one }", False),
        ("query A { one } query B { one }", False),
        ("fragment A on Query { one }", False),
    ],
)
def test_only_what_needs_no_variables_is_sent(document: str, sendable: bool) -> None:
    assert is_sendable(graphql.parse(document)) is sendable


def test_there_is_a_readme_to_play() -> None:
    assert ROOT / "README.md" in READMES


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", READMES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_block_of_a_readme_runs(file: Path, server: Any, tmp_path: Path) -> None:
    schema = graphql.build_schema(contract.SCHEMA.read_text())
    player = Player(tmp_path, server.url, server.key("web"), server.admin_key, schema)

    try:
        for block in blocks(file.read_text()):
            player.play(block)
    finally:
        player.close()


@pytest.mark.parametrize("file", [*READMES, ROOT / "CONTRIBUTING.md"], ids=lambda file: str(file.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(file: Path) -> None:
    assert [link for link in LINK.findall(file.read_text()) if not (file.parent / link).exists()] == []
