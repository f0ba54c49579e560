"""The simulated region: the same from any window, like the real label tiles, honestly labelled."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window
from scipy import ndimage

from lulc import sample
from lulc.errors import RegionError
from lulc.lakeland import generalise, noise, reflectance
from lulc.legend import Legend
from lulc.sample import BANDS, Landscape

SEEDS = (7, 2, 5, 10)
SIDE = 850  # of the real label tiles


@pytest.fixture(scope="module")
def whole():
    """A part of seed 7, in one piece: truth, bands, valid."""
    window = Window(250, 180, 130, 120)
    land = Landscape(7)
    return land.truth(window), *land.bands(window)


@pytest.fixture(scope="module")
def tiles():
    """The truth of several seeds, each as large as a real label tile."""
    return [Landscape(seed).truth(Window(0, 0, SIDE, SIDE)) for seed in SEEDS]


@pytest.fixture(scope="module")
def real(shared_data):
    """The real label tiles."""
    return [np.load(f) for f in sorted((shared_data / "kaakonkulma_labels").glob("*.npy"))]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A region on disk that is no multiple of anything, and the calls of `progress`."""
    calls: list[tuple[int, int]] = []
    folder = tmp_path_factory.mktemp("sample")
    paths = sample.write(folder, 601, 7, lambda *call: calls.append(call))
    return folder, paths, calls


def shares(tiles):
    """Share of each class 1..13, averaged over tiles."""
    return np.mean([np.bincount(t.ravel(), minlength=14)[1:14] / t.size for t in tiles], axis=0)


def borders(tiles):
    """Of the pixel edges between a class (row) and others, the share with each (column)."""
    count = np.zeros((14, 14))
    for t in tiles:
        for a, b in ((t[:, 1:], t[:, :-1]), (t[1:], t[:-1])):
            np.add.at(count, (a[a != b], b[a != b]), 1)
    count = (count + count.T)[1:, 1:]
    return count / count.sum(axis=1, keepdims=True)


def patches(tiles):
    """Median and mean size of the patches of each class, in pixels."""
    sizes = [
        np.concatenate([np.bincount(ndimage.label(t == c)[0].ravel())[1:] for t in tiles])
        for c in range(1, 14)
    ]
    return np.array([np.median(s) for s in sizes]), np.array([s.mean() for s in sizes])


# --- the same from any window


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 90), st.integers(0, 90), st.integers(1, 30), st.integers(1, 40))
def test_any_window_is_the_same_part_of_the_whole(whole, row, column, height, width):
    truth, bands, valid = whole
    window = Window(250 + column, 180 + row, width, height)
    here = np.s_[row : row + height, column : column + width]
    land = Landscape(7)
    np.testing.assert_array_equal(land.truth(window), truth[here])
    part, mask = land.bands(window)
    np.testing.assert_array_equal(part, bands[:, *here])
    np.testing.assert_array_equal(mask, valid[here])


def test_the_reference_is_the_same_from_any_window():
    land = Landscape(3)
    whole, wrong = (read(Window(200, 20, 130, 120)) for read in (land.reference, land.wrong))
    generalise._block.cache_clear()
    for row, column, height, width in ((0, 0, 70, 61), (40, 50, 33, 44), (110, 120, 10, 10)):
        window = Window(200 + column, 20 + row, width, height)
        here = np.s_[row : row + height, column : column + width]
        np.testing.assert_array_equal(land.reference(window), whole[here])
        np.testing.assert_array_equal(land.wrong(window), wrong[here])


def test_a_landscape_is_its_seed():
    window = Window(0, 0, 64, 64)
    bands = {seed: Landscape(seed).bands(window)[0] for seed in (1, 2)}
    np.testing.assert_array_equal(bands[1], Landscape(1).bands(window)[0])
    assert not np.allclose(bands[1], bands[2], atol=0.01)
    assert bands[1].dtype == np.float32 and bands[1].shape == (len(BANDS), 64, 64)
    assert bands[1].min() > 0 and bands[1].max() < 1


@given(st.integers(-50_000, 50_000), st.floats(3, 300))
@settings(max_examples=20, deadline=None)
def test_smooth_noise_does_not_depend_on_where_its_grid_begins(start, scale):
    y, x = np.arange(start, start + 40)[:, None], np.arange(60)[None, :]
    whole = noise.smooth(5, y, x, scale)
    np.testing.assert_array_equal(noise.smooth(5, y[11:], x[:, 7:], scale), whole[11:, 7:])


