"""See that there is a Chromium for the browser tests, installing one where that can be done.

Ends well in any case: without a browser, the tests that need one are skipped with a reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: What the browser is called on Debian, Fedora, Ubuntu and Google's own packages.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Seconds that one attempt may take: behind a firewall, a download hangs rather than fails.
PATIENCE = 300


def find() -> str | None:
    """The path of a Chromium on PATH or among Playwright's own, or None."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


def attempts() -> Iterator[tuple[str, list[list[str]]]]:
    """Ways to install one, each a name and its commands: Debian's as root, Playwright's own."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        yield "Debian's package", [["apt-get", "update"], install]
    yield "Playwright's own", [[sys.executable, "-m", "playwright", "install", "chromium"]]


def run(command: list[str]) -> str | None:
    """Run a command quietly; the last line it wrote if it failed, or None."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else None


def main() -> None:
    """Find a Chromium or install one, and say which or why not."""
    if found := find():
        print(f"The browser tests use {found}")
        return
    for name, commands in attempts():
        print(f"Installing Chromium for the browser tests: {name}", flush=True)
        failed = next((reason for command in commands if (reason := run(command))), None)
        if found := find():
            print(f"The browser tests use {found}")
            return
        print(f"  that did not work: {failed or 'no browser came of it'}")
    print("No Chromium could be had: the browser tests will be skipped")


if __name__ == "__main__":
    main()
