"""A model is a network and its card, in a folder."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lulc import config, files
from lulc.card import ModelCard
from lulc.device import Place, resolve, tensorflow
from lulc.errors import ModelError
from lulc.predictor import Predictor

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Model:
    """A model folder: `card.json` and `model.keras`."""

    card: ModelCard
    """What the model expects and where it comes from."""
    path: Path
    """The folder."""

    @classmethod
    def load(cls, name_or_path: str | Path) -> Model:
        """The model of that name (the workspace's, or bundled) or in that folder.

        Reads the card and checks the weights' hash; the network is loaded when it is used.
        Raises ModelError.
        """
        path = _locate(name_or_path)
        card_file, weights = path / "card.json", path / "model.keras"
        for file in (card_file, weights):
            if not file.is_file():
                raise ModelError(f"expected {file.name} in the model folder {path}; there is none")
        try:
            card = ModelCard.from_dict(json.loads(card_file.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ModelError(f"{card_file} is not a model card: {error}") from error
        if files.sha256(weights) != card.weights:
            raise ModelError(
                f"{weights} is not the file its card was written for (its SHA-256 differs): "
                "copy the model folder again"
            )
        return cls(card, path)

    @classmethod
    def save(cls, path: str | Path, network: keras.Model, card: ModelCard) -> Model:
        """Write a model folder, whole or not at all; an existing one is replaced."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        with files.replacing(path / "model.keras") as temporary:
            # A copy that was never compiled: the optimiser's state is twice the weights.
            type(network)(network.input, network.output, name=network.name).save(temporary)
            card = replace(card, weights=files.sha256(temporary))
        files.write_text(path / "card.json", card.to_json())
        return cls(card, path)

    def network(self) -> keras.Model:
        """The Keras model. Raises ModelError when the file is corrupt."""
        tensorflow()
        import keras

        try:
            network = keras.saving.load_model(self.path / "model.keras", compile=False)
        except Exception as error:  # Keras raises anything from OSError to KeyError
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{self.path / 'model.keras'} cannot be loaded: {reason}") from error
        expected = (self.card.network.bands, self.card.network.classes)
        if (network.input_shape[-1], network.output_shape[-1]) != expected:
            raise ModelError(
                f"the network of {self.card.name} takes {network.input_shape[-1]} bands to "
                f"{network.output_shape[-1]} classes; its card says {expected[0]} to {expected[1]}"
            )
        return network

    def predictor(self, device: str = "auto") -> Predictor:
        """The model ready to compute on a device (as `resolve` takes it), loaded once a process."""
        return _predictor(self.path.resolve(), self.card.weights, resolve(device))


_loading = threading.Lock()


def _predictor(path: Path, weights: str, place: Place) -> Predictor:
    with _loading:
        return _load_predictor(path, weights, place)


@lru_cache(maxsize=4)
def _load_predictor(path: Path, weights: str, place: Place) -> Predictor:
    """Keyed by the weights' hash, so that a model trained anew is loaded anew."""
    model = Model.load(path)
    if model.card.weights != weights:
        raise ModelError(f"the model in {path} changed while it was in use; start again")
    return Predictor(model.network(), model.card, place)


def models() -> list[str]:
    """Names of the models in the workspace and of those bundled, the workspace's first."""
    found = [
        folder.name
        for place in _places()
        if place.is_dir()
        for folder in sorted(place.iterdir())
        if (folder / "card.json").is_file()
    ]
    return list(dict.fromkeys(found))


def import_model(source: str | Path, name: str | None = None) -> Model:
    """Copy a model folder into the workspace, after checking it. Raises ModelError."""
    model = Model.load(Path(source))
    target = config.workspace() / "models" / (name or model.card.name)
    if target.exists():
        raise ModelError(f"there is a model {target.name} in the workspace; choose another --name")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(model.path, partial)
    partial.replace(target)
    return Model.load(target)


def _places() -> tuple[Path, Path]:
    return config.workspace() / "models", config.ASSETS / "models"


def _locate(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    candidates = [path] if isinstance(name_or_path, Path) or len(path.parts) > 1 else []
    candidates += [place / path.name for place in _places()] + [path]
    for candidate in candidates:
        if (candidate / "card.json").is_file() or (candidate == path and path.is_dir()):
            return candidate
    raise ModelError(
        f"expected a model folder or one of {', '.join(models()) or 'none'}; got {name_or_path}"
    )
