"""Choosing what to classify: scene, region, model, device; and what that would take."""
