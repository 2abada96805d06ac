"""Who is whom: four scenes in which others would mix people up, and what Steadylight makes of them.

Starts a server as the demo does, plays channels and people with the SDK, and prints what each screen is shown, and the
links between identifiers with their reasons. `python examples/who_is_who.py NAME` plays one scene. It ends by itself
in some seconds: with 0 if every scene came out as it says, else with 1. All data is made up.
"""

from stories.programme import run  # type: ignore[import-not-found]  # they are beside this file
from stories.who import hijack, mistake, number, tablet  # type: ignore[import-not-found]

SCENES = {"hijack": hijack, "tablet": tablet, "number": number, "mistake": mistake}

if __name__ == "__main__":
    run("Plays scenes in which people could be mixed up", SCENES, "One customer, and never the wrong one.")
