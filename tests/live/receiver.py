"""A system of the company's, in a process and with a store of its own: it does deeds, and takes its time.

`POST /safe` honours keys: the same key again does nothing again, and is answered as the first time. `POST /once` does
what it is asked, as often as it is asked. What was done is a line of the table `effects`.
"""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Seconds that it takes at most, before it does something and before it answers: kills must meet both.
SLOWEST = 0.3


def effects(file: Path) -> list[str]:
    """The key of each deed that was really done, in order."""
    with closing(sqlite3.connect(file, timeout=30)) as store:
        return [key for (key,) in store.execute("SELECT key FROM effects ORDER BY rowid")]


class Receiver:
    """The process. It is never killed: what it did is what counts."""

    def __init__(self, file: Path, port: int) -> None:
        with closing(sqlite3.connect(file)) as store, store:
            store.execute("PRAGMA journal_mode = WAL")
            store.execute("CREATE TABLE effects (key TEXT)")
            store.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, answer TEXT)")
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen([sys.executable, "-m", "tests.live.receiver", str(file), str(port)])
        for _ in range(200):
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the receiver did not start")

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(10)


class _Handler(BaseHTTPRequestHandler):
    file = Path()

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(random.uniform(0, SLOWEST))
        with closing(sqlite3.connect(self.file, timeout=30)) as store, store:
            store.execute("BEGIN IMMEDIATE")
            found = None
            if self.path == "/safe":
                query = "SELECT answer FROM answers WHERE key = ?"
                found = store.execute(query, (asked["key"],)).fetchone()
            if found is None:
                store.execute("INSERT INTO effects VALUES (?)", (asked["key"],))
                (count,) = store.execute("SELECT count(*) FROM effects").fetchone()
                answer = {"receipt": f"{count}-{os.urandom(4).hex()}"}
                store.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (asked["key"], json.dumps(answer)))
            else:
                answer = json.loads(found[0])
        time.sleep(random.uniform(0, SLOWEST))
        self._answer(answer)

    def _answer(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        with suppress(ConnectionError):  # whoever asked may have been killed meanwhile
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    _Handler.file = Path(sys.argv[1])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), _Handler).serve_forever()
