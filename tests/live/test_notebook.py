"""Notebooks, run by a kernel of their own: cells are run again, and nobody closes anything."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.sdk.test_process import Port

MAKE = """
    from steadylight import Client, Options

    # Nothing is delivered until somebody waits for it. A kernel is given 2.5 s to end.
    light = Client(options=Options(linger=600.0, close_timeout=2.0))
    contact = light.customer(login="C-1", assurance="LOGIN").contact("visit-1")
"""
RECORD = """
    for number in range(100):
        contact.record("row.read", {"number": number})
"""
READ = """
    context = contact.context(within=10)
    assert len(context.actions) == 20, context
"""
BLOCKING = (MAKE, RECORD, READ)
ASYNC = (MAKE.replace("Client", "AsyncClient"), RECORD, READ.replace("contact.context", "await contact.context"))


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


@pytest.mark.parametrize("cells", [BLOCKING, ASYNC], ids=["blocking", "async"])
def test_what_a_notebook_records_is_delivered_whatever_is_run_again(
    port: Port, cells: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(folder, str(tmp_path / folder))
    environment = {"STEADYLIGHT_URL": port.url, "STEADYLIGHT_KEY": port.key, "PYTHONPATH": ":".join(sys.path)}
    make, record, read = cells
    notebook = new_notebook(cells=[new_code_cell(dedent(cell)) for cell in (make, record, make, record, read, record)])

    NotebookClient(notebook, timeout=20).execute(env=os.environ | environment)

    sent = [action.properties["number"] for action in port.server.actions]
    assert sorted(sent) == sorted([*range(100)] * 3)
    assert not list(Path(os.environ["STEADYLIGHT_SPOOL"]).rglob("*.seg"))
