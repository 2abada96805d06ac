"""The `steadylight` command. This file alone is loaded where only the SDK is installed."""

import sys


def main() -> None:
    """Runs the command line; in an environment without the server it says in one line what to install."""
    try:
        from steadylight_server.cli.commands import program
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("steadylight", "steadylight_server"):
            raise
        sys.exit(f"The server is not installed here ({error.name} is missing): pip install 'steadylight[server]'")
    program(prog_name="steadylight")
