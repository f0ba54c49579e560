"""Training data: scenes with labels, divided in space, and the crops drawn from them.

Neighbouring pixels are not independent, so pixels are held out in whole blocks, with a buffer
around them that neither trains nor scores. Labels are only turned and mirrored by right
angles, so no label is ever interpolated; a pixel without label is 0 and counts nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from affine import Affine
from numpy.random import Generator
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from scipy import ndimage

from lulc.errors import TrainingError
from lulc.legend import Legend, crosswalk
from lulc.reference import LabelMap
from lulc.region import Region
from lulc.scene import Scene


@dataclass(frozen=True, eq=False)
class Patchwork:
    """One scene and its labels, in memory."""

    values: np.ndarray
    """Reflectance, float32 (band, y, x)."""
    valid: np.ndarray
    """Where no band is nodata, bool (y, x)."""
    train: np.ndarray
    """Labels to train on, uint8 (y, x): n for the n-th class, 0 for none."""
    held: np.ndarray
    """Labels held out, uint8 (y, x), likewise."""
    grid: GeoBox
    """The scene's grid."""
    pixel_size: float
    """The pixel's side in metres."""
    simulated: bool = False
    """Whether the scene is simulated."""
    name: str = ""
    """The scene's name."""
    corners: np.ndarray = field(init=False)
    """Rows and columns of pixels with a training label, int32 (n, 2)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "corners", np.argwhere(self.train > 0).astype(np.int32))

    def footprint(self) -> shapely.Geometry:
        """The outline of the training labels in longitude and latitude."""
        return outline(self.train > 0, self.grid)


def load(
    scene: Scene,
    labels: LabelMap,
    legend: Legend,
    *,
    hold_out: float = 0.2,
    block: int | None = None,
    buffer: int | None = None,
    inside: np.ndarray | None = None,
    seed: int = 0,
) -> Patchwork:
    """Read a scene and its labels, and hold blocks out.

    `labels` lie on the scene's grid, in any legend from which a crosswalk leads to `legend`;
    codes that may be several classes are left out. `block` and `buffer` are in pixels.
    `inside`, bool (y, x), keeps labels elsewhere from being used at all.
    """
    values, valid = scene.read()
    lut = _lut(labels.legend, legend)
    classes = lut[labels.read()]
    classes[~valid] = 0
    if inside is not None:
        classes[~inside] = 0
    height, width = classes.shape
    block = block or max(16, min(256, min(height, width) // 8))
    buffer = max(4, block // 8) if buffer is None else buffer
    out = hold_out_mask((height, width), block, hold_out, seed)
    near = ndimage.binary_dilation(out, iterations=buffer) if buffer and out.any() else out
    return Patchwork(
        values=values,
        valid=valid,
        train=np.where(near, 0, classes).astype(np.uint8),
        held=np.where(out, classes, 0).astype(np.uint8),
        grid=scene.grid,
        pixel_size=scene.pixel_size,
        simulated=scene.simulated,
        name=scene.name,
    )


def hold_out_mask(shape: tuple[int, int], block: int, share: float, seed: int) -> np.ndarray:
    """Which pixels to hold out, bool (y, x): whole blocks of a grid, about `share` of them."""
    rows, columns = -(-shape[0] // block), -(-shape[1] // block)
    number = rows * columns
    chosen = np.zeros(number, bool)
    count = min(number - 1, round(share * number))
    chosen[np.random.default_rng(seed).permutation(number)[:count]] = True
    whole = chosen.reshape(rows, columns).repeat(block, axis=0).repeat(block, axis=1)
    return whole[: shape[0], : shape[1]]


def _lut(source: Legend, target: Legend) -> np.ndarray:
    """From a code to the number of its class in the legend, uint8; 0 where there is not one."""
    lut = np.zeros(np.iinfo(source.dtype).max + 1, np.uint8)
    place = {class_id: number for number, class_id in enumerate(target.ids, 1)}
    for code, targets in crosswalk(source, target).pairs.items():
        if len(targets) == 1:
            lut[code] = place[targets[0]]
    return lut


def draw(
    patchworks: list[Patchwork], crop: int, batch: int, random: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw crops around labelled pixels.

    Returns values as float32 (batch, band, crop, crop), not normalised, NaN where there is no
    data, and labels as uint8 (batch, crop, crop).
    """
    weights = np.array([len(p.corners) for p in patchworks], float)
    if not weights.sum():
        raise TrainingError("expected labelled pixels to train on; there are none")
    bands = patchworks[0].values.shape[0]
    values = np.full((batch, bands, crop, crop), np.nan, np.float32)
    labels = np.zeros((batch, crop, crop), np.uint8)
    for number in range(batch):
        work = patchworks[random.choice(len(patchworks), p=weights / weights.sum())]
        row, column = work.corners[random.integers(len(work.corners))]
        row, column = (
            int(np.clip(at - random.integers(crop), 0, max(0, size - crop)))
            for at, size in zip((row, column), work.train.shape, strict=True)
        )
        y, x = slice(row, row + crop), slice(column, column + crop)
        there = work.valid[y, x]
        height, width = there.shape
        turns, mirror = int(random.integers(4)), bool(random.integers(2))
        values[number, :, :height, :width] = np.where(there, work.values[:, y, x], np.nan)
        labels[number, :height, :width] = work.train[y, x]
        values[number] = turn(values[number], turns, mirror)
        labels[number] = turn(labels[number], turns, mirror)
    return values, labels


def inside(region: Region, grid: GeoBox) -> np.ndarray:
    """Which pixels of a grid lie in a region, bool (y, x)."""
    window = region.window(grid)
    found = np.zeros(tuple(grid.shape), bool)
    rows, columns = window.toslices()
    mask = region.mask(grid, window)
    found[rows, columns] = True if mask is None else mask
    return found


def turn(array: np.ndarray, turns: int, mirror: bool) -> np.ndarray:
    """Turn (..., y, x) by quarters and mirror it: every value stays a value of the array."""
    turned = np.rot90(array, turns, axes=(-2, -1))
    return turned[..., ::-1] if mirror else turned


def vary(values: np.ndarray, random: Generator) -> np.ndarray:
    """Vary the light as scenes do: brightness, each band's gain, and haze in (band, y, x).

    The spans are our choice: a tenth in brightness, a twentieth in a band, haze of 0.01.
    """
    gain = 1 + 0.1 * random.standard_normal() + 0.05 * random.standard_normal((len(values), 1, 1))
    haze = 0.01 * random.standard_normal()
    return (values * gain + haze).astype(np.float32)


def outline(mask: np.ndarray, grid: GeoBox) -> shapely.Geometry:
    """The outline of a mask on a grid, in degrees, never too small by more than its edges.

    Squares of a 64th of the longer side that hold any of the mask, so that a card stays short.
    """
    step = -(-max(mask.shape) // 64)
    rows, columns = (-size % step for size in mask.shape)
    squares = np.pad(mask, ((0, rows), (0, columns)))
    coarse = squares.reshape(squares.shape[0] // step, step, -1, step).any(axis=(1, 3))
    transform = grid.affine @ Affine.scale(step)
    polygons = [
        shapely.geometry.shape(geometry)
        for geometry, value in shapes(coarse.astype(np.uint8), mask=coarse, transform=transform)
        if value
    ]
    merged = shapely.union_all(polygons) & grid.extent.geom
    degrees = Region("training", merged, str(grid.crs)).to("EPSG:4326")
    # About ten metres: no more than the edges of the squares are worth.
    degrees = degrees.simplify(1e-4)
    return degrees if degrees.geom_type == "MultiPolygon" else shapely.MultiPolygon([degrees])
