"""What a model expects and where it comes from: its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lulc import indices
from lulc.errors import ModelError
from lulc.legend import Legend
from lulc.unet import UNet

#: Raised when a card's keys change their meaning.
VERSION = 1


@dataclass(frozen=True)
class BandCard:
    """One input band as it was while training, over the valid pixels."""

    name: str
    """Sentinel-2 band or index name."""
    mean: float
    """Mean: reflectance 0..1, or the index as coded."""
    std: float
    """Standard deviation, in the same unit."""
    low: float
    """2nd percentile, in the same unit."""
    high: float
    """98th percentile, in the same unit."""

    @property
    def unit(self) -> str:
        """`reflectance` or `index`."""
        return "index" if indices.is_index(self.name) else "reflectance"


@dataclass(frozen=True)
class ModelCard:
    """Everything about a model but its weights."""

    name: str
    """Short name, as on the command line."""
    title: str
    """One line for people."""
    network: UNet
    """The network's settings; halo and stride follow from them."""
    legend: Legend
    """The classes, in the order of the network's outputs."""
    bands: tuple[BandCard, ...]
    """The network's input channels, in order."""
    correlation: tuple[tuple[float, ...], ...]
    """Correlation of the bands with each other while training: tells permuted bands."""
    pixel_size: tuple[float, float]
    """Smallest and largest pixel side in metres that the model is meant for."""
    index_coding: str = "unit"
    """How index bands are coded: see `lulc.indices.CODINGS`."""
    temperature: float = 1.0
    """Softmax temperature that calibrates the activations; 1 leaves them."""
    simulated: bool = False
    """Whether it was trained on simulated regions."""
    footprints: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """GeoJSON MultiPolygon in longitude and latitude: where the training pixels lie."""
    scores: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Scores on data held out in space, with what they were held out from."""
    provenance: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """How it was trained: data, loss, steps, versions, date."""
    weights: str = ""
    """SHA-256 of `model.keras`."""

    def __post_init__(self) -> None:
        if (len(self.bands), len(self.legend.classes)) != (
            self.network.bands,
            self.network.classes,
        ):
            raise ModelError(
                f"the card of {self.name} names {len(self.bands)} bands and "
                f"{len(self.legend.classes)} classes; its network has {self.network.bands} "
                f"and {self.network.classes}"
            )

    @property
    def halo(self) -> int:
        """Pixels around a tile on which its result depends."""
        return self.network.halo

    @property
    def stride(self) -> int:
        """Tile offsets and sizes are multiples of this."""
        return self.network.stride

    @property
    def band_names(self) -> tuple[str, ...]:
        """The names of the input bands, in order."""
        return tuple(band.name for band in self.bands)

    @property
    def mean(self) -> np.ndarray:
        """Means as float32 (band, 1, 1)."""
        return np.array([band.mean for band in self.bands], np.float32)[:, None, None]

    @property
    def std(self) -> np.ndarray:
        """Standard deviations as float32 (band, 1, 1)."""
        return np.array([band.std for band in self.bands], np.float32)[:, None, None]

    def to_dict(self) -> dict[str, Any]:
        """As in `card.json`."""
        data = {
            "version": VERSION,
            **asdict(self),
            "legend": self.legend.to_dict(),
            "halo": self.halo,
            "stride": self.stride,
        }
        data["bands"] = [{**asdict(band), "unit": band.unit} for band in self.bands]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelCard:
        """The inverse of `to_dict`; raises ModelError for what is no card."""
        try:
            if data["version"] != VERSION:
                raise ModelError(
                    f"expected a card of version {VERSION}; got {data['version']}: "
                    "this model is from another version of lulc"
                )
            fields = {k: v for k, v in data.items() if k not in ("version", "halo", "stride")}
            fields["legend"] = Legend.from_dict(data["legend"])
            fields["network"] = UNet(**data["network"])
            fields["bands"] = tuple(
                BandCard(**{k: v for k, v in band.items() if k != "unit"}) for band in data["bands"]
            )
            fields["correlation"] = tuple(tuple(row) for row in data["correlation"])
            fields["pixel_size"] = tuple(data["pixel_size"])
            card = cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"expected a model card; this one fails at {error}") from error
        if (card.halo, card.stride) != (data.get("halo"), data.get("stride")):
            raise ModelError(
                f"the card of {card.name} says halo {data.get('halo')}, stride "
                f"{data.get('stride')}; its network has {card.halo} and {card.stride}"
            )
        return card

    def to_json(self) -> str:
        """The text of `card.json`."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"
