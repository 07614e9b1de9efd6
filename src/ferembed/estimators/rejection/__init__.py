"""Classifiers that may say "unknown"."""
