"""Importing lulc is light: Panel and TensorFlow wait until they are needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LULC = Path(__file__).resolve().parent.parent / "lulc"

#: What must not be loaded: the network, and everything of the dashboard.
HEAVY = {"tensorflow", "keras", "panel", "bokeh", "holoviews", "geoviews", "datashader"}

MODULES = sorted(f"lulc.{path.stem}" for path in LULC.glob("*.py") if path.stem[:2] != "__")


def loaded_by(*modules: str) -> set[str]:
    """The top-level packages in a fresh interpreter after importing some modules."""
    script = f"import json, sys, {', '.join(modules)}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("modules", [["lulc"], MODULES], ids=["lulc", "every module"])
def test_import_is_light(modules: list[str]) -> None:
    loaded = loaded_by(*modules)
    assert "lulc" in loaded
    assert not loaded & (HEAVY | {"dashboard"})


def test_command_line_starts_without_the_libraries_of_a_command() -> None:
    assert not loaded_by("lulc.cli") & (HEAVY | {"rasterio", "geopandas", "scipy"})
