"""The one version of SDK and server."""

__version__ = "0.1.0"
