"""`make demo`: six stories of customers whom every channel knows, played one after the other on one server.

Starts a Steadylight server on a database of its own in a temporary directory, and channel apps beside it, each a
process with its own key. This program plays the customers, their browsers and the telephone network. `python
examples/demo.py NAME` plays one story. It ends by itself in some seconds: with 0 if every story came out as it should,
else with 1. Whatever it started it ends, also on failure and on Ctrl-C. All data is made up.
"""

from stories import broadband, deposit, interest, own_page, roaming, terms  # type: ignore[import-not-found]  # they are beside this file
from stories.programme import run  # type: ignore[import-not-found]

STORIES = {
    "interest": interest,
    "roaming": roaming,
    "deposit": deposit,
    "own-page": own_page,
    "broadband": broadband,
    "terms": terms,
}

if __name__ == "__main__":
    run(
        "Plays stories of customers in several channels",
        STORIES,
        "One memory for every channel.",
        hint="Who is whom, and what becomes of a mistake: python examples/who_is_who.py",
    )
