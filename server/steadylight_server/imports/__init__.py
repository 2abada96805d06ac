"""Brings the customers of other systems: each row of a file becomes one action of its source."""
