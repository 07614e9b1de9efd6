"""Votes and scores made probabilities on held-out rows."""
