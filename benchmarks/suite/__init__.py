"""The systems of the field side by side: ``python -m benchmarks.suite --budget smoke``; see docs/benchmarks.md."""
