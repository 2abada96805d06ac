"""A bank's terms and conditions, from one source: in the customer's app, in a text message, and on an agent's desk.

Against a server that `make serve` left running, with the articles of the folder `terms` in it:

    steadylight articles import examples/terms --data ./steadylight-data
    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...               # printed by: steadylight channel add app
    python examples/terms.py --customer C-1005 overdraft

On a desk (`steadylight channel add desk --kind ASSISTED`) give `--employee NAME`, and the employees' fragment is there,
too. That it was shown is recorded, to whom and as what: `steadylight articles affected overdraft 1` lists them when it
was wrong. Prints one article and ends; exit code 1 when there is none for whoever asks. All of it is made up.
"""

import argparse
import secrets
import sys

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from steadylight import Article, Client, SteadylightError


def screen(article: Article, reader: str) -> Panel:
    """The article, each fragment under its heading."""
    parts: list[RenderableType] = []
    for fragment in article.fragments:
        if fragment.heading:
            parts.append(Text(f"\n{fragment.heading}", "bold"))
        # As Text: what somebody wrote must not be taken for markup.
        parts.append(Text(fragment.plain))
    stale = ", as it was shown last" if article.stale else ""
    title = f"{article.title}, version {article.version}{stale}"
    return Panel(Group(*parts), title=title, title_align="left", subtitle=reader, border_style="cyan", padding=(1, 2))


def main() -> int:
    """Shows one article. The exit code: 0 when there is one."""
    parser = argparse.ArgumentParser(description="A bank's terms and conditions.")
    parser.add_argument("article", help="which, such as overdraft")
    parser.add_argument("--customer", required=True, help="the customer number of who is signed in, or in the call")
    parser.add_argument("--employee", help="who reads it to them, on an agent's desk")
    parser.add_argument("--locale", help="in which language, such as de-AT")
    parser.add_argument("--sms", action="store_true", help="as a text message")
    given = parser.parse_args()
    with Client() as light:
        visit = f"visit-{secrets.token_hex(4)}"
        contact = light.customer(customer_number=given.customer, assurance="LOGIN").contact(key=visit)
        try:
            article = contact.article(
                given.article,
                rendering="sms" if given.sms else "plain",
                locale=given.locale,
                as_employee=given.employee is not None,
                agent=given.employee,
                within=2,
                stale_ok=True,
            )
        except SteadylightError as error:
            print(f"There is nothing to show: {error.message}", file=sys.stderr)
            return 1
        if given.sms:
            print(article.sms)
        else:
            Console().print(screen(article, given.employee or "in the app"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
