"""Labs beside each other: no port, and no number of a job, belongs to two."""

import socket

import ports


def test_what_one_lab_holds_no_other_is_given() -> None:
    held = [ports.reserve(3) for _ in range(40)]
    given = [port for _, many in held for port in many]
    assert len({port // 100 for port in given}) == 40, "each has a hundred job numbers"
    for port in given:
        assert 24_999 < port < 32_768
        socket.create_server(("127.0.0.1", port)).close()
    for reserved, _ in held:
        reserved.close()
