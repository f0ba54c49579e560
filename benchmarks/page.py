"""The map as it is felt: from a gesture in the page to the new picture on the screen.

    python -m benchmarks.page [--height 6477 --width 7068]

Serves a made-up run (`benchmarks.map`) as people do, opens it in a headless Chromium, turns the
wheel, drags the map and chooses other layers. Of each: milliseconds from the event in the page
to the frame that shows the new picture, and the processor's time that the server took in
a second, with what it takes without a gesture.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
import psutil
from affine import Affine
from odc.geo.geobox import GeoBox
from playwright.sync_api import Page, sync_playwright

from benchmarks.map import SCENE, make_run, make_scene
from benchmarks.timing import machine

#: Layers to switch to, one after the other.
LAYERS = ["Confidence", "Margin", "Activation", "Classes"]

#: Starts a clock at the next event of a kind, and stops it in the frame after the one in which
#: one of the map's images has other pixels; gives milliseconds and the range of the map.
_WATCH = """([kind, which]) => {
  const figure = [...Bokeh.documents[0]._all_models.values()].find(model => {
    try { return model.type == 'Figure' && model.inner_width > 20 } catch { return false }
  })
  const images = figure.renderers.filter(r => r.glyph?.type == 'ImageRGBA')
  const data = () => images[which].data_source.data
  const pixels = () => data().image[0]
  // A picture of where the map was on its way does not count.
  const here = () => Math.abs(data().x[0] - figure.x_range.start) < data().dw[0] * 1e-6
  const before = pixels()
  const range = () => [figure.x_range.start, figure.x_range.end, figure.y_range.start]
  window.felt = new Promise(done => {
    let begin = null
    const started = () => { begin = performance.now() }
    document.addEventListener(kind, started, {capture: true, once: true})
    const look = () => requestAnimationFrame(() => {
      if (begin === null || pixels() === before || !here()) look()
      else requestAnimationFrame(() => done({ms: performance.now() - begin, range: range()}))
    })
    look()
  })
  return range()
}"""


def prepare(workspace: Path, height: int, width: int) -> None:
    """A workspace with a made-up image and its run."""
    grid = GeoBox((height, width), Affine(10, 0, 5e5, 0, -10, 6.8e6), "EPSG:3067")
    (workspace / "scenes").mkdir(parents=True)
    make_scene(workspace / "scenes" / f"{SCENE}.tif", grid)
    make_run(workspace / "runs" / "made-up", grid)


def felt(page: Page, kind: str, gesture: Callable[[], object], image: int) -> tuple[float, bool]:
    """Milliseconds from an event of a gesture to the new picture, and whether the map stayed.

    Image 0 is the one below, 1 the layer above.
    """
    before = page.evaluate(_WATCH, [kind, image])
    gesture()
    found = page.evaluate("window.felt")
    return found["ms"], found["range"] == before


def wheel(page: Page) -> None:
    """Zoom in a little where the map is."""
    page.mouse.move(700, 450)
    page.mouse.wheel(0, -120)


def drag(page: Page) -> None:
    """Pull the map."""
    page.mouse.move(760, 500)
    page.mouse.down()
    page.mouse.move(700, 460, steps=4)
    page.mouse.up()


def layer(page: Page, name: str) -> Callable[[], object]:
    """Open the list of layers; the gesture is to choose one of them."""
    page.get_by_role("combobox", name="Layer above", exact=True).locator("visible=true").click()
    return page.get_by_role("menuitem", name=name).first.click


def ready(page: Page) -> None:
    """Wait until the map has been painted and nothing more comes."""
    page.wait_for_function(
        """() => [...(window.Bokeh?.documents?.[0]?._all_models.values() ?? [])].some(model => {
          const image = r => r.glyph?.type == 'ImageRGBA' && r.data_source.data.image[0]
          const large = r => image(r) && image(r).length > 1e5
          try {
            return model.type == 'Figure' && model.inner_width > 20 && model.renderers.some(large)
          } catch { return false }
        })"""
    )
    page.wait_for_timeout(2500)


@contextmanager
def served(workspace: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address of the dashboard, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", "dashboard", "--port", str(port)]
    environment = os.environ | {"LULC_WORKSPACE": str(workspace)}
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    url = f"http://localhost:{port}/dashboard"
    try:
        while True:
            try:
                urllib.request.urlopen(url, timeout=60).close()
                break
            except OSError:
                time.sleep(0.5)
        yield url, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(20)


@click.command()
@click.option("--height", default=6477, show_default=True, help="Rows of the run.")
@click.option("--width", default=7068, show_default=True, help="Columns of the run.")
@click.option("--rounds", default=7, show_default=True, help="Times each gesture is made.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True, help="The browser.")
def main(height: int, width: int, rounds: int, chromium: str) -> None:
    """Time gestures in the page."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        prepare(Path(temporary), height, width)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        with served(Path(temporary)) as (url, server):
            page.goto(url)
            ready(page)
            click.echo(f"{machine()}; {height} x {width} px in a page of 1440 x 900")
            click.echo(
                f"the server's work in a second without a gesture: {_idle(page, server):.0f} ms"
            )
            click.echo(f"{'gesture':26}{'felt ms':>9}{'slowest':>9}{'server cpu ms':>15}")
            for base in ("True colour", "None"):
                page.goto(f"{url}?image={base}")
                ready(page)
                for name, kind, gesture in (("zoom", "wheel", wheel), ("pan", "pointerup", drag)):
                    rows = [_one(page, server, kind, lambda g=gesture: g(page), 1)
                            for _ in range(rounds)]  # fmt: skip
                    _say(f"{name}, below: {base}", rows)
                for _ in range(2):  # the second time, the view's activations have been read
                    rows = [_one(page, server, "click", layer(page, name), 1) for name in LAYERS]
                    _say(f"layers, below: {base}", rows)
        browser.close()


def _one(
    page: Page, server: psutil.Process, kind: str, gesture: Callable[[], object], image: int
) -> tuple[float, float]:
    """What is felt, and the server's work until a second after the gesture; milliseconds."""
    before, end = sum(server.cpu_times()[:2]), time.monotonic() + 1
    spent, _ = felt(page, kind, gesture, image)
    page.wait_for_timeout(max(0, 1000 * (end - time.monotonic())))
    return spent, 1000 * (sum(server.cpu_times()[:2]) - before)


def _idle(page: Page, server: psutil.Process) -> float:
    """The server's work in a second without a gesture; milliseconds."""
    before = sum(server.cpu_times()[:2])
    page.wait_for_timeout(10_000)
    return 100 * (sum(server.cpu_times()[:2]) - before)


def _say(name: str, rows: list[tuple[float, float]]) -> None:
    spent, worked = zip(*rows, strict=True)
    click.echo(f"{name:26}{median(spent):9.0f}{max(spent):9.0f}{median(worked):15.0f}")


if __name__ == "__main__":
    main()
