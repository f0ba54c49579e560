"""Models small enough to make in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lulc import contract, sample
from lulc.card import BandCard, ModelCard
from lulc.legend import Legend
from lulc.model import Model
from lulc.unet import UNet


def statistics_of(seed: int = 7, size: int = 128) -> contract.Statistics:
    """Statistics of a simulated region's bands."""
    from rasterio.windows import Window

    values, valid = sample.Landscape(seed).bands(Window(0, 0, size, size))
    return contract.statistics(values[:, valid])


def card_of(network: UNet, *, name: str = "tiny", legend: str = "lulc13", **fields) -> ModelCard:
    """A card for a network of the simulated regions' nine bands."""
    found = statistics_of()
    columns = zip(found.mean, found.std, found.low, found.high, strict=True)
    bands = tuple(
        BandCard(band, *map(float, column))
        for band, column in zip(sample.BANDS, columns, strict=True)
    )
    correlation = tuple(tuple(map(float, row)) for row in found.correlation)
    defaults = {
        "title": "A model of a test",
        "network": network,
        "legend": Legend.load(legend),
        "bands": bands,
        "correlation": correlation,
        "pixel_size": (7.0, 15.0),
    }
    return ModelCard(name=name, **(defaults | fields))


def random_model(path: Path, *, width: int = 4, depth: int = 2, seed: int = 1, **fields) -> Model:
    """A model with random weights whose activations differ from pixel to pixel."""
    from lulc.device import tensorflow

    tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    settings = UNet(9, 13, width, depth, width)
    network = settings.build()
    random = np.random.default_rng(seed)
    # Peaked activations: what is compared must not be all ties.
    kernel, bias = network.get_layer("final_conv").get_weights()
    network.get_layer("final_conv").set_weights(
        [4 * kernel, random.normal(0, 0.5, bias.shape).astype(np.float32)]
    )
    for layer in network.layers:
        # Fresh running statistics are 0 and 1, and would let normalisation go untested.
        if layer.name.rsplit("_", 1)[-1].startswith("bn"):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    gamma * random.uniform(0.8, 1.2, gamma.shape),
                    beta + random.normal(0, 0.2, beta.shape),
                    mean + random.normal(0, 0.2, mean.shape),
                    variance * random.uniform(0.5, 1.5, variance.shape),
                ]
            )
    return Model.save(path, network, card_of(settings, name=path.name, **fields))
