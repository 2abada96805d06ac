"""This SDK in the bench of the peers': an application that knows its customers' contacts, with the defaults.

The bench's sink knows no verdicts: an answer that is no error counts as STORED for all that was sent. Everything else
is the SDK as it ships: validation, ids, spool, gzip.
"""

import os

from . import base  # type: ignore[attr-defined]  # The bench's own, beside which this file is put.


class Adapter(base.Adapter):  # type: ignore[misc]
    venv = "steadylight"
    dist = ""
    durable = True
    path = [os.environ.get("STEADYLIGHT_SDK", "")]

    def imports(self):
        from steadylight import Client, Options

        self.Client, self.Options = Client, Options

    def create(self, url, queue_max=None, spool=None):
        self.light = self.Client(url, "sl_bench_secret", options=self.Options(spool=spool))
        self.contacts = {}
        from steadylight import _answers, _protocol

        def judge(answer, count, now):
            _answers.read(answer, now)
            return _answers.Judgement("S" * count)

        _protocol.judge = judge  # type: ignore[attr-defined]

    def track(self, user, event, props):
        try:
            contact = self.contacts[user]
        except KeyError:
            contact = self.contacts[user] = self.light.customer(login=user, assurance="LOGIN").contact(key=user)
        contact.record(event, props)

    def pending(self):
        return self.light._shared.recorder.queue.undelivered()  # As the peers' adapters look into their queues.

    def flush(self, timeout):
        self.light.flush(timeout)

    def close(self):
        self.light.close()
