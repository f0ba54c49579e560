"""The dashboard in a real browser, served as people serve it; no request leaves the machine.

Skipped with the reason where there is no Chromium. Pictures of every page at a test's end,
and what the servers wrote, are kept in the folder $SCREENSHOTS (`make test` sets it).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import workspaces


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """The folder for pictures and logs."""
    given = os.environ.get("SCREENSHOTS")
    folder = Path(given).resolve() if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A Chromium."""
    from browsing import ARGUMENTS, chromium, sync_playwright

    path = chromium()
    if path is None:
        pytest.skip("needs Chromium: put it on PATH, set CHROMIUM, or run scripts/browser.py")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A workspace with a scene, references and two scored runs, for all tests of a file."""
    return workspaces.make(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def address(workspace, screenshots) -> Iterator[str]:
    """Where `panel serve dashboard` serves the workspace."""
    from browsing import served

    with served(workspace, screenshots / f"server-{os.getpid()}.log") as url:
        yield url


@pytest.fixture
def open_page(browser, screenshots, request) -> Iterator[Callable]:
    """Opens pages that may ask this machine only, and must not complain."""
    from browsing import watched

    with ExitStack() as stack:
        pictures = (
            screenshots / f"{request.node.name}{number}.png" for number in ("", *range(2, 9))
        )
        yield lambda **how: stack.enter_context(watched(browser, next(pictures), **how))


@pytest.fixture
def page(open_page):
    """A page as large as a laptop's screen."""
    return open_page()
