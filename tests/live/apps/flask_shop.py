"""A page in Flask that records who looked at it."""

import os

from flask import Flask, Request

from steadylight import Client, Contact
from steadylight.integrations.flask import contact, init_app

light = Client()
light.contact("boot").record("app.started")
app = Flask(__name__)


def who(request: Request) -> Contact:
    return light.customer(login=request.args["user"], assurance="LOGIN").contact(request.args["visit"])


init_app(app, light=light, who=who)


@app.get("/plan")
def plan() -> str:
    contact.record("plan.viewed", {"worker": os.getpid()})
    return str(os.getpid())
