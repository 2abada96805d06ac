"""The pictures of examples/README.md, made anew: `python -m tests.live.pictures`. Needs Chromium for the page's own.

The screens in a terminal are taken from one run of the demo, as SVG; the page is opened in a browser, as PNG.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from examples.stories.deposit import pay_in
from examples.stories.house import opened
from examples.stories.own_page import CUSTOMER, OWN_CARD, OWN_PIN, PASSWORD
from examples.stories.stage import stage
from tests.browser import Page, chromium

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "examples" / "pictures"
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
