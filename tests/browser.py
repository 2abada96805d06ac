"""A real, headless Chromium that reaches this machine only, driven over its own debugging protocol.

Every request that a page or one of its workers makes is noted, and so is whatever the browser complains of: violations
of the page's Content-Security-Policy, errors and warnings on the console, exceptions that nobody caught.
"""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# No name is looked up and no address but loopback is reached, whatever the page asks for.
_NOWHERE = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
_FLAGS = (
    "--headless",
    "--no-sandbox",  # the sandbox does not start as root, which CI is
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1400,900",
    "--remote-debugging-port=0",
    f"--host-resolver-rules={_NOWHERE}",
)
_REPORT = "addEventListener('securitypolicyviolation', v => console.error('CSP', v.violatedDirective, v.blockedURI))"
_MODIFIERS = {"Control": 2}
# Unique in the process: pages share a socket, and an answer that nobody awaited may come when the next page listens.
_ids = count(1)


class Page:
    """One tab. What waits does so for at most 60 seconds, then fails with what the browser complained of."""

    def __init__(self, socket: ClientConnection) -> None:
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self._socket = socket
        self._session: str | None = None
        self._sessions: set[str] = set()
        self._visitor = self._call("Target.createBrowserContext")["browserContextId"]
        given = {"url": "about:blank", "browserContextId": self._visitor}
        target = self._call("Target.createTarget", **given)["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._listen(self._session)
        self._call("Page.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=_REPORT)

    @property
    def foreign(self) -> list[str]:
        """Requests to anything but this machine."""
        return [url for url in self.requested if urlsplit(url).hostname not in (None, "127.0.0.1")]

    def open(self, url: str) -> None:
        """Goes there."""
        self._call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str, within: float = 60.0) -> Any:
        """The expression's value as soon as it is true; an element of the page comes back as True."""
        expression = f"(value => value instanceof Element || value)({expression})"
        deadline = time.monotonic() + within
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"never: {expression}\n" + "\n".join(self.complaints)
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of the first element that the selector finds, once it is there and in sight."""
        found = f"document.querySelector({json.dumps(selector)})"
        box = f"({found}?.scrollIntoView({{block: 'nearest'}}), {found}?.getBoundingClientRect())"
        where = self.until(f"(box => box && box.width && [box.x + box.width / 2, box.y + box.height / 2])({box})")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1)

    def write(self, text: str) -> None:
        """Puts text where the cursor is, as an input method does."""
        self._call("Input.insertText", text=text)

    def press(self, key: str, code: int, *, holding: str | None = None) -> None:
        """A key by its name and its virtual code, as in `press("a", 65, holding="Control")`."""
        given = {"key": key, "code": f"Key{key.upper()}" if len(key) == 1 else key, "windowsVirtualKeyCode": code}
        modifiers = _MODIFIERS.get(holding or "", 0)
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, modifiers=modifiers, **given)

    def picture(self, path: Path) -> None:
        """Saves what the page shows as a PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """Ends it, and forgets the visitor's cookies and storage. Nobody waits: a page at work may keep the answer."""
        self._send("Target.disposeBrowserContext", None, browserContextId=self._visitor)

    def _listen(self, session: str) -> None:
        self._sessions.add(session)
        for method in ("Network.enable", "Runtime.enable", "Log.enable"):
            self._send(method, session)
        self._send("Target.setAutoAttach", session, autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        self._send("Runtime.runIfWaitingForDebugger", session)

    def _send(self, method: str, session: str | None, **params: Any) -> int:
        id = next(_ids)
        message = {"id": id, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        return id

    def _call(self, method: str, **params: Any) -> Any:
        sent = self._send(method, self._session, **params)
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == sent:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            if "method" in message and message.get("sessionId") in self._sessions:
                self._note(message["method"], message["params"])

    def _note(self, event: str, told: Any) -> None:
        match event:
            case "Target.attachedToTarget":
                self._listen(told["sessionId"])
            case "Network.requestWillBeSent":
                self.requested.append(told["request"]["url"])
            case "Network.webSocketCreated":
                self.requested.append(told["url"])
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                said = (str(one.get("value", one.get("description"))) for one in told["args"])
                self.complaints.append(f"{told['type']}: {' '.join(said)}")
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{told['entry']['source']}: {told['entry']['text']}")


Visit = Callable[[], AbstractContextManager[Page]]


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A page of a browser that has never run before; `profile` is an empty directory for it."""
    with visitors(profile) as visit, visit() as page:
        yield page


@contextmanager
def visitors(profile: Path) -> Iterator[Visit]:
    """Pages of one browser, one after the other, each as if nobody had used it before: without cookies or storage."""
    assert CHROMIUM is not None
    with (profile / "log").open("wb") as log:
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with connect(_address(process, profile), max_size=None, proxy=None) as socket:
            yield lambda: closing(Page(socket))
    finally:
        process.terminate()
        process.wait(10)


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    told = profile / "DevToolsActivePort"
    deadline = time.monotonic() + 30
    while not (told.exists() and told.read_text().count("\n") == 1):
        is_hopeful = process.poll() is None and time.monotonic() < deadline
        assert is_hopeful, (profile / "log").read_text()[-2000:]
        time.sleep(0.05)
    port, path = told.read_text().split("\n")
    return f"ws://127.0.0.1:{port}{path}"
