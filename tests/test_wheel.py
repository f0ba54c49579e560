"""The built wheel works by itself, from an empty folder, without the checkout."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def scripts(wheel: Path) -> Path:
    """The scripts of an environment with the wheel and this one's libraries, not the checkout.

    A path that a .pth file adds has its own .pth files left unread, so the line that makes
    the checkout importable here does not count there.
    """
    root = wheel.parent / "venv"
    venv.create(root, with_pip=False, symlinks=True)
    python = root / "bin" / "python"
    (site,) = (root / "lib").glob("python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "libraries.pth").write_text("\n".join(sorted(libraries)), encoding="utf-8")
    install = ["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run([sys.executable, "-m", "pip", *install], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return python.parent


@pytest.fixture(scope="module")
def empty(wheel: Path) -> Path:
    folder = wheel.parent / "empty"
    folder.mkdir()
    return folder


def environment() -> dict[str, str]:
    """The environment less what could lead back to the checkout."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LULC_"))}


def test_wheel_holds_data_and_dashboard(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("assets", "dashboard"):
        here = [
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.name[0] != "."
        ]
        assert here
        assert {f"lulc/_bundled/{name}" for name in here} <= names
    # Nothing lands in site-packages under another name.
    assert {name.split("/")[0].split("-")[0] for name in names} == {"lulc"}
    assert not [name for name in names if "__pycache__" in name]


def test_demo_from_an_empty_folder(scripts: Path, empty: Path) -> None:
    where = "import lulc, importlib.util as u; print(lulc.__file__, u.find_spec('dashboard'))"
    found = subprocess.run(
        [scripts / "python", "-c", where],
        cwd=empty,
        env=environment(),
        capture_output=True,
        text=True,
    )
    file, dashboard = found.stdout.split()
    assert Path(file).is_relative_to(scripts.parent), found.stderr
    assert dashboard == "None", "the checkout can still be imported"
    done = subprocess.run(
        [scripts / "lulc", "demo", "--no-serve", "--size", "128"],
        cwd=empty,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("sample-lakeland", "sample-lakeland-balanced"):
        (line,) = (row for row in done.stdout.splitlines() if row.startswith(f"{name} "))
        scores = [float(number) for number in line.split()[1:]]
        assert len(scores) == 3
        assert all(0 < score <= 1 for score in scores)
        assert (empty / "workspace" / "runs" / name / "map.tif").is_file()


def test_dashboard_is_served_from_an_empty_folder(scripts: Path, empty: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = empty.parent / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [scripts / "lulc", "serve", "--port", str(port)],
            cwd=empty,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status, page = fetch(f"http://127.0.0.1:{port}/dashboard", server)
        finally:
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)
    said = log.read_text(encoding="utf-8")
    assert status == 200, said
    assert "<html" in page
    assert "Traceback" not in said, said
    assert "Error running application" not in said, said


def fetch(address: str, server: subprocess.Popen[bytes]) -> tuple[int, str]:
    """The status and text of a page, once its server answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    give_up = time.monotonic() + 120
    while True:
        try:
            with direct.open(address, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (urllib.error.URLError, OSError):
            if server.poll() is not None or time.monotonic() > give_up:
                return 0, ""
            time.sleep(0.5)
