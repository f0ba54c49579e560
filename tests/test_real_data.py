"""Real images and labels, end to end: docs/real-data.md tells the same story."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lulc import config, samples, train
from lulc.classify import classify
from lulc.evaluation import evaluate
from lulc.legend import Legend
from lulc.model import Model
from lulc.reference import open_reference
from lulc.region import Region
from lulc.scene import Scene

#: The western half of the Landsat image, and the east a kilometre on.
WEST = (-3.5257, 36.8736, -3.46, 37.0423)
EAST = (-3.449, 36.874, -3.393, 37.042)


@pytest.fixture(scope="module")
def lanjaron(shared_data) -> Path:
    return shared_data / "lanjaron_landsat_clc2018"


@pytest.fixture(scope="module")
def scene(lanjaron) -> Scene:
    return Scene.open(lanjaron / "sat_landsat_b2-b7_60m.tif", scale=0.0000275, offset=-0.2)


def test_a_geopackage_is_read_after_tensorflow_was_loaded(lanjaron):
    """In a process of its own: which SQLite is used is settled by what is loaded first."""
    code = (
        "from lulc.device import tensorflow; tensorflow().constant(1)\n"
        "from lulc.reference import open_reference; from lulc.scene import Scene\n"
        f"grid = Scene.open({str(lanjaron / 'clc_25m.tif')!r}, bands=['B02'], scale=1).grid\n"
        f"labels = open_reference({str(lanjaron / 'clc.gpkg')!r}, grid, layer='clc')\n"
        "print((labels.read() != labels.legend.nodata).mean())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.9


@pytest.mark.slow
def test_train_in_the_west_and_score_the_east(scene, lanjaron, tmp_path):
    legend = Legend.load("clc1")
    labels = open_reference(lanjaron / "clc.gpkg", scene.grid, layer="clc")
    west = samples.inside(Region.box(WEST), scene.grid)
    work = samples.load(scene, labels, legend, inside=west)
    settings = train.Settings(width=8, depth=2, crop=32, epochs=60)
    model = train.train([work], scene.bands, legend, tmp_path / "lanjaron", settings)
    assert not model.card.simulated

    run = classify(scene, model, out=tmp_path / "run")
    with (
        rasterio.open(run.map_path) as map_file,
        rasterio.open(lanjaron / "sat_landsat_b2-b7_60m.tif") as image,
    ):
        assert map_file.crs == image.crs
        assert map_file.transform == image.transform
        assert map_file.shape == image.shape
        nodata = np.isnan(image.read()).any(axis=0)
        assert np.array_equal(map_file.read(1) == 255, nodata)

    east = evaluate(run, lanjaron / "clc_25m.tif", region=Region.box(EAST))
    assert east.codes == "clc"
    assert 20_000 < east.support.sum() < 30_000
    forest = list(legend.names).index("Forest and semi-natural areas")
    # Level 1 is learnable in part: forest and fields are recognised, though calling all of
    # it forest would be right as often (82 %), and towns and water are too few to learn.
    assert east.accuracy > 0.7
    assert east.f1[forest] > 0.8
    assert east.f1[list(legend.names).index("Agricultural areas")] > 0.35
    again = evaluate(run, lanjaron / "clc.gpkg", layer="clc", region=Region.box(EAST))
    # Polygons and raster are the same survey: the scores are nearly the same.
    assert again.accuracy == pytest.approx(east.accuracy, abs=0.02)


@pytest.mark.slow
def test_classify_aquileia_with_a_nine_band_model(shared_data, tmp_path):
    """Lakeland classes mean little in Italy, but sea is sea, and nodata stays nodata."""
    scene = Scene.open(shared_data / "aquileia_sentinel2_l2a", scale=1 / 65535)
    run = classify(scene, Model.load(config.ASSETS / "models" / "lakeland"), out=tmp_path / "run")
    with rasterio.open(run.map_path) as source:
        classes = source.read(1)
    bands, valid = scene.select(["B03", "B08", "B11"]).read()
    assert np.array_equal(classes != 255, valid)
    green, near, short = bands
    # Open sea by a rule of thumb that has nothing to do with the model.
    sea = valid & (near < 0.06) & (short < 0.04) & (green > near)
    assert sea.sum() > 10_000
    assert (classes[sea] == 13).mean() > 0.9
    land = valid & (near > 0.25)
    assert (classes[land] == 13).mean() < 0.01
