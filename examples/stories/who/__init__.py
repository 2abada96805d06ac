"""The scenes that who_is_who.py plays. Each checks what it says, and returns what it saw for the tests to look into."""
