"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
