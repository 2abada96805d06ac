"""What a text message can say."""

import pytest

from steadylight_server.core import gsm


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Tariff £5 @ été, naïve Ærø", "Tariff £5 @ été, naive Ærø"),
        ("e\u0301 a\u0300", "é à"),
        ("Čapek, Łódź, Þór, Œuvre", "Capek, Lodz, Thor, OEuvre"),
        ("“It’s” – here…", '"It\'s" - here...'),
        ("a\n\tb\u00a0\u2003c\x00", "a b c"),
        ("ok 👍 done", "ok done"),
        ("{[~]}^|\\€", "{[~]}^|\\€"),
        ("½ ﬁve ２", "1/2 five 2"),
        ("Привет", ""),
        ("\ud800\u202e\x1b", ""),
    ],
)
def test_a_text_is_put_into_the_alphabet(text: str, said: str) -> None:
    assert gsm.written(text) == said


def test_the_alphabet_is_the_standards_without_line_ends_and_escape() -> None:
    assert (len(gsm.BASIC), len(gsm.EXTENSION)) == (128 - 3, 10 - 1)  # a form feed is an extension, too


def test_a_character_of_the_extension_counts_as_two() -> None:
    assert [gsm.length(text) for text in ("", "é", "€", "a{b}")] == [0, 1, 2, 6]
