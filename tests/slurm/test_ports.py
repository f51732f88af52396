"""Labs side by side: no port, and no job id, belongs to two."""

import socket

import ports


def test_no_two_labs_get_the_same_ports() -> None:
    reservations = [ports.reserve(3) for _ in range(40)]
    numbers = [port for _, reserved in reservations for port in reserved]
    assert len({port // 100 for port in numbers}) == 40, "each has a hundred job ids"
    for port in numbers:
        assert 24_999 < port < 32_768
        socket.create_server(("127.0.0.1", port)).close()
    for reservation, _ in reservations:
        reservation.close()
