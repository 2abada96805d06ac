"""The GraphQL-over-HTTP audits of the npm package graphql-http, against the running server."""

import asyncio
import filecmp
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LiveServer

HERE = Path(__file__).parent / "audits"
CACHE = Path(__file__).parents[3] / ".cache" / "audits"
FILES = ("package.json", "package-lock.json", "run.mjs")

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="the audits of graphql-http need node and npm"
)


@pytest.fixture
def key(server: LiveServer) -> str:
    return server.key("web")


@pytest.fixture
async def auditor() -> Path:
    """The script beside its packages, in a directory outside of git; installed again when the lock changes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    same, _, _ = filecmp.cmpfiles(HERE, CACHE, FILES, shallow=False)
    if "package-lock.json" not in same or not (CACHE / "node_modules" / "graphql-http").is_dir():
        for name in FILES[:2]:
            shutil.copy(HERE / name, CACHE)
        await run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    shutil.copy(HERE / "run.mjs", CACHE)
    return CACHE / "run.mjs"


async def run(*command: str, **environment: str) -> str:
    """What the command printed; fails with what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=CACHE,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return printed.decode()


@pytest.mark.timeout(300)
async def test_every_audit_is_ok(auditor: Path, server: LiveServer, key: str) -> None:
    printed = await run("node", str(auditor), f"{server.url}/graphql", AUDIT_AUTHORIZATION=f"Bearer {key}")

    audits: list[dict[str, Any]] = json.loads(printed)
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) >= 61
