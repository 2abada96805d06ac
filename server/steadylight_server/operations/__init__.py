"""Deeds of employees: audited, done through their slice, under an id that makes repetition harmless."""
