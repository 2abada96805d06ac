"""The pictures of the READMEs, made anew: `python -m tests.live.pictures`. Needs Chromium.

The screens in a terminal are taken from one run of the demo, as SVG; the pages are opened in a browser, as PNG.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from examples.stories.deposit import pay_in
from examples.stories.house import STEADYLIGHT, opened
from examples.stories.own_page import CUSTOMER, OWN_CARD, OWN_PIN, PASSWORD
from examples.stories.stage import stage
from steadylight import Client
from tests.browser import Page, chromium

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "examples" / "pictures"
SERVERS = ROOT / "server" / "pictures"
# What the demo draws, in its order; one that is not named is not kept.
SCREENS = ("agent", None, "phone-desk", "app", None, "teller")
# rich's own frame asks a foreign host for a font.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" width="{terminal_width}" height="{terminal_height}">
<style>
.{unique_id}-matrix {{ font: {char_height}px monospace; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
{lines}
</defs>
<rect width="100%" height="100%" rx="8" fill="#292929"/>
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</svg>
"""


def screens() -> None:
    """What the demo prints in frames."""
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": "110"}
    demo = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py", "interest", "roaming", "deposit"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    # By the frames' corners, whatever colours are around them.
    drawn = re.findall(r"^[^\n╭]*╭[^╯]*╯[^\n]*$", demo.stdout, re.MULTILINE)
    for name, screen in zip(SCREENS, drawn, strict=True):
        if name is not None:
            text = Text.from_ansi(screen)
            width = max(len(line.plain.rstrip()) for line in text.split("\n"))
            console = Console(record=True, width=width, file=io.StringIO())
            console.print(text)
            svg = console.export_svg(code_format=FRAME, unique_id=name)
            (PICTURES / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


def page() -> None:
    """The customers' own page, while something new is told."""
    with stage() as on, opened(on) as house, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        shown = house.page()
        machine = house.serve("cash machine", "cash_machine.py", "cash-machine", "SELF_SERVICE").url()
        pay_in(machine, "session-1", OWN_CARD, OWN_PIN, {"100": 1})
        with chromium(Path(profile)) as browser:
            browser.open(shown.url())
            signed_in(browser, PASSWORD)
            browser.until("document.querySelector('#live').textContent === '● live'")
            number = 1
            while not browser.evaluate("!!document.querySelector('.new')"):
                number += 1
                pay_in(machine, f"session-{number}", OWN_CARD, OWN_PIN, {"20": 1})
                browser.evaluate("new Promise(done => setTimeout(done, 1000))")
            browser.picture(PICTURES / "own-page.png")


def graphiql() -> None:
    """GraphiQL, as an admin who signed in by a link sees it: a customer found, and followed."""
    with stage() as on, opened(on) as house, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        key = house.admin.register_channel("web", "SELF_SERVICE")
        with Client(house.url, key) as web:
            visit = web.customer(email="ann@example.org", assurance="OTP").contact("visit-1")
            visit.record("help.searched", {"words": "roaming charges", "found": 3})
            visit.record("plan.viewed", {"plan": "fibre-500", "price": 34.0}, subject=("plan", "fibre-500"))
        command = (*STEADYLIGHT, "admin", "link", "maria", "--url", house.url, "--json", "--data", on.folder / "data")
        link = json.loads(on.run("admin link", *command))["link"]
        with chromium(Path(profile)) as browser:
            browser.open(link)
            browser.until("globalThis.__MONACO?.editor.getEditors().length === 4")
            browser.until("document.querySelector('.who')?.textContent.includes('maria')")
            _run(browser, "FindCustomer")
            browser.until(_answer("plan.viewed"))
            browser.picture(SERVERS / "graphiql.png")
            _run(browser, "FollowCustomer")
            browser.until("document.querySelector('.graphiql-execute-button[aria-label^=Stop]')")
            with Client(house.url, key) as web:
                visit = web.customer(email="ann@example.org", assurance="OTP").contact("visit-1")
                while not browser.evaluate(_answer("plan.chosen")):
                    visit.record("plan.chosen", {"plan": "fibre-500"}, subject=("plan", "fibre-500"))
                    browser.evaluate("new Promise(done => setTimeout(done, 500))")
            browser.picture(SERVERS / "following.png")


def _run(browser: Page, example: str) -> None:
    """Opens an example in a tab of its own and runs it."""
    button = f"[...document.querySelectorAll('.examples button')].find(one => one.textContent.startsWith('{example}'))"
    browser.until(button)
    browser.evaluate(f"{button}.click()")
    browser.until(f"document.querySelector('.graphiql-tab-active')?.textContent.includes('{example}')")
    browser.click(".graphiql-execute-button")


def _answer(sign: str) -> str:
    models = "__MONACO.editor.getModels().find(one => one.uri.path.includes('-response.'))"
    return f"{models}.getValue().includes('{sign}')"


def signed_in(page: Page, password: str) -> None:
    """Fills in the form as a person does, as soon as it is there."""
    page.until("document.querySelector('#sign-in button:enabled')")
    for name, text in (("customer", CUSTOMER), ("password", password)):
        page.click(f"[name={name}]")
        page.evaluate("document.activeElement.select()")
        page.write(text)
    page.click("#sign-in button")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    screens()
    page()
    graphiql()
