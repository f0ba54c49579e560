"""The map of the dashboard: what the server works for a pan, a zoom or another layer.

    python -m benchmarks.map [--height 6477 --width 7068]

A made-up run (14 bands, as `lulc.classify` leaves it) and the image below it are written
block by block, in flat memory. Then views of three scales, each round a little further so
that nothing is painted twice: the whole, a quarter, and a pixel of the map a pixel of the
screen. Ours paints the image, the classes and their shares; rio-tiler, where it is installed,
reads and colours the image and the classes. Last, the processor's time of each part of a pan.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import click
import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.windows import Window
from scipy.ndimage import zoom

from benchmarks.timing import interleaved, machine, ratios
from dashboard.mapping import marks, positions
from dashboard.mapping.warp import View, mercator_bounds
from dashboard.painting import certainty, layers, paints
from dashboard.painting.composites import COMPOSITES, composite
from dashboard.painting.layers import Order
from lulc import mapfile
from lulc.legend import Legend
from lulc.mapfile import MapFormat
from lulc.runs import Run
from lulc.scene import Scene

#: Pixels of the screen, and of the patch that the made-up region repeats.
SCREEN = (1000, 700)
PATCH = 1024

#: Name of the made-up image.
SCENE = "made-up"


def pattern(bands: int, seed: int) -> np.ndarray:
    """Numbers (band, y, x) that vary at several scales, as land does: float32 of mean 0."""
    random = np.random.default_rng(seed)
    total = np.zeros((bands, PATCH, PATCH), np.float32)
    for scale in (256, 32, 4):
        coarse = random.normal(size=(bands, PATCH // scale, PATCH // scale)).astype(np.float32)
        total += zoom(coarse, (1, scale, scale), order=1, mode="grid-wrap", grid_mode=True)
    return total


def blocks(grid: GeoBox) -> list[Window]:
    """Windows of the size of the patch that cover the grid."""
    height, width = grid.shape
    return [
        Window(x, y, min(PATCH, width - x), min(PATCH, height - y))
        for y in range(0, height, PATCH)
        for x in range(0, width, PATCH)
    ]


def make_run(folder: Path, grid: GeoBox) -> Run:
    """A run whose map repeats a patch."""
    legend = Legend.load("lulc13")
    layout = MapFormat(legend)
    powers = np.exp(2 * pattern(len(legend.classes), 1))
    patch = layout.encode(powers / powers.sum(axis=0), np.ones((PATCH, PATCH), bool))
    spool = folder / "spool"
    spool.mkdir(parents=True)
    made = []
    for number, window in enumerate(blocks(grid)):
        rows, columns = window.toslices()
        part = patch[:, : int(window.height), : int(window.width)]
        path = spool / f"{number}.tif"
        path.write_bytes(mapfile.encoded(np.ascontiguousarray(part), layout, grid[rows, columns]))
        made.append((path, window))
    mapfile.assemble(made, folder / "map.tif", layout, grid)
    properties = {
        "created": "2026-01-01T00:00:00+00:00", "mlm:name": "made up", "lulc:dtype": "uint8",
        "lulc:scene": {"name": SCENE}, "lulc:legend": legend.to_dict(), "lulc:simulated": True,
        "lulc:timings": {"total_s": 1.0},
    }  # fmt: skip
    item = {"type": "Feature", "id": "made-up", "properties": properties}
    (folder / "run.json").write_text(json.dumps(item), encoding="utf-8")
    return Run.open(folder)


def make_scene(path: Path, grid: GeoBox) -> Scene:
    """A three-band image with overviews that repeats a patch."""
    patch = (2000 + 300 * pattern(3, 2)).clip(1, 9999).astype(np.uint16)
    height, width = grid.shape
    profile = {
        "driver": "GTiff", "count": 3, "height": height, "width": width, "dtype": "uint16",
        "crs": str(grid.crs), "transform": grid.affine, "nodata": 0, "tiled": True,
        "blockxsize": 512, "blockysize": 512, "compress": "deflate", "predictor": 2,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.descriptions, file.scales = ("B04", "B03", "B02"), (0.0001,) * 3
        for window in blocks(grid):
            file.write(patch[:, : int(window.height), : int(window.width)], window=window)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8, 16], Resampling.average)
    return Scene.open([path])


def views(grid: GeoBox, share: float) -> Callable[[], View]:
    """Each call gives a view of that share of the grid's side at another place, none twice."""
    west, south, east, north = mercator_bounds(grid)
    count = 0

    def following() -> View:
        nonlocal count
        count += 1
        half = (east - west) * share / 2, (north - south) * share / 2
        # Steps of the golden section fall nowhere twice.
        shift = (count * 0.618034 % 1 - 0.5) * min(1.0, (1 - share) + 0.05)
        x = (west + east) / 2 + shift * half[0]
        y = (south + north) / 2 - 0.7 * shift * half[1]
        return View.around((x - half[0], y - half[1], x + half[0], y + half[1]), *SCREEN)

    return following


