"""What `panel serve dashboard` runs, once for every session."""

import sys
from pathlib import Path

# The folder above need not be on the path: neither `panel serve` nor a wheel puts it there.
_ABOVE = str(Path(__file__).resolve().parent.parent)
if _ABOVE not in sys.path:
    sys.path.insert(0, _ABOVE)

from dashboard.app import create_page  # noqa: E402

create_page().servable()
