"""The same page in Django."""

import os
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from steadylight import Client, Contact
from steadylight.integrations.django import middleware

light = Client()
light.contact("boot").record("app.started")


def who(request: HttpRequest) -> Contact:
    return light.customer(login=request.GET["user"], assurance="LOGIN").contact(request.GET["visit"])


def plan(request: Any) -> HttpResponse:
    request.contact.record("plan.viewed", {"worker": os.getpid()})
    return HttpResponse(str(os.getpid()))


steadylight = middleware(light=light, who=who)
urlpatterns = [path("plan", plan)]
settings.configure(
    ROOT_URLCONF=__name__, MIDDLEWARE=[f"{__name__}.steadylight"], ALLOWED_HOSTS=["*"], SECRET_KEY="for this test"
)
django.setup()
app = get_wsgi_application()
