"""What is said of SLURM's partitions, by answers as sinfo and squeue give them."""

import pytest

from imagen_lit.run import partition_queue, queue

NODES = "gpu|up|3|idle\ngpu|up|1|mixed\ngpu|up|1|down*\nmain*|up|2|allocated\nold|down|4|idle\n\n"
JOBS = "gpu|RUNNING\ngpu,old|PENDING\ngpu|PENDING\nmain|COMPLETING\nmain|CONFIGURING\n"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    answers: dict[str, str | None] = {"sinfo": NODES, "squeue": JOBS}
    monkeypatch.setattr(queue, "ask", lambda word, *others: answers[word])
    return answers


def test_a_partition_is_described_with_its_nodes_and_jobs(answer: dict[str, str | None]) -> None:
    assert partition_queue.lines(["gpu", "gpu"]) == [
        "SLURM: the partition gpu is up; 5 nodes (3 idle, 1 mixed, 1 down); 1 job runs there, and "
        "2 wait"
    ]
    (line,) = partition_queue.lines(["old"])
    assert "is down, so that no job starts there; 4 nodes (4 idle); 0 jobs run there" in line


def test_without_a_partition_the_sites_default_one_is_described(
    answer: dict[str, str | None],
) -> None:
    (line,) = partition_queue.lines([None])
    assert "partition main is up; 2 nodes (2 allocated); 1 job runs there, and 0 wait" in line
    assert partition_queue.lines(["nix", "gpu,old"])[2] == "SLURM: there is no partition nix"


@pytest.mark.parametrize("command", ["sinfo", "squeue"])
def test_a_silent_slurm_is_said_to_be_so(answer: dict[str, str | None], command: str) -> None:
    answer[command] = None
    assert partition_queue.lines(["gpu"]) == [f"SLURM: {partition_queue.UNKNOWN}"]
    assert partition_queue.lines([None]) == [f"SLURM: {partition_queue.UNKNOWN}"]


def test_an_empty_queue_and_strange_lines_are_no_obstacle(answer: dict[str, str | None]) -> None:
    answer |= {"squeue": "", "sinfo": "slurm_load: warning\n" + NODES}
    (line,) = partition_queue.lines(["gpu"])
    assert line.endswith("0 jobs run there, and 0 wait")
