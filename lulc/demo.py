"""The demonstration: a sample workspace, two runs and their scores. Repeats no work."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from lulc import config, sample
from lulc.classify import classify
from lulc.evaluation import evaluate, evaluation_path
from lulc.model import Model
from lulc.progress import report
from lulc.region import Region
from lulc.runs import SPOOL, Run
from lulc.scene import Scene

#: The bundled models, the plain one first.
MODELS = ("lakeland", "lakeland-balanced")

#: Where `sample.write`'s files go in a workspace.
_PLACES = {
    "bands.tif": "scenes/sample/bands.tif",
    "indices.tif": "scenes/sample/indices.tif",
    "corine.tif": "references/sample-corine.tif",
    "truth.tif": "references/sample-truth.tif",
}


def demo(
    *,
    size: int = 1024,
    style: str = "auto",
    say: Callable[[str], None] = print,
) -> list[Run]:
    """Make the sample workspace, classify the sample with each bundled model and score it.

    What is there already is left as it is. Returns the runs, one for each model.
    """
    workspace = config.workspace()
    make_workspace(workspace, size=size, style=style, say=say)
    scene = Scene.open(workspace / "scenes" / "sample", name="sample")
    made = []
    for name in MODELS:
        model = Model.load(config.ASSETS / "models" / name)
        run = _run(scene, model, workspace / "runs" / f"sample-{name}", style, say)
        if not evaluation_path(run.path).is_file():
            say(f"Scoring {run.id} against the CORINE-like reference")
            evaluate(run, workspace / _PLACES["corine.tif"])
        made.append(run)
    return made


def make_workspace(
    workspace: Path, *, size: int, style: str = "none", say: Callable[[str], None] = print
) -> None:
    """Put the simulated scene, its references and a named region into a workspace."""
    for folder in ("scenes", "references", "regions", "models", "runs"):
        (workspace / folder).mkdir(parents=True, exist_ok=True)
    if not all((workspace / place).is_file() for place in _PLACES.values()):
        say(f"Simulating the sample region of {size} x {size} pixels")
        temporary = workspace / ".sample"
        with report("simulate", style) as progress:
            written = sample.write(temporary, size=size, progress=progress)
        for file, place in _PLACES.items():
            (workspace / place).parent.mkdir(parents=True, exist_ok=True)
            written[Path(file).stem].replace(workspace / place)
            sidecar = temporary / f"{file}.aux.xml"
            if sidecar.is_file():
                sidecar.replace(workspace / f"{place}.aux.xml")
        shutil.rmtree(temporary)
    grid = Scene.open(workspace / _PLACES["bands.tif"]).grid
    quarter = grid[: grid.shape.y // 2, : grid.shape.x // 2]
    if not (workspace / "regions" / "sample-north-west.geojson").is_file():
        bounds = quarter.boundingbox
        box = (bounds.left, bounds.bottom, bounds.right, bounds.top)
        Region.box(box, str(grid.crs), "sample-north-west").save(workspace / "regions")


def _run(scene: Scene, model: Model, out: Path, style: str, say: Callable[[str], None]) -> Run:
    """The run in `out`, made now unless these weights made it before."""
    if (out / "run.json").is_file():
        run = Run.open(out)
        if run.properties["lulc:model"]["weights"] == model.card.weights:
            return run
        shutil.rmtree(out)
    elif (out / SPOOL).is_dir():
        shutil.rmtree(out)
    say(f"Classifying {scene.name} with {model.card.name}")
    with report("classify", style) as progress:
        return classify(scene, model, out=out, progress=progress, warn=say)
