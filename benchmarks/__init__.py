"""Measurements, each a `python -m benchmarks.NAME`. They print ratios taken side by side."""
