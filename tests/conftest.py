"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from dashboard.painting.picture import Order

# What was measured on this machine must not decide what a test sees. lulc reads it at import.
os.environ["LULC_TUNING"] = "off"

# A busy machine is slow, not wrong: no example fails by the time it takes.
settings.register_profile("lulc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lulc")

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images and labels; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real data in ../shared/data, which is not here")
    return SHARED_DATA


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A workspace with a scene, references and two scored runs, for all tests of a file."""
    import workspaces

    return workspaces.make(tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def workspace(made, monkeypatch) -> Path:
    """The same, as the workspace that lulc and the dashboard find."""
    monkeypatch.setenv("LULC_WORKSPACE", str(made))
    return made


@pytest.fixture
def order(workspace) -> Order:
    """The first run of the workspace over its scene, with the truth as reference."""
    from dashboard import catalog
    from dashboard.painting.picture import Order

    return Order(
        scene=catalog.open_scene("sample"),
        run=catalog.find_run("run-a"),
        reference=workspace / "references" / "sample-truth.tif",
    )
