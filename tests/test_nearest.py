"""The nearest pixel of another grid: GDAL's exact one, and the same in every window."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from lulc import nearest as nearest_module
from lulc import reference
from lulc.legend import Legend
from lulc.nearest import nearest
from lulc.reference import open_reference

SHAPE = (700, 560)
FINNISH = GeoBox.from_bbox((300000, 6800000, 305600, 6807000), "EPSG:3067", shape=SHAPE)


def written(path, grid, dtype="uint8", nodata=255):
    """A raster of random classes on a grid."""
    ids = np.random.default_rng(1).integers(1, 14, grid.shape).astype(dtype)
    with rasterio.open(
        path, "w", driver="GTiff", width=grid.shape.x, height=grid.shape.y, count=1, dtype=dtype,
        crs=str(grid.crs), transform=grid.affine, nodata=nodata,
    ) as file:  # fmt: skip
        file.write(ids, 1)
        file.update_tags(LULC_LEGEND="lulc13")
    return path


def around(grid, crs, size, margin):
    """A grid in another CRS over the same ground, larger or smaller by some of its pixels."""
    west, south, east, north = transform_bounds(str(grid.crs), crs, *grid.boundingbox)
    box = (west - margin * size, south - margin * size, east + margin * size, north + margin * size)
    return GeoBox.from_bbox(box, crs, resolution=size)


def found(path, grid, window):
    with rasterio.open(path) as file:
        return nearest(file, 1, grid, window, file.nodata)


@pytest.mark.parametrize("margin", [5, -20])
@pytest.mark.parametrize(
    ("crs", "size"),
    [
        ("EPSG:3035", 25),
        ("EPSG:3035", 100),
        ("EPSG:3035", 4),
        ("EPSG:4326", 0.0002),
        ("EPSG:3067", 20),
        ("EPSG:32633", 13),
    ],
)
def test_equal_to_every_pixels_own_coordinates(tmp_path, crs, size, margin):
    path = written(tmp_path / "reference.tif", around(FINNISH, crs, size, margin))
    whole = Window(0, 0, SHAPE[1], SHAPE[0])
    ours = found(path, FINNISH, whole)
    with rasterio.open(path) as file:
        exact = reference._exact(file, 1, FINNISH, whole, 255)
    # What differs lies on an edge of the reference's pixels, to some hundred-thousandths of one.
    assert (ours != exact).mean() < 1e-4
    assert ours.dtype == np.uint8 and ((ours == 255).any() == (margin < 0))


def test_a_pixel_is_the_same_in_every_window(tmp_path):
    """Even where all centres lie on edges of the reference's pixels."""
    shifted = GeoBox(SHAPE, FINNISH.affine * Affine.translation(0.5, 0.5), FINNISH.crs)
    for name, grid in {"edges": shifted, "askew": around(FINNISH, "EPSG:3035", 10, 3)}.items():
        path = written(tmp_path / f"{name}.tif", grid)
        whole = found(path, FINNISH, Window(0, 0, SHAPE[1], SHAPE[0]))
        for column, row, width, height in ((0, 0, 1, 1), (511, 510, 3, 5), (17, 300, 543, 400)):
            part = found(path, FINNISH, Window(column, row, width, height))
            assert (part == whole[row : row + height, column : column + width]).all()


def test_a_fine_reference_is_read_in_pieces(tmp_path, monkeypatch):
    path = written(tmp_path / "reference.tif", around(FINNISH, "EPSG:3035", 4, 2))
    whole = Window(0, 0, SHAPE[1], SHAPE[0])
    at_once = found(path, FINNISH, whole)
    monkeypatch.setattr(nearest_module, "SOURCE_PIXELS", 5000)
    assert (found(path, FINNISH, whole) == at_once).all()


def test_outside_is_what_stands_for_it(tmp_path):
    grid = GeoBox.from_bbox((300000, 6800000, 300100, 6800100), "EPSG:3067", shape=(5, 5))
    path = written(tmp_path / "reference.tif", grid, "float32", float("nan"))
    ids = found(path, FINNISH, Window(0, 0, SHAPE[1], SHAPE[0]))
    assert ids.dtype == np.float32 and (~np.isnan(ids)).sum() == 100


def test_across_the_antimeridian_nothing_is_interpolated(tmp_path):
    """A map of Fiji against a raster in degrees, which ends where the map goes on."""
    fiji = GeoBox.from_bbox((1800000, 3900000, 2400000, 4200000), "EPSG:3460", shape=(300, 600))
    world = GeoBox.from_bbox((-180, -40, 180, 10), "EPSG:4326", shape=(500, 3600))
    path = written(tmp_path / "reference.tif", world)
    assert found(path, fiji, Window(0, 0, 600, 300)) is None
    labels = open_reference(path, fiji, known=[Legend.load("lulc13")])
    ids = labels.read()
    with rasterio.open(path) as file:
        values, longitudes = file.read(1), np.arange(600)
    x, y = fiji.pix2wld(longitudes + 0.5, np.full(600, 150.5))
    east, south = rasterio.warp.transform("EPSG:3460", "EPSG:4326", x, y)
    rows = ((10 - np.array(south)) / 0.1).astype(int)
    columns = ((np.array(east) + 180) / 0.1).astype(int)
    assert (ids[150] == values[rows, columns]).mean() > 0.99
    assert np.ptp(east) > 350  # both sides of it
