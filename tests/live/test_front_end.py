"""What examples/front-end.md shows happens: types come out of the contract, and code that uses them compiles."""

import filecmp
import os
import re
import shutil
import subprocess
from pathlib import Path

import graphql
import pytest

from steadylight_server.core.config import Settings
from tests.house.readme import Block, Player, blocks

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "examples" / "front-end.md"
PAGE = ROOT / "examples" / "page"
# The packages' files stay out of the source folders; the page finds the schema where it is in a checkout.
WORKSHOP = ROOT / ".cache" / "own-page"
BLOCKS = blocks(GUIDE.read_text())
# The compiler complains if the next line is no mistake.
WRONG = """import type { Customer } from "./types";
// @ts-expect-error The contract has no such field.
export const of = (one: Customer) => one.nickname;
"""

needs_npm = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="a front end's types are made with node and npm"
)


@pytest.fixture(scope="module")
def folder() -> Path:
    """A copy of the page beside a copy of the contract, with its packages if they are the right ones already."""
    copy = WORKSHOP / "examples" / "page"
    is_installed = (copy / "node_modules" / "graphql").is_dir() and filecmp.cmp(
        PAGE / "package-lock.json", copy / "package-lock.json", shallow=False
    )
    if not is_installed:
        shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "schema", WORKSHOP / "schema", dirs_exist_ok=True)
    shutil.copytree(PAGE, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    (WORKSHOP / ".gitignore").write_text("*\n")
    for made in copy.glob("*.ts"):
        made.unlink()
    return copy


def player(folder: Path) -> Player:
    schema = graphql.build_schema((ROOT / "schema" / "schema.graphql").read_text())
    return Player(folder, "http://127.0.0.1:9", "sl_key", "sl_admin", schema, seconds=240)


@needs_npm
@pytest.mark.timeout(300)
def test_types_are_made_from_the_contract_and_what_uses_them_compiles(folder: Path) -> None:
    is_installed = (folder / "node_modules").is_dir()
    for block in BLOCKS:
        if block.tag == "ts":
            (folder / f"line_{block.line}.ts").write_text(block.code)
    (folder / "wrong.ts").write_text(WRONG)
    for block in BLOCKS:
        if block.tag == "bash" and "npm" in block.code:
            if is_installed:
                block = Block(block.tag, re.sub(r"^npm ci .*$", "", block.code, flags=re.MULTILINE), block.line)
            player(folder).play(block)

    types = (folder / "types.ts").read_text()
    assert re.search(
        r"^export type Customer = Node & \{\n(.*\n)*?  identifiers: Array<Identifier>;", types, re.MULTILINE
    )
    assert "export type MeQuery = " in types


def test_the_settings_of_the_guide_are_taken_by_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [settings] = (block for block in BLOCKS if block.tag == "bash" and "STEADYLIGHT_ISSUERS" in block.code)
    play = f"{settings.code}\nenv -0"
    printed = subprocess.run(["bash", "-c", play], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    given = dict(line.split("=", 1) for line in printed.stdout.decode().split("\0") if line.startswith("STEADYLIGHT_"))
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    read = Settings()

    assert [(one.issuer, one.role, one.kind) for one in read.issuers] == [
        ("http://127.0.0.1:8500", "CUSTOMER", "customer-number")
    ]
    assert read.allowed_origins == ("http://127.0.0.1:8600",)


def test_the_guides_operations_are_valid_and_no_block_goes_unread(tmp_path: Path) -> None:
    for block in BLOCKS:
        if block.tag == "graphql":
            document = graphql.parse(block.code)
            schema = graphql.build_schema((ROOT / "schema" / "schema.graphql").read_text())
            assert graphql.validate(schema, document) == []

    assert {block.tag for block in BLOCKS} == {"bash", "graphql", "ts"}
