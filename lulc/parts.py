"""What is counted beside the confusion matrix, by name: the keys of `evaluation.json`.

A part is a module with a frozen dataclass (`lulc.strips.Part`) and its tally, and a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lulc.attainable import Attainable
from lulc.blocks import SpatialBlocks
from lulc.boundary import Boundary
from lulc.generalised import Generalised
from lulc.histograms import Histograms
from lulc.strips import Part

#: The parts by their names.
PARTS: dict[str, type[Part]] = {
    "intervals": SpatialBlocks,
    "boundary": Boundary,
    "generalised": Generalised,
    "activations": Histograms,
    "attainable": Attainable,
}


def from_dict(data: Mapping[str, Any]) -> dict[str, Part]:
    """The parts of an evaluation's JSON. Raises KeyError, TypeError or ValueError."""
    return {name: part.from_dict(data[name]) for name, part in PARTS.items() if data.get(name)}
