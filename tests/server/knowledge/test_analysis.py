"""What of a text is a word, and what its forms have in common."""

from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.knowledge.analysis import Analyser, analyser, language, texts, words


def stems(text: str, locale: str = "en-GB") -> list[str]:
    return [analyser(language(locale)).stem(word) for word in texts(text)]


def test_words_are_cut_at_whatever_is_no_letter_or_digit() -> None:
    assert texts("Don’t pay COVID-19 charges_now, 5G!") == ["don", "t", "pay", "covid", "19", "charges", "now", "5g"]
    assert [(word.text, word.start) for word in words("  Ein Wort")] == [("ein", 2), ("wort", 6)]


def test_endings_are_taken_off_by_the_rules_of_the_language() -> None:
    assert stems("charges charging charged") == ["charg"] * 3
    assert stems("Kündigung kündigen", "de-CH") == ["kundig"] * 2
    assert stems("charges", "xx") == ["charges"]


def test_accents_do_not_count() -> None:
    assert stems("résumé", "en") == stems("resume", "en")
    assert stems("Grösse Größe", "de") == ["gross"] * 2


def test_stop_words_are_those_of_the_language() -> None:
    assert analyser("en").is_stop_word("how")
    assert analyser("de").is_stop_word("und")
    assert not analyser("de").is_stop_word("how")
    assert not analyser("xx").is_stop_word("the")


@given(st.text(st.sampled_from("ab é1-_ ’ıİßｆ日本"), max_size=60), st.text("abé日 ", max_size=12))
def test_places_are_those_of_a_text_taken_apart(text: str, wanted: str) -> None:
    rules = Analyser("en")
    rules.learn([*texts(text), *texts(wanted)])
    looked_for = {rules.stem(word) for word in texts(wanted)}

    found = [(rules.stem(word.text), word.start, word.end) for word in words(text)]
    assert rules.places(text, looked_for) == [one for one in found if one[0] in looked_for]
