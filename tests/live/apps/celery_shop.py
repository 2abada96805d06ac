"""Tasks in Celery that record what they did."""

import json
import os
import signal

from celery import Celery  # type: ignore[import-untyped]
from celery.signals import worker_process_shutdown  # type: ignore[import-untyped]

from steadylight import Client

app = Celery("shop")
app.conf.update(json.loads(os.environ["SHOP_CELERY"]))
light = Client()
light.contact("boot").record("app.started")


@app.task(name="send_bill")
def send_bill(number: str) -> None:
    light.contact(number).record("bill.sent", {"child": os.getpid()})


@app.task(name="send_bill_and_die")
def send_bill_and_die(number: str) -> None:
    send_bill(number)
    os.kill(os.getpid(), signal.SIGKILL)


@worker_process_shutdown.connect
def close(**_: object) -> None:
    light.close()
