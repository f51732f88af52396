"""Ports for a lab that no other lab on this machine takes, and nothing else either.

Whoever holds the first port of a hundred may use the rest. The kernel gives none of these to a
connection (it begins at 32768), and Lightning none to its ranks (it ends at 24999).
"""

import random
import socket


def reserve(count: int) -> tuple[socket.socket, list[int]]:
    """Ports, and the socket that reserves them until it is closed."""
    hundreds = range(25_000, 32_600, 100)
    for first in random.sample(hundreds, len(hundreds)):
        held = _opened(first)
        if held is None:
            continue
        opened = [_opened(port) for port in range(first + 1, first + 1 + count)]
        for each in filter(None, opened):
            each.close()
        if all(opened):
            return held, [first + 1 + number for number in range(count)]
        held.close()
    raise RuntimeError(f"no free ports from {hundreds.start} to {hundreds.stop}")


def _opened(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None
