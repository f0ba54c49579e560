"""Train the bundled models on simulated regions: python scripts/train_models.py [--epochs 28].

Both see the same regions and the same steps and differ in the loss alone, so that comparing
them shows what handling class imbalance does. The sample region (seed 7) is neither among
the training regions nor among those held out.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from rasterio.windows import Window

from lulc import config, sample, train
from lulc.legend import Legend
from lulc.samples import Patchwork

TRAINING_SEEDS = range(100, 140)
HELD_SEEDS = range(200, 208)
SIZE = 512

#: Twice as fast as what `lulc train` makes by default, for a region of this kind as good.
NETWORK = {"width": 8, "depth": 3, "decoder_width": 12}

MODELS = {
    "lakeland": ("cross-entropy", "Lakeland, plain cross-entropy"),
    "lakeland-balanced": ("weighted", "Lakeland, rare classes weighted up"),
}


def patchwork(seed: int) -> Patchwork:
    """A simulated region with its exact truth, all of it to train on."""
    landscape, window = sample.Landscape(seed), Window(0, 0, SIZE, SIZE)
    values, valid = landscape.bands(window)
    truth = np.where(valid, landscape.truth(window), 0).astype(np.uint8)
    return Patchwork(
        values=np.where(valid, values, 0).astype(np.float32),
        valid=valid,
        train=truth,
        held=np.zeros_like(truth),
        grid=sample.place(seed, SIZE),
        pixel_size=sample.PIXEL,
        simulated=True,
        name=f"simulated region, seed {seed}",
    )


@click.command()
@click.option("--epochs", default=28.0, show_default=True, help="Passes over the regions.")
@click.option("--out", type=Path, default=config.ASSETS / "models", help="Folder of models.")
@click.option("--only", type=click.Choice(list(MODELS)), help="Train this one only.")
def main(epochs: float, out: Path, only: str | None) -> None:
    """Train the bundled models."""
    works = [patchwork(seed) for seed in TRAINING_SEEDS]
    held = [patchwork(seed) for seed in HELD_SEEDS]
    for name, (loss, title) in MODELS.items():
        if only in (None, name):
            model = train.train(
                works,
                sample.BANDS,
                Legend.load("lulc13"),
                out / name,
                train.Settings(**NETWORK, epochs=epochs, loss=loss),
                title=f"{title} (simulated training regions)",
                held=held,
                provenance={
                    "script": "scripts/train_models.py",
                    "training_seeds": list(TRAINING_SEEDS),
                    "held_seeds": list(HELD_SEEDS),
                    "labels_are": "the simulation's exact truth, not the CORINE-like reference",
                },
                progress=lambda share, value: print(f"\r{share:6.1%}  {value:.3f}", end=""),
            )
            print(f"\n{name}: {model.card.scores}")


if __name__ == "__main__":
    main()
