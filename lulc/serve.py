"""Serve the dashboard: `panel serve dashboard` with the settings that suit it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import NoReturn

from lulc import config
from lulc.errors import LulcError

#: Where the files of the runs are to be had, below the server's address.
RUNS = "runs"

#: The form that asks for a name and a password.
LOGIN = config.DASHBOARD / "login.html"


def command(
    address: str = "127.0.0.1",
    port: int = 5006,
    *,
    public: bool = False,
    users: Path | None = None,
) -> list[str]:
    """The command that serves the dashboard; with a file of users, only to those."""
    files = f"--static-dirs={RUNS}={(config.workspace() / 'runs').resolve()}"
    login = [f"--basic-auth={users.resolve()}", f"--basic-login-template={LOGIN}"] if users else []
    origins = ["*"] if public else [f"{address}:{port}", f"localhost:{port}"]
    return [
        sys.executable,
        "-m",
        "panel",
        "serve",
        str(config.DASHBOARD),
        "--address",
        "0.0.0.0" if public else address,
        "--port",
        str(port),
        *(f"--allow-websocket-origin={origin}" for origin in origins),
        # Sessions of closed pages go after a while; a page asleep keeps its own.
        "--unused-session-lifetime=60000",
        "--keep-alive=10000",
        files,
        *login,
    ]


def check_port(address: str, port: int) -> None:
    """Raise LulcError when the port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise LulcError(
                f"port {port} of {address} cannot be had ({error.strerror}); "
                f"choose another: --port {port + 1}"
            ) from error


def check_users(path: Path) -> None:
    """Raise LulcError where a file is not a JSON object of passwords by name, or some cannot be
    given: blanks at the ends of what is filled in are taken off."""
    wanted = 'expected a JSON file of names and passwords, such as {"anna": "..."}'
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LulcError(f"{wanted}; got {path}: {error}") from None
    if not isinstance(found, dict) or not found:
        raise LulcError(f"{wanted}; got {path}, which is another JSON document")
    words = [*found, *found.values()]
    if not all(isinstance(word, str) and word for word in words):
        raise LulcError(f"{wanted}; got {path}, in which a name or password is empty or no text")
    if any(word != word.strip() for word in words):
        raise LulcError(f"{wanted}; got {path}, in which a name or password has a blank at an end")


def serve(
    address: str = "127.0.0.1",
    port: int = 5006,
    *,
    public: bool = False,
    users: Path | None = None,
) -> NoReturn:
    """Serve the dashboard until it is stopped: this process becomes the server.

    Args:
        public: listen on all interfaces.
        users: a JSON file of passwords by name, who alone get in; read at every login. Without
            one there is no login: whoever reaches the port can start jobs and delete runs.

    Raises:
        LulcError: a port that is taken, or users that are no such file.
    """
    bind = "0.0.0.0" if public else address
    check_port(bind, port)
    workspace = config.workspace().resolve()
    (workspace / "runs").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"LULC_WORKSPACE": str(workspace), "LULC_SERVED": RUNS}
    if users is not None:
        check_users(users)
        # Logins end with the server: nobody else knows what signs them.
        environment = {"BOKEH_COOKIE_SECRET": secrets.token_hex(), **environment}
    print(f"lulc is at http://{address}:{port}/dashboard (Ctrl-C ends it)", flush=True)
    # Not a child: whatever ends this process ends the server, and frees the port.
    os.execve(sys.executable, command(address, port, public=public, users=users), environment)
