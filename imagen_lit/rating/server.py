"""The server of the raters' page: one process, on an address that is free or refused in words."""

import socket

import uvicorn
from starlette.applications import Starlette

from imagen_lit.basics.errors import InputError

BACKLOG = 128


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any that is free."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"host={host} port={port} cannot be listened to ({reason}). Set port=0 for any port "
            "that is free, or another host."
        ) from error


def serve(app: Starlette, listener: socket.socket) -> None:
    """Answer until Ctrl-C, or until the process is told to end."""
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3
    )
    try:
        uvicorn.Server(settings).run(sockets=[listener])
    except KeyboardInterrupt:  # which uvicorn raises again when it has closed
        return
