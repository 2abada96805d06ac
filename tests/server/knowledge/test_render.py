"""A fragment for each kind of channel; whatever was written, nothing runs."""

import pytest

from steadylight_server.knowledge.render import hashed, plain, rendered
from tests.factories import fragment

PAGE = """\
# Roaming

You pay **two pounds** a day in [these countries](https://example.org/where), or call
[us](tel:+44).

- Spain
- France
  and *Corsica*

1. Ring `*100#`.

| Country | Price |
|---------|-------|
| Spain   | £2    |

```
*100#
```

<div onclick="x()">Ask &amp; we <b>help</b></div>
"""


def test_each_kind_of_channel_has_its_own() -> None:
    shown = rendered(fragment(body=PAGE))

    assert "<strong>two pounds</strong>" in shown.html
    assert '<a href="https://example.org/where" rel="noopener noreferrer">these countries</a>' in shown.html
    assert "<td>Spain</td>" in shown.html
    assert "<div>Ask &amp; we <b>help</b></div>" in shown.html
    assert shown.plain.split("\n\n") == [
        "Roaming",
        "You pay two pounds a day in these countries (https://example.org/where), or call us (+44).",
        "- Spain",
        "- France and Corsica",
        "1. Ring *100#.",
        "Country | Price",
        "Spain | £2",
        "*100#",
        "Ask & we help",
    ]
    assert shown.spoken.startswith("Roaming You pay two pounds a day in these countries, or call us. - Spain")
    assert shown.sms.startswith("Roaming You pay two pounds a day in these countries (https://example.org/where)")
    assert plain(PAGE).splitlines()[2] == "You pay two pounds a day in these countries, or call us."


def test_a_short_form_takes_the_place_of_what_would_be_made() -> None:
    shown = rendered(fragment(body=PAGE, spoken="Two  pounds.", sms="Zwölf “Pfund” – täglich 😀"))

    assert (shown.spoken, shown.sms) == ("Two pounds.", 'Zwölf "Pfund" - täglich')
    assert "Roaming" in shown.plain


@pytest.mark.parametrize(
    "written",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        '<a href="javascript:alert(1)">x</a>',
        '<img src=x onerror="alert(1)">',
        "<iframe src='//evil'></iframe>",
        "<svg><script>alert(1)</script></svg>",
        '<p style="background:url(javascript:alert(1))">x</p>',
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
    ],
)
def test_nothing_that_was_written_runs(written: str) -> None:
    html = rendered(fragment(body=f"Before.\n\n{written}\n\nAfter.")).html

    assert not [
        one for one in ("script>", 'href="javascript', "onerror", "iframe", "style", 'href="data:') if one in html
    ]
    assert "Before." in html
    assert "After." in html


def test_what_was_shown_has_one_hash() -> None:
    assert hashed(["a", "b"]) == hashed(["a", "b"])
    assert len({hashed([]), hashed(["ab"]), hashed(["a", "b"]), hashed(["b", "a"])}) == 4
    assert len(hashed([])) == 32
