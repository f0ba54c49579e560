"""What the server does as it starts, before anyone asks for the page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def on_server_loaded(_server: Any) -> None:
    """Import what the pages need and make each once: seconds that nobody's click is to wait for."""
    # The folder above need not be on the path: neither `panel serve` nor a wheel puts it there, and
    # Bokeh takes back what this file does to the path as it is loaded.
    above = str(Path(__file__).resolve().parent.parent)
    if above not in sys.path:
        sys.path.insert(0, above)

    from bokeh.document import Document

    from dashboard.app import create_page, makers
    from dashboard.charts import ground
    from dashboard.shelf import Shelf
    from dashboard.state import State
    from dashboard.tidying import Tidying

    create_page().get_root(Document())
    state = State()
    for make in makers(state, Shelf(state)).values():
        make().panel.get_root(Document())
    ground.rehearse()
    # What is there by now stays: the collector need not look through it again and again, which
    # takes a third of a second.
    Tidying().begin()