def test_noise_has_mean_zero_and_variance_one():
    y, x = np.arange(900)[:, None], np.arange(900)[None, :]
    for values in (
        noise.white(1, y, x),
        noise.smooth(2, y, x, 5.0),
        noise.fractal(3, y, x, 20.0, 3),
        noise.gradient(4, *np.broadcast_arrays(y / 9.3, x / 9.3)),
    ):
        assert abs(values.mean()) < 0.05
        assert abs(values.std() - 1) < 0.07


# --- its place


@given(st.lists(st.integers(0, sample.MAX_SEED), min_size=2, max_size=30, unique=True))
def test_no_two_regions_overlap(seeds):
    boxes = [sample.place(seed, 4096).boundingbox for seed in seeds]
    for a, b in combinations(boxes, 2):
        apart_x = a.right <= b.left or b.right <= a.left
        assert apart_x or a.top <= b.bottom or b.top <= a.bottom


@pytest.mark.parametrize("size", [64, 1024, 1025, 4096, 9000])
def test_a_place_is_a_grid_of_10_m_that_20_m_fits(size):
    grid = sample.place(7, size)
    assert grid.shape == (size, size) and grid.crs == sample.CRS
    assert grid.resolution.xy == (10, -10)
    assert grid.affine.c % 20 == 0 and grid.affine.f % 20 == 0


def test_the_smaller_region_is_the_upper_left_of_the_larger():
    assert sample.place(7, 64).affine == sample.place(7, 1024).affine


@pytest.mark.parametrize(("seed", "size"), [(-1, 64), (10_000, 64), (7, 63), (7, 10**6)])
def test_a_seed_or_size_out_of_range_is_refused(tmp_path, seed, size):
    with pytest.raises(RegionError, match=r"seed is 0\.\.9999|size is 64\.\.65536"):
        sample.write(tmp_path / "new", size, seed)
    assert not (tmp_path / "new").exists()


# --- like the real thing


def test_class_shares_are_like_the_real_ones(tiles, real):
    ours, theirs = shares(tiles), shares(real)
    assert (ours > 0).all()
    # The mean of each class lies within a factor of 2.2 and half a percent of the real mean.
    np.testing.assert_array_less(ours, 2.2 * theirs + 0.005)
    np.testing.assert_array_less(theirs, 2.2 * ours + 0.005)
    # On average over the classes they differ by less than 2.5 percent of the area.
    assert np.abs(ours - theirs).mean() < 0.025


def test_patch_sizes_are_like_the_real_ones(tiles, real):
    (median, mean), (real_median, real_mean) = patches(tiles), patches(real)
    # Means: within a factor of 5. Medians: of the forest classes (6..10), which cover most of
    # the land, within a factor of 2; elsewhere single pixels of the real tiles rule them.
    assert (np.abs(np.log(mean / real_mean)) < np.log(5)).all()
    forest = slice(5, 10)
    assert (np.abs(np.log(median / real_median))[forest] < np.log(2)).all()


def test_neighbours_are_like_the_real_ones(tiles, real):
    ours, theirs = borders(tiles), borders(real)
    # Any two classes' share of a border differs by at most 0.25; on average by less than 0.05.
    assert np.abs(ours - theirs).max() < 0.25
    assert np.abs(ours - theirs).mean() < 0.05
    # The commonest neighbour of a class is among its three commonest real ones.
    for c in range(13):
        assert ours[c].argmax() in np.argsort(theirs[c])[-3:], f"class {c + 1}"


def test_the_demonstration_region_has_something_of_everything():
    land = shares([Landscape(7).truth(Window(0, 0, 1024, 1024))])
    assert land.min() > 0.005
    assert 0.1 < land[12] < 0.3  # lakes
    assert land[:2].sum() > 0.05  # a town


def test_clouds_leave_gaps_in_some_regions_only():
    y, x = np.arange(1024)[:, None], np.arange(1024)[None, :]
    share = [reflectance.clouded(seed, y, x).mean() for seed in range(16)]
    assert min(share) == 0
    assert 0.01 < max(share) < 0.06
    assert 0.005 < share[7] < 0.02


# --- the reference


