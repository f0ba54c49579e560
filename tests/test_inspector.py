"""What the inspector knows of a pixel, and what its charts are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.windows import Window

from dashboard.mapping.warp import View
from dashboard.painting import layers
from dashboard.painting.layers import Order
from dashboard.pixels import feature_space, inspector, pixel, signatures, spectra
from dashboard.pixels.signatures import Signatures
from lulc.legend import Legend


def place_of(order: Order, column: int, row: int) -> tuple[float, float]:
    """Longitude and latitude of the centre of a pixel of the scene."""
    to = Transformer.from_crs("EPSG:3067", "EPSG:4326", always_xy=True)
    return to.transform(*(order.scene.grid.affine * (column + 0.5, row + 0.5)))


def test_a_pixel_is_read_where_it_was_clicked(order):
    found = pixel.look(order, *place_of(order, 120, 75))
    bands = signatures.reflectance_bands(order.scene)
    values, valid = order.scene.select(bands).read(Window(120, 75, 1, 1))
    assert valid.all() and found.spectrum == pytest.approx(values[:, 0, 0])
    with rasterio.open(order.run.map_path) as file:
        stored = file.read(window=Window(120, 75, 1, 1))[:, 0, 0]
    assert found.class_id == stored[0]
    assert found.activations == pytest.approx(stored[1:] * 0.004)
    with rasterio.open(order.reference) as file:
        code = int(file.read(1, window=Window(120, 75, 1, 1))[0, 0])
    assert found.reference == order.run.legend.by_id[code].name


def test_a_place_outside_holds_nothing(order):
    found = pixel.look(order, 0.0, 0.0)
    assert (found.spectrum, found.activations, found.class_id) == (None, None, None)
    assert found.reference == "" and found.nearest == ()
    assert "no class here" in inspector.places([found], order.run.legend)


def test_without_a_run_there_is_still_a_spectrum(order):
    found = pixel.look(replace(order, run=None), *place_of(order, 120, 75))
    assert found.spectrum is not None and found.class_id is None
    assert "Needs a run" in inspector.nearest([found], None)


def test_bands_come_by_wavelength_and_without_indices(order):
    bands = signatures.reflectance_bands(order.scene)
    assert bands[0] == "B02" and bands[-1] == "B12"
    assert "NDVI" in order.scene.bands and "NDVI" not in bands


def test_signatures_are_the_mean_and_spread_of_each_class(order):
    known = signatures.signatures(order.scene, order.run)
    values, valid = order.scene.select(known.bands).read()
    with rasterio.open(order.run.map_path) as file:
        classes = file.read(1)
    most = int(np.argmax(known.count))
    own = values[:, valid & (classes == known.ids[most])]
    assert known.mean[most] == pytest.approx(own.mean(axis=1), rel=0.05)
    assert known.count.sum() > 10_000


def test_a_class_is_nearest_to_its_own_mean():
    random = np.random.default_rng(4)
    classes = np.repeat([1, 2, 3], 200)
    middles = np.array([[0.1, 0.2], [0.4, 0.2], [0.1, 0.6]])
    pixels = middles[classes - 1].T + random.normal(0, [[0.01], [0.1]], (2, 600))
    known = signatures.summary(pixels, classes, ("B04", "B08"), (1, 2, 3, 9))
    assert known.spread == pytest.approx([0.01, 0.1], rel=0.1)
    for row in range(3):
        away = known.distances(known.mean[row])
        assert away[row] == 0 and np.nanargmin(away) == row
    assert np.isnan(known.distances(known.mean[0])[3]) and known.count[3] == 0
    # By hand: one standard deviation in one of two bands.
    one = known.mean[0] + [known.spread[0], 0]
    assert known.distances(one)[0] == pytest.approx(np.sqrt(0.5))


def test_a_run_on_another_grid_has_no_signatures(order):
    grid = order.run.grid
    assert signatures.offset(grid, order.scene.grid) == (0, 0)
    assert signatures.offset(grid[10:20, 5:9], order.scene.grid) == (5, 10)
    assert signatures.offset(grid.zoom_out(2), order.scene.grid) is None


def test_the_charts_compare_the_pins(order):
    pins = [pixel.look(order, *place_of(order, *at)) for at in ((120, 75), (30, 200), (200, 30))]
    bands = signatures.reflectance_bands(order.scene)
    known = signatures.signatures(order.scene, order.run)
    drawn = spectra.spectra(pins, bands, known, order.run.legend)
    with_data = [p for p in pins if p.spectrum is not None]
    assert len(drawn["lines"]["xs"]) == len(with_data) >= 2
    assert len(drawn["dots"]["x"]) == len(bands) * len(with_data)
    assert len(drawn["ribbons"]["xs"]) == len({p.class_id for p in with_data})
    assert len(set(drawn["lines"]["color"])) == len(with_data)
    bars = spectra.activations(pins, order.run.legend)
    assert len(bars["y"]) == 13 * sum(p.activations is not None for p in pins)
    assert len(set(bars["y"])) == len(bars["y"])  # none lies over another
    for columns in (*drawn.values(), bars):
        assert len({len(column) for column in columns.values()}) == 1
    text = inspector.nearest(pins, order.run.legend)
    assert text.count("<tr>") == 1 + 5 * len(with_data) and "standardised" not in text
    assert "standard deviations" in text


def test_nothing_is_drawn_of_nothing():
    empty = Signatures(("B04",), (1,), np.full((1, 1), np.nan), np.full((1, 1), np.nan),
                       np.zeros(1, int))  # fmt: skip
    charts = spectra.Charts()
    charts.show([], ["B04"], empty, None, "reflectance")
    assert not spectra.activations([], None)["y"]


# Two bands against each other


def test_the_cloud_counts_the_pixels_in_view(order):
    view = View.of(order.run.grid, 300, 200)
    found = feature_space.cloud(order, view, "B04", "B08")
    there = layers.paint(order, view).classes != layers.NOTHING
    # The ends of both axes are left out.
    assert 0.97 * there.sum() < found.pixels <= there.sum()
    assert found.image[..., 3].any() and not found.image[..., 3].all()
    left, bottom, right, top = found.bounds
    assert -0.05 < left < right < 1 and -0.05 < bottom < top < 1
    names = frozenset(order.run.legend.names)
    assert feature_space.cloud(replace(order, hidden=names), view, "B04", "B08") is None
    assert feature_space.cloud(Order(), view, "B04", "B08") is None


def test_a_cloud_lies_where_its_pixels_are():
    x, y = np.r_[np.zeros(50), np.ones(50)], np.r_[np.zeros(50), np.ones(50)]
    legend = Legend.load("lulc13")
    found = feature_space.scatter(x, y, np.repeat([5, 13], 50), legend)
    low, high = found.image[-10:, :10], found.image[:10, -10:]
    for corner, number in ((low, 5), (high, 13)):
        painted = corner[corner[..., 3] > 0]
        assert len(painted) == 1
        assert tuple(painted[0, :3]) == legend.by_id[number].rgb
    assert found.pixels == 100


def test_axes_say_their_unit():
    unit = Order().unit
    assert feature_space.axis("B08", unit) == "B08 (reflectance, 0 to 1)"
    assert feature_space.axis("NDVI", unit) == "NDVI (index, as stored)"
