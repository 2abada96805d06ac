"""The piece of a text that is shown with a hit: the best there is, of whole words, and what was looked for marked."""

from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.knowledge.analysis import Word
from steadylight_server.knowledge.snippets import snippet

WORTHS = {"fee": 1.0, "roaming": 2.5, "abroad": 4.0, "late": 8.5}
WIDTH = 60


def found(text: str) -> list[Word]:
    """Where the words stand that were looked for."""
    places, at = [], 0
    for word in text.split(" "):
        if word in WORTHS:
            places.append(Word(word, at, at + len(word)))
        at += len(word) + 1
    return places


@given(st.lists(st.sampled_from([*WORTHS, "the", "a", "company", "of", "telephones", "and"]), max_size=60))
def test_no_other_piece_has_more_of_what_was_looked_for(words: list[str]) -> None:
    text = " ".join(words)
    places = found(text)

    marked = snippet(text, places, WORTHS, WIDTH)

    best = max(
        (
            sum(
                WORTHS[one]
                for one in {other.text for other in places if 0 <= other.start - place.start <= WIDTH - len(other.text)}
            )
            for place in places
        ),
        default=0.0,
    )
    told = [marked.text[start:end] for start, end in marked.ranges]
    assert sum(WORTHS[one] for one in set(told)) == best
    assert marked.text.removeprefix("… ").removesuffix(" …") in text
    assert len(marked.text) <= WIDTH + len("…  …")


def test_the_first_of_equal_pieces_is_shown_with_what_comes_before_it() -> None:
    text = "what a fee is " + "and so on " * 12 + "another fee at the end"

    marked = snippet(text, found(text), WORTHS, WIDTH)

    assert marked.text.startswith("what a fee is")
    assert marked.html.count("<mark>fee</mark>") == 1
