"""Measures: what customers go through, made of what is on their timelines."""
