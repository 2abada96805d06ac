"""For Flask: a contact bound to each request.

from flask import Flask, Request
from steadylight import Client
from steadylight.integrations.flask import contact, init_app

app = Flask(__name__)
light = Client()

def who(request: Request):
    return light.customer(login=session.get("user"), assurance="LOGIN").contact(key=session["visit"])

init_app(app, light=light, who=who)

# in a view
contact.record("plan.viewed", {"plan": plan})
"""

import logging
from collections.abc import Callable
from typing import cast

from flask import Flask, Request, g, has_request_context, request
from werkzeug.local import LocalProxy

from .._client import Client, Contact

__all__ = ["Who", "contact", "init_app"]

log = logging.getLogger("steadylight")

#: Reads from the request whose contact it is; None where there is nothing to go by.
Who = Callable[[Request], Contact | None]


def init_app(app: Flask, *, light: Client, who: Who) -> None:
    """From now on each request has a contact: a nameless one where `who` gives None or raises.

    `who` is asked when a view first uses the contact, so that requests which record nothing cost nothing.
    """

    @app.before_request
    def bind() -> None:
        g.steadylight = light, who


def _contact() -> Contact:
    if not has_request_context() or "steadylight" not in g:
        raise RuntimeError("steadylight's contact is one of a request; call init_app(app, ...) and use it in a view.")
    if "steadylight_contact" not in g:
        light, who = g.steadylight
        g.steadylight_contact = _found(light, who)
    return cast(Contact, g.steadylight_contact)


def _found(light: Client, who: Who) -> Contact:
    try:
        found = who(request)
    except Exception:  # A page must not fail because nobody can say whose visit it is.
        log.exception("who() raised; the request goes on with a nameless contact")
        found = None
    return light.contact() if found is None else found


#: The contact of the request that is being served. Raises RuntimeError outside of one.
contact: Contact = cast(Contact, LocalProxy(_contact))
