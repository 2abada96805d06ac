"""URL, key and options."""

import pytest

from steadylight import Client, Misconfigured, Options
from steadylight._options import endpoint


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEADYLIGHT_URL", raising=False)
    monkeypatch.delenv("STEADYLIGHT_KEY", raising=False)


def test_arguments_come_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYLIGHT_URL", "http://variable")
    monkeypatch.setenv("STEADYLIGHT_KEY", "k-variable")

    assert (endpoint(None, None).url, endpoint(None, None).key) == ("http://variable/graphql", "k-variable")
    assert (endpoint("http://given", "k").url, endpoint("http://given", "k").key) == ("http://given/graphql", "k")


@pytest.mark.parametrize("url", ["http://host:8000", "http://host:8000/", "http://host:8000/graphql"])
def test_the_path_is_appended_once(url: str) -> None:
    assert endpoint(url, "k").url == "http://host:8000/graphql"


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        (None, "k", "Set STEADYLIGHT_URL"),
        ("localhost:8000", "k", "Give it whole"),
        ("http://", "k", "Give it whole"),
        ("http://host", None, "Set STEADYLIGHT_KEY"),
        ("http://host", "two words", "Copy it again"),
        ("http://host", "ключ", "Copy it again"),
        ("http://host", "a\nb", "Copy it again"),
    ],
)
def test_what_is_missing_or_wrong_says_what_to_do(url: str | None, key: str | None, told: str) -> None:
    with pytest.raises(Misconfigured, match=told) as caught:
        Client(url, key)

    assert caught.value.code == "MISCONFIGURED"
    assert key is None or key == "k" or key not in str(caught.value)


def test_no_repr_shows_the_key() -> None:
    with Client("http://host", "sl_secret") as light:
        shown = repr(light) + repr(vars(light)) + repr(vars(light._shared))

    assert "sl_secret" not in shown
    assert repr(light) == "Client(url='http://host/graphql')"


def test_options_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Options().linger = 1.0  # type: ignore[misc]
