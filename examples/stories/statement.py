"""A statement opened on the web, in the app, by telephone and in a branch: one function of the bank's old system."""

import json
import sys
import time
from typing import Any

import httpx

from .house import HERE, STEADYLIGHT, House
from .stage import PATIENCE, App, expect, say, show

CUSTOMER, PERIOD, BALANCE = "C-1003", "2026-10", "1550.00"
ADDRESS = "http://127.0.0.1:8700"
CHANNELS = ("bank-app", "bank-branch", "bank-ivr", "bank-web")


def play(house: House) -> None:
    """Raises Failed unless four channels show one statement, what one may not do is told, and no channel differs."""
    core = house.stage.start(
        "core banking",
        *(sys.executable, HERE / "core_banking.py", "--port", "0"),
        CORE_BANKING_SECRET=house.secret,
    )
    apply(house, core)
    web = house.serve("web bank", "web_bank.py", "bank-web", "SELF_SERVICE").url()
    app = house.serve("bank app", "bank_app.py", "bank-app", "SELF_SERVICE").url()
    line = house.serve("bank line", "bank_line.py", "bank-ivr", "AUTOMATED_AGENT").url()
    say("Apps", f"web bank at {web}, app at {app}, telephone line at {line}")

    opened(web, app, line)
    desk = house.screen("branch", "bank_desk.py", "bank-branch", "ASSISTED", "--customer", CUSTOMER, "--period", PERIOD)
    shown = show(desk)
    expect(f"Balance {BALANCE} EUR" in shown, "The branch shows another statement.")
    expect("Opened before, in bank-web." in shown, "The branch does not know that it was opened before.")
    done = ask(f"{core.url()}/done")
    expect(done == {"statement.view": 1, "plan.change": 0}, f"The old system did {done}.")
    say("Bank", "the old system was called once: four channels, one key, one statement")

    gap(house, line)
    compared(house)
    say("Demo", "one function, written once; where a channel may not do it, everybody knows why.")


def apply(house: House, core: App) -> None:
    """The bank's blueprint is in force, with the address at which the old system runs here."""
    file = house.stage.folder / "bank.yaml"
    file.write_text((HERE / "bank.yaml").read_text().replace(ADDRESS, core.url()))
    steadylight(house, "apply", file, "--yes")
    time.sleep(1)  # Servers look for a new blueprint twice a second.


def opened(web: str, app: str, line: str) -> None:
    """The customer opens it on the web, in the app, and on the telephone."""
    page = httpx.get(f"{web}/{CUSTOMER}/statements/{PERIOD}", timeout=PATIENCE).raise_for_status().text
    say("Customer", "opens the statement on the web")
    expect(f"Balance {BALANCE} EUR" in page, f"The web shows another statement:\n{page}")
    buttons = [button["does"] for button in ask(f"{app}/{CUSTOMER}/menu")["buttons"]]
    expect(buttons == ["plan.change", "statement.view"], f"The app offers {buttons}.")
    told = ask(f"{app}/{CUSTOMER}/statements/{PERIOD}")
    say("App", f"balance {told['balance']:.2f} EUR, {told['booked']} bookings")
    expect(f"{told['balance']:.2f}" == BALANCE, f"The app shows another statement: {told}")
    heard = call(line, "call-1", {"wants": "statement", "period": PERIOD})
    say("Line", f"“{heard['say']}”")
    say("SMS", f"“{heard['sms']['text']}”")
    expect(told["open"] in heard["sms"]["text"], "The text message leads to another statement.")


def gap(house: House, line: str) -> None:
    """The customer wants another plan on the telephone, where that cannot be, and gets it in a branch."""
    heard = call(line, "call-2", {"wants": "plan", "plan": "plus"})
    say("Line", f"“{heard['say']}”")
    expect("terms of a plan must be seen" in heard["say"], "The line does not say why.")
    given = ("--customer", CUSTOMER, "--period", PERIOD, "--plan", "plus")
    desk = house.screen("branch again", "bank_desk.py", "bank-branch", "ASSISTED", *given)
    expect("Plan changed from free to plus." in show(desk), "The branch did not change the plan.")

    report = json.loads(steadylight(house, "parity", "--json"))
    (met,) = report["gaps"]
    told = {name: met[name] for name in ("capability", "channel", "why", "changed", "changes")}
    wanted = {"capability": "plan.change", "channel": "bank-ivr", "why": "NOT_FEASIBLE"}
    expect(told == {**wanted, "changed": 1, "changes": {"bank-branch": 1}}, f"The parity report says {told}.")
    why = {row["capability"]: row["channels"]["bank-ivr"]["reason"] for row in report["capabilities"]}
    say("Report", f"plan.change is not feasible in bank-ivr: “{why['plan.change']}”")
    say("Report", "1 customer met that gap, and was in bank-branch soon after")


def compared(house: House) -> None:
    """The statement is the same, whatever channel performs it."""
    file = house.stage.folder / "period.json"
    file.write_text(json.dumps({"period": PERIOD}))
    channels = [word for name in CHANNELS for word in ("--channel", name)]
    given = ["--input", file, "--customer", f"customer-number={CUSTOMER}", "--yes", "--url", house.url]
    printed = steadylight(house, "parity", "check", "statement.view", *given, *channels)
    expect(printed.startswith("The same in "), f"The channels differ:\n{printed}")
    say("Report", printed.strip())


def steadylight(house: House, command: str, *arguments: Any) -> str:
    """What the command prints, beside the server that runs."""
    return house.stage.run(command, *STEADYLIGHT, command, *arguments, "--data", house.stage.folder / "data")


def ask(url: str) -> Any:
    """What is there."""
    return httpx.get(url, timeout=PATIENCE).raise_for_status().json()


def call(line: str, id: str, wish: dict[str, str]) -> Any:
    """What the caller hears, and is sent."""
    return httpx.post(f"{line}/calls/{id}", json={"customer": CUSTOMER, **wish}, timeout=PATIENCE).json()
