"""The customers' own page in a real browser: another origin, a strict policy, a token in memory, and no back end."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.stories.deposit import pay_in
from examples.stories.house import House, opened
from examples.stories.own_page import CUSTOMER, OWN_CARD, OWN_PIN, PASSWORD
from examples.stories.stage import stage
from tests.browser import CHROMIUM, Page, chromium
from tests.live.pictures import signed_in

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="the page is opened in Chromium, which is not installed")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """The demo's own server, which lets the page in, with one deposit on it."""
    with stage() as on, opened(on) as house:
        house.page().url()
        pay_in(machine(house), "session-1", OWN_CARD, OWN_PIN, {"100": 1})
        yield house


@pytest.fixture
def page(house: House, tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path) as page:
        page.open(house.origin)
        yield page


def machine(house: House) -> str:
    return house.serve("cash machine", "cash_machine.py", "cash-machine", "SELF_SERVICE").url()


def told(page: Page, amount: str) -> str:
    return f"[...document.querySelectorAll('#actions li')].find(one => one.textContent.includes('amount {amount}'))"


@pytest.mark.timeout(120)
def test_a_customer_signs_in_sees_what_is_theirs_and_is_told_as_it_happens(house: House, page: Page) -> None:
    signed_in(page, PASSWORD)
    page.until(told(page, "100.00"))
    page.until("document.querySelector('#live').textContent === '● live'")
    number = 1
    while not page.evaluate(f"!!{told(page, '20.00')}"):  # a subscription is not acknowledged: it may not have begun
        number += 1
        assert number < 10, page.complaints
        pay_in(machine(house), f"session-{number}", OWN_CARD, OWN_PIN, {"20": 1})
        page.evaluate("new Promise(done => setTimeout(done, 500))")

    assert page.evaluate("document.querySelector('#identifiers').textContent") == f"customer-number {CUSTOMER}"
    assert page.evaluate(f"{told(page, '20.00')}.className") == "new"
    assert page.evaluate(f"{told(page, '100.00')}.className") == ""
    assert {urlsplit(url).port for url in page.requested if urlsplit(url).hostname} == {
        urlsplit(url).port for url in (house.origin, house.url, house.identity)
    }
    assert page.complaints == []
    assert page.foreign == []
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]

    page.click("#sign-out")
    page.until("document.querySelector('#sign-in button:enabled')?.checkVisibility()")
    assert page.evaluate("document.querySelector('#actions').textContent") == ""


@pytest.mark.timeout(120)
def test_a_wrong_password_is_said_and_shows_nothing(house: House, page: Page) -> None:
    signed_in(page, "guessed")

    page.until("document.querySelector('#problem').textContent === 'That is not the password.'")
    assert page.evaluate("document.querySelector('#mine').hidden") is True
    assert [url for url in page.requested if url.startswith(house.url)] == []


def complains(page: Page, words: str) -> bool:
    """Whether the browser says so on its console, which it does a moment later."""
    until = time.monotonic() + 10
    while not any(words in complaint for complaint in page.complaints) and time.monotonic() < until:
        page.evaluate("new Promise(done => setTimeout(done, 50))")
    return any(words in complaint for complaint in page.complaints)


@pytest.mark.timeout(120)
def test_the_page_may_make_no_script_and_talk_to_nobody_else(page: Page) -> None:
    page.until("document.readyState === 'complete' && document.body")
    made = page.evaluate("(() => { try { document.body.innerHTML = '<b>' } catch (error) { return error.message } })()")
    fetched = page.evaluate("fetch('http://127.0.0.1:9/').catch(error => error.name)")

    assert "requires 'TrustedHTML'" in made
    assert fetched == "TypeError"
    assert complains(page, "cannot load http://127.0.0.1:9/. Refused")
