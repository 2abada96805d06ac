"""Journeys, and the questions and answers in them: one thing a customer wants to get done, across channels."""
