"""Serving the dashboard, and to whom."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from dashboard.pages.runs import links
from lulc.cli import main
from lulc.runs import Run
from lulc.serve import command

#: Seconds for a server to answer: it imports HoloViews, GeoViews and Panel first.
PATIENCE = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server for one user; its address."""
    folder = tmp_path_factory.mktemp("served")
    run = folder / "workspace" / "runs" / "one"
    run.mkdir(parents=True)
    (run / "map.tif").write_bytes(bytes(range(200)))
    users = folder / "users.json"
    users.write_text(json.dumps({"anna": "lakes"}), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [sys.executable, "-m", "lulc", "--workspace", str(folder / "workspace"), "serve"]
    process = subprocess.Popen(
        [*started, "--port", str(port), "--users", str(users)],
        env={k: v for k, v in os.environ.items() if k != "BOKEH_COOKIE_SECRET"},
        stdout=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                build_opener().open(f"{address}/login", timeout=PATIENCE).close()
                break
            except URLError:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def asked(opener, address, name=None, password=None):
    """Where one ends up who asks for the dashboard, and what is there; with a name and a password,
    that is after filling in the form one is led to."""
    with opener.open(f"{address}/dashboard?run=one", timeout=PATIENCE) as answer:
        if name is None:
            return answer.url, answer.read().decode()
    form = urlencode({"username": name, "password": password}).encode()
    with opener.open(f"{address}/login", form, timeout=PATIENCE) as answer:
        return answer.url, answer.read().decode()


@pytest.mark.slow
def test_only_who_has_a_password_gets_in(server):
    for name, password in ((None, None), ("anna", "woods"), ("otto", "lakes"), ("anna", "")):
        url, page = asked(build_opener(HTTPCookieProcessor()), server, name, password)
        assert "/login" in url and "docs_json" not in page
        assert 'name="password"' in page and ("Invalid username" in page) == (name is not None)
        assert "//" not in page.replace("</", "")  # nothing from elsewhere
    known = build_opener(HTTPCookieProcessor())
    url, page = asked(known, server, "anna", "lakes")
    assert url == f"{server}/dashboard?run=one" and "docs_json" in page
    # The pages are drawn over a socket, which asks too.
    with pytest.raises(HTTPError) as refused:
        build_opener().open(f"{server}/dashboard/ws", timeout=PATIENCE)
    refused.value.close()
    assert refused.value.code in (400, 401, 403)


@pytest.mark.slow
def test_files_of_runs_are_had_in_pieces_by_who_is_let_in(server):
    address = f"{server}/runs/one/map.tif"
    with build_opener(HTTPCookieProcessor()).open(address, timeout=PATIENCE) as answer:
        assert "/login" in answer.url
    known = build_opener(HTTPCookieProcessor())
    asked(known, server, "anna", "lakes")
    piece = Request(address, headers={"Range": "bytes=20-29"})
    with known.open(piece, timeout=PATIENCE) as answer:
        assert answer.status == 206 and answer.read() == bytes(range(20, 30))
    for outside in ("../users.json", "%2e%2e/%2e%2e/users.json", ""):
        with pytest.raises(HTTPError) as refused:
            known.open(f"{server}/runs/{outside}", timeout=PATIENCE)
        refused.value.close()
        assert refused.value.code in (403, 404)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("anna:lakes", "Expecting value"),
        ("[1]", "another JSON document"),
        ("{}", "another JSON document"),
        ('{"anna": ""}', "empty or no text"),
        ('{"anna": 1}', "empty or no text"),
        ('{"anna": "lakes "}', "blank at an end"),
        ('{" anna": "lakes"}', "blank at an end"),
        ('{"": "lakes"}', "empty or no text"),
    ],
)
def test_users_that_are_none_are_refused(tmp_path, capsys, monkeypatch, text, said):
    # Whoever is not refused would be served, by what had been this test.
    monkeypatch.setattr("lulc.serve.os.execve", lambda *_: pytest.fail("it is served"))
    path = tmp_path / "users.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["serve", "--port", "0", "--users", str(path)])
    [line] = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and said in line
    assert "expected a JSON file of names and passwords" in line


def test_a_run_has_links_to_its_files(tmp_path):
    folder = tmp_path / "runs" / "a b"
    folder.mkdir(parents=True)
    (folder / "map.tif").write_bytes(bytes(2_000_000))
    (folder / ".lock").touch()
    (folder / "spool").mkdir()
    run = Run(folder, {"id": "a b"})
    assert links(run, "runs") == (
        "<small>Download: <a href='runs/a%20b/map.tif' style='color:inherit' download>map.tif"
        "</a> (2.0 MB)</small>"
    )
    assert links(run, "") == ""  # served by another command
    # A folder that was renamed or copied has the id that it was made with.
    assert links(Run(folder, {"id": "other"}), "runs") == links(run, "runs")
    folder.rename(tmp_path / "gone")  # by another process
    assert links(run, "runs") == ""


def test_the_command_says_who_is_let_in_from_where(tmp_path):
    plain, public = command(port=5050), command(public=True, users=tmp_path / "users.json")
    assert "--allow-websocket-origin=127.0.0.1:5050" in plain
    assert not any(part.startswith("--basic-auth") for part in plain)
    assert "--allow-websocket-origin=*" in public
    assert f"--basic-auth={tmp_path / 'users.json'}" in public
