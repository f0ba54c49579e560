"""The order of the house: who may import whom, what is public, what no file may contain."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import yaml
from projspec import Project, ProjectSpec

from lulc import config, demo

ROOT = Path(__file__).resolve().parent.parent

#: The rooms from the top down. A module imports only from rooms above its own, or from
#: modules that stand before it in its own room.
HOUSE = {
    "ground": "errors config memory files progress grid",
    "classes": "legend",
    "rasters": "indices landsat calibration bandfiles scene region composite stac",
    "the simulated region": "lakeland sample",
    "labels": "codes nearest reference",
    "the model": "unet card machine device winograd frozen tuning tiling predictor model",
    "input": "inputs contract precision",
    "training": "samples losses train",
    "classification": (
        "mapfile runs spool unfinished task request manifest coordinator classify features"
    ),
    "scores": (
        "tables grouping counts squares leakage activations rollup strips confusion "
        "units bounds cautious bootstrap sheet blocks blockmap boundary generalised levels "
        "reliability ranking cells cellscores cellbounds levelcounts histograms attainable "
        "parts scores evaluation compare"
    ),
    "areas": "census pointfiles points limits estimators areas",
    "wrong labels": "patches patchsearch suspects",
    "entrances": "cluster serve demo cli",
}

#: What is a folder: its modules in their order, which hold to the same rule.
PACKAGES = {
    "lakeland": "noise terrain built forest parcels landscape generalise reflectance layers",
    "cli": "options data training classification scoring sampling runs models serving",
}
ORDER = tuple(
    f"{name}.{part}" if part else name
    for room in HOUSE.values()
    for name in room.split()
    for part in PACKAGES.get(name, "").split(" ")
)

#: What lulc never imports, not even late, and what it imports only inside functions.
DASHBOARD = {
    "dashboard",
    "panel",
    "panel_material_ui",
    "param",
    "bokeh",
    "holoviews",
    "geoviews",
    "datashader",
}
LATE = {"tensorflow", "keras"}

#: Commands and the function each of them calls.
JOBS = {
    "lulc.demo": "demo",
    "lulc.train": "train",
    "lulc.classify": "classify",
    "lulc.evaluation": "evaluate",
    "lulc.compare": "compare",
    "lulc.points": "points",
    "lulc.areas": "areas",
    "lulc.suspects": "suspects",
    "lulc.stac": "fetch",
    "lulc.serve": "serve",
}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module, *, late: bool = True) -> Iterator[str]:
    """Modules imported, those for the type checker only left out; with those in functions."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
        elif late or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += ast.iter_child_nodes(node)


MODULES = sorted(p for p in (ROOT / "lulc").rglob("*.py") if p.stem[:2] != "__")
PAGES = sorted((ROOT / "dashboard").rglob("*.py"))


def name_of_module(path: Path) -> str:
    """`scene`, or `cli.runs` for a part of a package."""
    return ".".join(path.relative_to(ROOT / "lulc").with_suffix("").parts)


def test_every_module_has_its_place() -> None:
    assert sorted(ORDER) == sorted(name_of_module(path) for path in MODULES)


def test_order_is_documented() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| (`.*`) \|$", page, re.MULTILINE)
    said = {room: " ".join(re.findall(r"`(\w+)`", modules)) for room, modules in rows}
    assert said == HOUSE | {f"`{name}/`": parts for name, parts in PACKAGES.items()}


@pytest.mark.parametrize("path", MODULES, ids=name_of_module)
def test_module_imports_only_from_above(path: Path) -> None:
    module = name_of_module(path)
    names = [name for name in imports(parsed(path)) if name.partition(".")[0] == "lulc"]
    above = {*ORDER[: ORDER.index(module)], "__version__"}
    below = {name for name in names if not above & {".".join(name.split(".")[1:n]) for n in (2, 3)}}
    assert not below, f"{module} imports {sorted(below)}, which do not stand above it"


