"""Explore land cover: classify a region, look inside the map, score it, compare runs."""

__version__ = "0.1.0"
