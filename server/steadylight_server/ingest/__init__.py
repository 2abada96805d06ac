"""The write path: what a channel recorded becomes stored, projected facts, with a verdict for each."""
