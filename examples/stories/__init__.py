"""The stories that demo.py plays: each starts its apps, plays everybody in it, and checks what came of it."""