def parts(order: Order, grid: GeoBox, rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each part of a pan at a quarter of the side, each view a new one."""
    following = views(grid, 0.25)
    spent: dict[str, list[float]] = {}
    for _ in range(rounds + 1):
        for name, step in _steps(order, grid, following()):
            begin = process_time()
            step()
            spent.setdefault(name, []).append(process_time() - begin)
    return {name: seconds[1:] for name, seconds in spent.items()}  # the first opens the files


def _steps(order: Order, grid: GeoBox, view: View) -> Iterator[tuple[str, Callable[[], object]]]:
    """The parts of a pan, in the order in which each finds what the one before it has kept."""
    run, scene = order.run, order.scene
    assert run is not None and scene is not None
    yield "places of the pixels", lambda: positions.lookup(view.grid, grid)
    yield "classes read", lambda: certainty.class_ids(run, view)
    ids = certainty.class_ids(run, view)
    yield "classes coloured", lambda: paints.painted(ids, run.legend)
    yield "their shares", lambda: paints.shares(ids, run.legend, absent=True)
    yield "image below", lambda: composite(scene, COMPOSITES["True colour"], view)
    image = composite(scene, COMPOSITES["True colour"], view)
    yield "both handed over", lambda: [marks.columns(view, image) for _ in range(2)]
    yield "pointer, once it rests", lambda: layers.point(order, view.near(*_middle(view)))


def _middle(view: View) -> tuple[float, float]:
    return (view.west + view.east) / 2, (view.south + view.north) / 2


def rio_tiler(order: Order, stack: ExitStack) -> Callable[[View], object] | None:
    """Reads and colours the image and the classes of a view; None where it is not installed."""
    try:
        from rio_tiler.io import Reader
    except ImportError:
        return None
    assert order.run is not None and order.scene is not None
    classes = stack.enter_context(Reader(str(order.run.map_path)))
    image = stack.enter_context(Reader(order.scene.files[0].path))
    colors = order.run.legend.colormap()

    def way(view: View) -> object:
        size = {"width": view.width, "height": view.height}
        where = {"bounds_crs": "EPSG:3857", "dst_crs": "EPSG:3857", **size}
        below = image.part(view.bounds, indexes=(1, 2, 3), **where)
        below.rescale(in_range=((1000, 3000),))
        above = classes.part(view.bounds, indexes=1, **where)
        return below.data, above.apply_colormap(colors).data

    return way


@click.command()
@click.option("--height", default=6477, show_default=True, help="Rows of the run.")
@click.option("--width", default=7068, show_default=True, help="Columns of the run.")
@click.option("--rounds", default=7, show_default=True, help="Views of each scale.")
def main(height: int, width: int, rounds: int) -> None:
    """Time the painting of views and the switching of layers."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        grid = GeoBox((height, width), Affine(10, 0, 5e5, 0, -10, 6.8e6), "EPSG:3067")
        run = make_run(Path(temporary) / "run", grid)
        scene = make_scene(Path(temporary) / f"{SCENE}.tif", grid)
        order = Order(scene, run=run)
        theirs = rio_tiler(order, stack)
        click.echo(f"{machine()}; {height} x {width} px on {SCREEN[0]} x {SCREEN[1]}")
        click.echo(f"{'view':12}{'ours ms':>9}{'rio-tiler ms':>14}{'ours / rio-tiler':>18}")
        one_to_one = SCREEN[0] / width
        for name, share in (("whole", 1.0), ("quarter", 0.5), ("1:1", one_to_one)):
            click.echo(_row(name, order, views(grid, share), theirs, rounds))
        click.echo(f"\n{'cpu of a pan':32}{'ms':>7}")
        for name, spent in parts(order, grid, rounds).items():
            click.echo(f"{name:32}{1000 * median(spent):7.1f}")
        click.echo(f"\n{'switch to':12}{'ms':>9}")
        view = views(grid, 0.5)()
        layers.paint(order, view)
        names = [name for name in layers.OVERLAYS if name not in layers.OF_REFERENCE]
        for name in names:
            spent = []
            for number in run.legend.ids[:rounds]:
                begin = perf_counter()
                layers.paint(replace(order, overlay=name, class_id=number), view)
                spent.append(perf_counter() - begin)
            click.echo(f"{name:12}{1000 * median(spent):9.1f}")


def _row(
    name: str,
    order: Order,
    following: Callable[[], View],
    theirs: Callable[[View], object] | None,
    rounds: int,
) -> str:
    ways: dict[str, Callable[[], object]] = {}
    # Both see the same places in the same order, each for the first time.
    copies = [following() for _ in range(rounds + 1)]
    ours_next, theirs_next = iter(copies), iter(copies)
    ways["ours"] = lambda: layers.paint(order, next(ours_next))
    if theirs is not None:
        ways["rio-tiler"] = lambda: theirs(next(theirs_next))
    seconds = interleaved(ways, rounds)
    said = f"{name:12}{1000 * median(seconds['ours']):9.1f}"
    if theirs is None:
        return f"{said}  rio-tiler is not installed: not compared"
    ratio = 1 / ratios(seconds, "rio-tiler")["ours"]
    return f"{said}{1000 * median(seconds['rio-tiler']):14.1f}{ratio:18.2f}"


if __name__ == "__main__":
    main()