@pytest.mark.parametrize("path", MODULES, ids=name_of_module)
def test_module_knows_nothing_of_the_dashboard(path: Path) -> None:
    tree = parsed(path)
    assert not {name.partition(".")[0] for name in imports(tree)} & DASHBOARD
    assert not {name.partition(".")[0] for name in imports(tree, late=False)} & LATE
    assert not [name for name in imports(tree) if name.startswith(".")]


def test_dashboard_files_hide_no_other_module() -> None:
    # While main.py runs, its folder comes first on sys.path.
    assert PAGES
    assert not {path.stem for path in PAGES} & (sys.stdlib_module_names - {"__init__"})
    # A relative import would make a second copy of the module.
    relative = [n for path in PAGES for n in imports(parsed(path)) if n.startswith(".")]
    assert not relative


@pytest.mark.parametrize("path", MODULES, ids=name_of_module)
def test_public_names_exist_and_are_described(path: Path) -> None:
    module = importlib.import_module(f"lulc.{name_of_module(path)}")
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), f"{module.__name__}.__all__ names {name}"
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__
        if own and not name.startswith("_") and (inspect.isclass(thing) or callable(thing)):
            assert inspect.getdoc(thing), f"{module.__name__}.{name} has no docstring"


@pytest.mark.parametrize(("module", "function"), JOBS.items())
def test_command_is_a_function_too(module: str, function: str) -> None:
    assert inspect.isfunction(getattr(importlib.import_module(module), function))


def tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_machine_or_registry_is_named() -> None:
    # Written in pieces, so that this file does not name them.
    folders = ["work/", "root/", "opt/pypi", "tmp/w/", "home/", "Users/"]
    hosts = ["pypi" + ".org", "python" + "hosted", "anaconda" + ".org", "debian" + ".org"]
    hosts += ["npm" + "js", "conda" + ".io"]
    either = "|".join(re.escape(host) for host in hosts)
    pattern = re.compile(rf"(?<![\w.$}}])/(?:{'|'.join(folders)})|{either}".encode())
    found = {
        str(path.relative_to(ROOT)): match[0].decode()
        for path in tracked()
        if path.suffix not in (".png", ".keras", ".tif")
        and (match := pattern.search(path.read_bytes()))
    }
    assert not found


@pytest.mark.parametrize("name", demo.MODELS)
def test_bundled_model_is_small(name: str) -> None:
    files = [path for path in (config.ASSETS / "models" / name).iterdir() if path.is_file()]
    assert {"card.json", "model.keras"} <= {path.name for path in files}
    assert sum(path.stat().st_size for path in files) <= 6_000_000


@pytest.fixture(scope="module")
def anaconda_project() -> ProjectSpec:
    # The other kinds of project that this folder is are not asked for.
    return Project(str(ROOT), types={"anaconda_project"}).specs["anaconda_project"]


def test_anaconda_project_is_what_its_readers_expect(anaconda_project: ProjectSpec) -> None:
    spec = anaconda_project
    commands = spec.contents["command"]
    assert set(commands) == {"dashboard", "demo", "test"}
    assert commands["dashboard"].cmd.startswith("panel serve dashboard")
    told = spec.contents["descriptive_metadata"].meta
    assert told["command_supports_http_options"] == {"dashboard": True}
    assert told["name"] == "lulc"
    meta = yaml.safe_load((ROOT / "anaconda-project.yml").read_text(encoding="utf-8"))
    assert meta["packages"] == meta["dependencies"]
    assert len(meta["packages"]) == len(set(map(str, meta["packages"])))
    assert meta["user_fields"] == ["examples_config"]
    assert {"created", "maintainers", "labels", "categories"} <= set(meta["examples_config"])


def test_anaconda_project_needs_what_the_package_needs(anaconda_project: ProjectSpec) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    environments = anaconda_project.contents["environment"].values()
    stated = {name_of(r) for r in chain(*(e.packages for e in environments))}
    # Packages of conda-forge whose name is another one there.
    stated |= {"build"} if "python-build" in stated else set()
    assert {name_of(r) for r in required} <= stated


def name_of(requirement: str) -> str:
    """The package of a requirement: `panel>=1.9` is of `panel`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match[0].lower().replace("_", "-") if match else requirement
