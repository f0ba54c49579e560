"""Serve the dashboard: `panel serve dashboard` with the settings that suit it."""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

from lulc import config
from lulc.errors import LulcError


def command(address: str = "127.0.0.1", port: int = 5006, *, public: bool = False) -> list[str]:
    """The command that serves the dashboard."""
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


def serve(address: str = "127.0.0.1", port: int = 5006, *, public: bool = False) -> NoReturn:
    """Serve the dashboard until it is stopped: this process becomes the server.

    `public` listens on all interfaces. There is no login: whoever reaches the port can
    start jobs and delete runs, so put a proxy with a login in front of it.
    """
    bind = "0.0.0.0" if public else address
    check_port(bind, port)
    environment = os.environ | {"LULC_WORKSPACE": str(config.workspace().resolve())}
    print(f"lulc is at http://{address}:{port}/dashboard (Ctrl-C ends it)", flush=True)
    # Not a child: whatever ends this process ends the server, and frees the port.
    os.execve(sys.executable, command(address, port, public=public), environment)
