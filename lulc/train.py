"""Training: from scenes with labels to a model whose card says where it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import shapely
from scipy.optimize import minimize_scalar

from lulc import __version__, contract, indices, losses, samples
from lulc.card import BandCard, ModelCard
from lulc.device import resolve, tensorflow
from lulc.errors import TrainingError
from lulc.frozen import freeze
from lulc.legend import Legend
from lulc.model import Model
from lulc.samples import Patchwork
from lulc.unet import UNet

#: Called with the share done, 0..1, and the running loss.
Progress = Callable[[float, float], None]

#: A model is meant for pixels this many times smaller and larger than its training data's.
_PIXEL_SIZES = (0.7, 1.5)


@dataclass(frozen=True)
class Settings:
    """How to train."""

    width: int = 16
    """Filters of the first stage."""
    depth: int = 4
    """Stages of the network."""
    decoder_width: int | None = None
    """Filters of the last stage up; `width` unless given."""
    loss: str = "cross-entropy"
    """One of `lulc.losses.LOSSES`."""
    crop: int = 128
    """Side of a training crop in pixels."""
    batch: int = 8
    """Crops in a step."""
    rate: float = 3e-3
    """Largest learning rate; it falls to zero along a cosine."""
    epochs: float | None = None
    """Passes: as many crops as cover the labelled pixels once. Unless this or `minutes` is
    given, 20 passes, and at least 300 steps."""
    minutes: float | None = None
    """Time to train for instead."""
    light: bool = True
    """Whether to vary the light, so that scenes of other days fit."""
    seed: int = 0
    """For the weights and the draws."""


@dataclass
class _Clock:
    """How much of the training is done, by steps or by time."""

    steps: int
    seconds: float | None
    begin: float = field(default_factory=perf_counter)
    step: int = 0

    @property
    def share(self) -> float:
        by_time = (perf_counter() - self.begin) / self.seconds if self.seconds else 0.0
        return min(1.0, by_time if self.seconds else self.step / self.steps)


def train(
    patchworks: Sequence[Patchwork],
    bands: Sequence[str],
    legend: Legend,
    out: Path,
    settings: Settings | None = None,
    *,
    title: str | None = None,
    device: str = "auto",
    held: Sequence[Patchwork] | None = None,
    provenance: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Model:
    """Train a network on labelled scenes and save it as a model folder.

    Scores come from the pixels held out within `patchworks`, or from all the labels of
    `held`, other scenes. Raises TrainingError when there is nothing to learn.
    """
    settings = settings or Settings()
    works = list(patchworks)
    counts = sum(np.bincount(w.train.ravel(), minlength=len(legend.classes) + 1) for w in works)
    counts = np.asarray(counts)[1:].astype(np.int64)
    if (counts > 0).sum() < 2:
        raise TrainingError(
            f"expected labels of at least two classes of the legend {legend.name}; "
            f"the scene has {int((counts > 0).sum())}"
        )
    tf = tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    place = resolve(device).names[0]
    network_settings = UNet(
        bands=len(bands),
        classes=len(legend.classes),
        width=settings.width,
        depth=settings.depth,
        decoder_width=settings.decoder_width or settings.width,
    )
    card = _card(out.name, title, works, bands, legend, network_settings)
    with tf.device(place):
        network = network_settings.build()
        network.compile(
            optimizer=keras.optimizers.Nadam(settings.rate, clipnorm=1.0),
            loss=losses.make(settings.loss, counts),
        )
        history = _fit(network, works, card, counts, settings, progress)
    scored = list(held) if held is not None else works
    truths = [w.train if held is not None else w.held for w in scored]
    temperature, scores = _scores(network, card, scored, truths, place)
    card = ModelCard(
        **{
            **vars(card),
            "temperature": temperature,
            "scores": scores
            | {"on": "other regions" if held is not None else "blocks held out, with a buffer"},
            "provenance": {
                "settings": asdict(settings),
                "history": history,
                "labels": {str(i): int(n) for i, n in zip(legend.ids, counts, strict=True)},
                "scenes": [w.name for w in works],
                "versions": {"lulc": __version__, "tensorflow": version("tensorflow")},
                "created": datetime.now(UTC).isoformat(),
                **(provenance or {}),
            },
        }
    )
    return Model.save(out, network, card)


def _fit(
    network: Any,
    works: list[Patchwork],
    card: ModelCard,
    counts: np.ndarray,
    settings: Settings,
    progress: Progress | None,
) -> list[dict[str, float]]:
    """Run the steps; returns the loss at every twentieth of the way."""
    random = np.random.default_rng(settings.seed)
    crop = _crop(works, settings.crop, card.stride)
    seconds = settings.minutes * 60 if settings.minutes else None
    a_pass = counts.sum() / (crop * crop * settings.batch)
    steps = max(1, round(settings.epochs * a_pass)) if settings.epochs else 0
    steps = steps or max(300, round(20 * a_pass))
    clock = _Clock(steps, seconds)
    history: list[dict[str, float]] = []
    running: list[float] = []
    while clock.share < 1.0:
        warm = min(1.0, (clock.step + 1) / 20)
        falling = 0.5 * (1 + np.cos(np.pi * clock.share))
        network.optimizer.learning_rate.assign(settings.rate * warm * max(falling, 0.01))
        values, labels = samples.draw(works, crop, settings.batch, random)
        if settings.light:
            values = np.stack([_vary_bands(v, card, random) for v in values])
        image = np.nan_to_num((values - card.mean) / card.std).transpose(0, 2, 3, 1)
        loss = float(network.train_on_batch(np.ascontiguousarray(image), labels.astype(np.int32)))
        if not np.isfinite(loss):
            raise TrainingError("the loss is no longer a number: lower the learning rate (--rate)")
        running.append(loss)
        clock.step += 1
        if clock.share * 20 >= len(history) + 1:
            mean = float(np.mean(running[-50:]))
            history.append({"step": clock.step, "loss": round(mean, 5)})
        if progress:
            progress(clock.share, float(np.mean(running[-50:])))
    return history


def _vary_bands(values: np.ndarray, card: ModelCard, random: np.random.Generator) -> np.ndarray:
    """Vary the light of the reflectance bands; indices would have to be computed anew."""
    which = np.array([band.unit == "reflectance" for band in card.bands])
    varied = values.copy()
    varied[which] = samples.vary(values[which], random)
    return varied


def _crop(works: list[Patchwork], crop: int, stride: int) -> int:
    """The crop's side: at most the smallest scene's, a multiple of the stride."""
    smallest = min(min(w.train.shape) for w in works)
    side = min(crop, smallest) // stride * stride
    if side < stride:
        raise TrainingError(
            f"expected scenes of at least {stride} pixels a side; the smallest has {smallest}"
        )
    return side


def _card(
    name: str,
    title: str | None,
    works: list[Patchwork],
    bands: Sequence[str],
    legend: Legend,
    network: UNet,
) -> ModelCard:
    pixels = np.concatenate([w.values[:, w.valid & (w.train > 0)] for w in works], axis=1)
    found = contract.statistics(pixels)
    flat = [band for band, std in zip(bands, found.std, strict=True) if std < 1e-6]
    if flat:
        raise TrainingError(f"the bands {', '.join(flat)} are constant: nothing to learn from them")
    codings = {
        indices.coding_of(float(low), float(high))
        for band, low, high in zip(bands, found.low, found.high, strict=True)
        if indices.is_index(band)
    }
    if len(codings) > 1:
        raise TrainingError(
            f"the index bands are coded differently ({', '.join(sorted(codings))}): expected one "
            "coding for all; leave the index file out and they can be computed from the bands"
        )
    outlines = shapely.union_all([w.footprint() for w in works])
    if outlines.geom_type == "Polygon":
        outlines = shapely.MultiPolygon([outlines])
    sizes = [w.pixel_size for w in works]
    return ModelCard(
        name=name,
        title=title or name,
        network=network,
        legend=legend,
        bands=tuple(
            BandCard(
                band,
                *(round(float(v[i]), 6) for v in (found.mean, found.std, found.low, found.high)),
            )
            for i, band in enumerate(bands)
        ),
        correlation=tuple(tuple(row) for row in found.correlation.round(4).tolist()),
        pixel_size=(
            round(min(sizes) * _PIXEL_SIZES[0], 2),
            round(max(sizes) * _PIXEL_SIZES[1], 2),
        ),
        index_coding=codings.pop() if codings else "unit",
        simulated=any(w.simulated for w in works),
        footprints=json.loads(shapely.to_geojson(shapely.set_precision(outlines, 1e-6))),
    )


def _scores(
    network: Any,
    card: ModelCard,
    works: Sequence[Patchwork],
    truths: Sequence[np.ndarray],
    device: str,
) -> tuple[float, dict[str, Any]]:
    """Calibrate on the held-out pixels and score them.

    The temperature is the one of least negative log-likelihood (Guo et al. 2017). It does
    not change which class is largest, so fitting and scoring on the same pixels does not
    flatter the scores here.
    """
    function = freeze(network, device)
    classes = len(card.legend.classes)
    matrix = np.zeros((classes, classes), np.int64)
    kept: list[np.ndarray] = []
    random = np.random.default_rng(0)
    for work, truth in zip(works, truths, strict=True):
        if not truth.any():
            continue
        image = np.where(work.valid, (work.values - card.mean) / card.std, 0)
        rows, columns = (-size % card.stride for size in truth.shape)
        image = np.pad(image, ((0, 0), (0, rows), (0, columns))).transpose(1, 2, 0)
        activations = function(tensorflow().constant(image[None].astype(np.float32)))
        activations = activations.numpy()[0, : truth.shape[0], : truth.shape[1]][truth > 0]
        true = truth[truth > 0].astype(int) - 1
        cells = true * classes + activations.argmax(axis=1)
        matrix += np.bincount(cells, minlength=classes**2).reshape(classes, classes)
        some = random.choice(len(true), min(20_000, len(true)), replace=False)
        kept.append(np.column_stack([true[some], np.log(np.maximum(activations[some], 1e-7))]))
    if not kept:
        return 1.0, {}
    pixels = np.concatenate(kept)
    temperature = _temperature(pixels[:, 0].astype(int), pixels[:, 1:])
    right = np.diag(matrix)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * right / (matrix.sum(axis=0) + matrix.sum(axis=1))
    return temperature, {
        "accuracy": round(float(right.sum() / matrix.sum()), 4),
        "macro_f1": round(float(np.nanmean(f1)), 4),
        "f1": {
            str(i): None if np.isnan(value) else round(float(value), 4)
            for i, value in zip(card.legend.ids, f1, strict=True)
        },
        "pixels": int(matrix.sum()),
    }


def _temperature(truth: np.ndarray, logs: np.ndarray) -> float:
    """The softmax temperature of least negative log-likelihood, between 1/4 and 4."""

    def cost(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    found = minimize_scalar(cost, bounds=(-np.log(4), np.log(4)), method="bounded")
    return round(float(np.exp(found.x)), 4)
