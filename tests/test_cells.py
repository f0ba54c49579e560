"""Intervals of the scores of activations: exact in the middle, derivatives, and what they hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc.cellbounds import intervals
from lulc.cells import CELL, CELLS, CUTS, Cells, by_cell
from lulc.cellscores import IN_BIN, KEPT, CellScores
from lulc.levels import BIN, BINS, LEVELS, VALUES, by_bin
from lulc.ranking import Ranking, average_precision, average_precision_gains
from lulc.reliability import Reliability


def made(blocks: int = 12, groups: int = 3, pixels: int = 400, seed: int = 0) -> Cells:
    """Blocks of pixels whose activations say more or less of what they are."""
    random = np.random.default_rng(seed)
    counts = np.zeros((blocks, groups + 1, 2, LEVELS), np.int64)
    for block in counts:
        truth = random.choice(groups, pixels, p=random.dirichlet(np.ones(groups)))
        shares = random.dirichlet(np.full(groups, 0.5), pixels)
        shares = 0.6 * shares + 0.4 * np.eye(groups)[truth] * random.uniform(0, 1, (pixels, 1))
        levels = np.rint(shares / shares.sum(axis=1, keepdims=True) * (LEVELS - 1)).astype(int)
        won = levels.argmax(axis=1)
        for group in range(groups):
            np.add.at(block[group], ((truth == group).astype(int), levels[:, group]), 1)
        np.add.at(block[groups], ((truth == won).astype(int), levels[np.arange(pixels), won]), 1)
    return of(counts)


def of(counts: np.ndarray) -> Cells:
    """Cells of blocks counted by level, (block, map, 2, LEVELS)."""
    whole = counts.sum(axis=0)
    squares = (whole[:-1] * (VALUES - np.array([0, 1])[:, None]) ** 2).sum()
    return Cells(by_cell(counts), whole, by_bin(whole * VALUES), float(squares))


def once(cells: Cells) -> np.ndarray:
    return np.ones((1, len(cells.blocks)))


def test_cells_have_the_edges_of_bins_and_of_thresholds() -> None:
    assert CELLS == len(CUTS) == CELL.max() + 1
    for cell in range(CELLS):
        assert len(set(BIN[cell == CELL])) == 1
    for kept in KEPT:
        assert len({*CELL[kept]} & {*CELL[~kept]}) == 0


def test_the_scores_of_the_whole_ground_are_those_of_its_levels() -> None:
    cells = made()
    scores = CellScores(cells, once(cells))
    found = {name: scores.values[0][place] for name, place in scores.places.items()}
    for i, (counts, sums) in enumerate(zip(cells.counts, cells.sums, strict=True)):
        reliability = Reliability(counts, sums)
        assert found["ece"][i] == pytest.approx(reliability.ece)
        assert found["overconfidence"][i] == pytest.approx(reliability.overconfidence)
        np.testing.assert_allclose(found["observed"][i], reliability.observed)
    precisions = []
    for i, counts in enumerate(cells.counts[:-1]):
        ranking = Ranking(counts)
        precisions.append(ranking.average_precision)
        assert found["average_precision"][i] == pytest.approx(ranking.average_precision)
        assert found["best_f1"][i] == pytest.approx(ranking.best[1])
        curve = ranking.to_dict()["curve"]
        for name in ("precision", "recall", "f1"):
            wanted = [point[name] for point in curve]
            there = [k for k, value in enumerate(wanted) if value is not None]
            np.testing.assert_allclose(found[name][i][there], [wanted[k] for k in there])
    assert found["mean_average_precision"] == pytest.approx(np.mean(precisions))
    assert 2 * found["brier"] == pytest.approx(cells.squares / cells.counts[-1].sum())


def test_sums_beside_the_levels_count() -> None:
    cells = made()
    beside = Cells(cells.blocks, cells.counts, cells.sums * 1.001, cells.squares * 1.01)
    scores = CellScores(beside, once(beside))
    reliability = Reliability(beside.counts[0], beside.sums[0])
    assert scores.values[0, scores.places["ece"][0]] == pytest.approx(reliability.ece)
    brier = scores.values[0, scores.places["brier"]]
    assert 2 * brier == pytest.approx(beside.squares / beside.counts[-1].sum())


def test_pulls_are_the_derivatives_by_a_blocks_weight() -> None:
    cells = made()
    scores, step = CellScores(cells, once(cells)), 1e-6
    for place, pull in zip(range(scores.ratios.shape[1], 99999), scores.pulls(), strict=False):
        for block in range(0, len(cells.blocks), 5):
            moved = once(cells)
            moved[0, block] += step
            change = CellScores(cells, moved).values[0, place] - scores.values[0, place]
            assert pull[0, block] == pytest.approx(change / step, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_gains_are_the_derivatives_of_the_average_precision(data: st.DataObject) -> None:
    counts = np.zeros((2, LEVELS))
    places = st.tuples(st.integers(0, 1), st.integers(0, LEVELS - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=30)):
        counts[place] += data.draw(st.integers(1, 50))
    counts[1, data.draw(st.integers(0, LEVELS - 1))] += 1
    assert average_precision(counts) == pytest.approx(Ranking(counts).average_precision)
    gains, step = average_precision_gains(counts), 1e-6
    place = data.draw(st.sampled_from([*zip(*np.nonzero(counts), strict=True)]))
    counts[place] += step
    more = average_precision(counts)
    counts[place] -= 2 * step
    assert gains[place] == pytest.approx((more - average_precision(counts)) / (2 * step), abs=1e-4)


def test_intervals_hold_the_scores_of_the_ground() -> None:
    cells = made(40)
    found, scores = intervals(cells, resamples=300), CellScores(cells, once(cells))
    for name, place in scores.places.items():
        values = scores.values[0][place] * (2 if name == "brier" else 1)
        low, high = np.moveaxis(found.bounds[name], -1, 0)
        known = ~np.isnan(low)
        assert known.any(), name
        assert not np.isnan(values[known]).any(), name
        if name != "ece":  # noise alone makes it larger, which its interval takes off
            assert (low[known] <= values[known] + 1e-9).all(), name
        assert (values[known] <= high[known] + 1e-9).all(), name


def test_a_calibration_error_may_be_as_large_as_the_overconfidence() -> None:
    for seed in range(3):
        found = intervals(made(30, pixels=60, seed=seed), resamples=200)
        far = np.abs(found.bounds["overconfidence"]).max(axis=1)
        assert (found.bounds["ece"][:, 1] >= far).all()


def test_the_calibration_of_a_group_rests_on_the_blocks_that_have_it() -> None:
    counts = made(30).blocks.copy()
    counts[3:, 1, 1] = 0
    cells = Cells(counts, made(30).counts, made(30).sums, 1.0)
    found = intervals(cells, resamples=100)
    for name in ("ece", "overconfidence"):
        assert found.cautious[name].tolist() == [False, True, False, False], name


def test_one_block_says_little_and_cautious_intervals_say_so() -> None:
    cells = made(1)
    found = intervals(cells, resamples=50)
    for name in ("ece", "average_precision", "best_f1", "brier", "overconfidence"):
        assert found.cautious[name].all(), name
    np.testing.assert_allclose(found.bounds["average_precision"], [[0, 1]] * 3)
    np.testing.assert_allclose(found.bounds["brier"], [0, 2])
    assert not found.cautious["recall"][:, 0].any()
    np.testing.assert_allclose(found.bounds["recall"][:, 0], 1)


def test_a_group_without_a_pixel_has_no_interval_of_its_ranking() -> None:
    counts = made(10).blocks.copy()
    counts[:, 1, 1] = 0
    whole = np.zeros((4, 2, LEVELS), np.int64)
    whole[..., CUTS] = counts.sum(axis=0)
    cells = Cells(counts, whole, by_bin(whole * VALUES), 1.0)
    found = intervals(cells, resamples=100)
    for name in ("average_precision", "best_f1", "recall", "f1"):
        assert np.isnan(found.bounds[name][1]).all(), name
        assert not found.cautious[name][1].any(), name
    assert not np.isnan(found.bounds["mean_average_precision"]).any()
    assert found.at("average_precision", 1) is None


def test_bins_and_levels_agree() -> None:
    assert IN_BIN.shape == (BINS, LEVELS)
    assert (IN_BIN.sum(axis=0) == 1).all()
