"""Ports for a lab that no other lab on this machine uses, nor any other program.

The process that holds the first port of a hundred may use the rest. The kernel gives none of these
to a connection (its range begins at 32768), nor Lightning to its ranks (its range ends at 24999).
"""

import random
import socket


def reserve(count: int) -> tuple[socket.socket, list[int]]:
    """The socket that reserves ports until it is closed, and the ports."""
    hundreds = range(25_000, 32_600, 100)
    for first in random.sample(hundreds, len(hundreds)):
        reservation = _bind(first)
        if reservation is None:
            continue
        numbers = [first + 1 + number for number in range(count)]
        sockets = [_bind(port) for port in numbers]
        for opened in filter(None, sockets):
            opened.close()
        if all(sockets):
            return reservation, numbers
        reservation.close()
    raise RuntimeError(f"no block of 100 ports is free from {hundreds.start} to {hundreds.stop}.")


def _bind(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None