def test_no_patch_is_smaller_than_the_minimum_mapping_unit():
    # Across the fixed blocks of 256 pixels too; patches cut by the window's edge do not count.
    classes = generalise.classes(7, 0, 0, 320, 320)
    for c in np.unique(classes):
        labels, count = ndimage.label(classes == c)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        inner = np.setdiff1d(np.arange(1, count + 1), edge)
        assert (sizes[inner] >= generalise.MINIMUM_PATCH).all()


def test_the_stated_share_is_wrong():
    wrong, land = [], []
    for seed in SEEDS:
        window = Window(0, 0, 256, 256)
        wrong.append(Landscape(seed).wrong(window))
        land.append(generalise.classes(seed, 0, 0, 256, 256) != 13)
    share = np.sum(wrong) / np.sum(land)
    assert share == pytest.approx(generalise.WRONG_SHARE, abs=0.02)


def test_the_reference_agrees_with_the_truth_but_for_generalisation_and_mistakes():
    land = Landscape(7)
    truth = land.truth(Window(0, 0, 512, 512))[::2, ::2]
    labels = generalise.classes(7, 0, 0, 256, 256)
    wrong = land.wrong(Window(0, 0, 256, 256))
    agree = labels == truth
    assert 0.75 < agree[~wrong].mean() < 0.95
    assert agree[wrong].mean() < 0.3


def test_the_codes_are_finnish_ones_of_their_class():
    window = Window(0, 0, 256, 256)
    codes = Landscape(7).reference(window)
    labels = generalise.classes(7, 0, 0, 256, 256)
    assert set(np.unique(codes)) <= set(Legend.load("clc-fi").ids)
    for c, allowed in {5: {17}, 13: {47, 48}, 10: {33, 34, 35, 36}, 9: {28, 29, 30}}.items():
        assert set(np.unique(codes[labels == c])) <= allowed


# --- on disk


def test_the_files_say_what_they_are(written):
    folder, paths, calls = written
    assert sorted(f.name for f in folder.iterdir()) == sorted(p.name for p in paths.values())
    assert calls[-1][0] == calls[-1][1] == len(calls)
    grid = sample.place(7, 601)
    for name, path in paths.items():
        with rasterio.open(path) as file:
            assert file.tags()["SIMULATED"] == "yes"
            assert "imulated" in file.tags()["TITLE"]
            assert file.crs == sample.CRS
            assert file.overviews(1)
            assert file.block_shapes[0] == (256, 256)
            step = 20 if name == "corine" else 10
            assert file.res == (step, step)
            assert (file.transform.c, file.transform.f) == (grid.affine.c, grid.affine.f)
            assert file.nodata == (0 if name == "bands" else 255)


def test_bands_are_scaled_reflectance_with_gaps(written):
    _, paths, _ = written
    bands, valid = Landscape(7).bands(Window(0, 0, 601, 601))
    with rasterio.open(paths["bands"]) as file:
        assert file.descriptions == BANDS
        assert file.dtypes[0] == "uint16" and set(file.scales) == {0.0001}
        values = file.read()
    np.testing.assert_array_equal(values[0] > 0, valid)
    assert np.abs(values * 0.0001 - bands)[:, valid].max() < 0.0001
    with rasterio.open(paths["indices"]) as file:
        coded = file.read()
        assert file.descriptions[0] == "NDVI"
    assert ((coded == 255) == ~valid).all()
    ndvi = (bands[6] - bands[2]) / (bands[6] + bands[2])
    assert np.abs(coded[0] / 100 - 1 - ndvi)[valid].max() < 0.03


def test_labels_carry_their_legend(written):
    _, paths, _ = written
    land = Landscape(7)
    for name, tag, legend, values in (
        ("truth", "LULC_LEGEND", "lulc13", land.truth(Window(0, 0, 601, 601))),
        ("corine", "LULC_CODES", "clc-fi", land.reference(Window(0, 0, 301, 301))),
    ):
        with rasterio.open(paths[name]) as file:
            assert file.tags()[tag] == legend
            colors = file.colormap(1)
            for c in Legend.load(legend).classes:
                assert colors[c.id][:3] == c.rgb
            np.testing.assert_array_equal(file.read(1), values)


def test_a_failure_leaves_no_file_and_the_old_ones(tmp_path):
    old = tmp_path / "truth.tif"
    old.write_text("kept")

    def fail(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample.write(tmp_path, 64, 1, fail)
    assert [f.name for f in tmp_path.iterdir()] == ["truth.tif"]
    assert old.read_text() == "kept"
