"""The documents name everything there is, and nothing that is not."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from lulc.card import BandCard, ModelCard
from lulc.cli import cli
from lulc.legend import legends
from lulc.losses import LOSSES
from lulc.unet import UNet

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted(DOCS.glob("*.md"))


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for sub, entry in command.commands.items():
            yield from commands(entry, f"{name} {sub}")


COMMANDS = dict(commands(cli, "lulc"))


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """The text under a heading, up to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {title!r}"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_command_and_its_options_are_documented(name: str) -> None:
    said = section(text("commands.md"), name)
    options = {
        o for p in COMMANDS[name].params for o in (*p.opts, *p.secondary_opts) if o[0] == "-"
    }
    absent = {option for option in options if not re.search(rf"{option}(?![\w-])", said)}
    assert not absent


@pytest.mark.parametrize("name", COMMANDS)
def test_options_named_are_options(name: str) -> None:
    said = section(text("commands.md"), name)
    table = re.findall(r"^\| (.*?) \|", said, re.MULTILINE)
    named = {option for cell in table for option in re.findall(r"`(--[\w-]+)", cell)}
    options = {o for p in COMMANDS[name].params for o in (*p.opts, *p.secondary_opts)}
    assert named <= options | {"--help"}


def test_variables_of_the_environment_are_documented() -> None:
    config = (ROOT / "lulc" / "config.py").read_text(encoding="utf-8")
    read = set(re.findall(r"LULC_[A-Z_]+", config))
    assert read
    documented = set(re.findall(r"`(LULC_[A-Z_]+)`", section(text("commands.md"), "Environment")))
    assert documented == read


def test_legends_and_losses_are_documented() -> None:
    data, training = text("data.md"), text("training.md")
    assert not [name for name in legends() if f"`{name}`" not in data]
    assert not [name for name in LOSSES if f"| `{name}` |" not in training]


def test_card_is_documented() -> None:
    keys = {field.name for kind in (ModelCard, BandCard, UNet) for field in fields(kind)}
    page = text("model-card.md")
    assert not {key for key in keys if f"`{key}`" not in page}


def test_properties_of_a_run_are_documented() -> None:
    writers = [ROOT / "lulc" / name for name in ("classify.py", "manifest.py")]
    sources = "".join(path.read_text(encoding="utf-8") for path in writers)
    written = set(re.findall(r'"(lulc:[a-z_]+)"', sources))
    assert written
    assert set(re.findall(r"`(lulc:[a-z_]+)`", text("run.md"))) == written


def slug(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{page.name}: {link}"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def lines(language: str, program: str) -> list[tuple[str, str]]:
    """The calls of a program in the code blocks of every page, with the page's name."""
    return [
        (page.name, line)
        for page in PAGES
        for block in blocks(page, language)
        for line in block.replace("\\\n", " ").splitlines()
        if line.split()[:1] == [program]
    ]


def parse(command: click.Command, arguments: list[str]) -> None:
    """Parse as click does, without running anything; UsageError for what does not exist."""
    command.make_context(command.name, list(arguments))
    if not isinstance(command, click.Group):
        return
    taken = 0
    while taken < len(arguments) and arguments[taken].startswith("-"):
        taken += 2 if arguments[taken] == "--workspace" else 1
    name = arguments[taken]
    assert name in command.commands, f"no command {name}"
    parse(command.commands[name], arguments[taken + 1 :])


@pytest.mark.parametrize(("page", "line"), lines("sh", "lulc"))
def test_command_lines_are_understood(page: str, line: str) -> None:
    try:
        parse(cli, shlex.split(line)[1:])
    except click.UsageError as error:
        pytest.fail(f"{page}: {line}: {error.format_message()}")


@pytest.mark.parametrize(("page", "line"), lines("sh", "make"))
def test_make_lines_are_targets(page: str, line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    assert line.split()[1] in targets, page


@pytest.mark.parametrize(("page", "line"), lines("sh", "python"))
def test_scripts_that_are_called_exist(page: str, line: str) -> None:
    script = line.split()[1]
    assert (ROOT / script).is_file() or script == "-m", page


def snippets() -> list[tuple[str, str]]:
    return [(page.name, block) for page in PAGES for block in blocks(page, "python")]


@pytest.mark.parametrize(("page", "block"), snippets())
def test_python_snippets_import_what_exists(page: str, block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lulc"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), page
