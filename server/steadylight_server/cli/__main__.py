"""`python -m steadylight_server.cli`: the command where its script is not on the PATH."""

from steadylight_server.cli import main

if __name__ == "__main__":
    main()
