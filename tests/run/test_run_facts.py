"""What a run folder says, whatever its files look like."""

import json
from pathlib import Path

import left_runs
import pytest

from imagen_lit.run import run_facts


def test_the_facts_are_those_of_the_files(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path, "sweep/mine", sheets=2)
    facts = run_facts.read(folder, "sweep/mine")
    assert (facts.group, facts.images, facts.total) == ("sweep", 640, 640)
    assert facts.latest["val/loss"] == pytest.approx(90 / 740)
    assert facts.lowest["train/loss"] == pytest.approx(100 / 740)
    assert [images for images, _ in facts.series["train/loss"]] == list(range(64, 641, 64))
    assert facts.score == (0.5, 0.3, 0.7)
    assert [images for images, _ in facts.previews] == [320, 640]
    assert facts.setting("stage.condition.drop") == 0.1 and facts.setting("a.b") is None
    assert not facts.notes


def test_a_checkpoint_counts_where_no_row_was_written(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    (folder / "metrics.jsonl").unlink()
    (folder / "checkpoints").mkdir()
    for name in ("000000000128.ckpt", "last.ckpt", "000000000999.damaged"):
        (folder / "checkpoints" / name).touch()
    assert run_facts.read(folder, "mine").images == 128


def test_many_rows_become_few_points_and_the_last_one_is_kept(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path, "long")
    lines = [json.dumps({"images": 16 * n, "train/loss": 1 / n}) for n in range(1, 50_001)]
    lines[7] = json.dumps({"images": 128, "val/loss": 0.25})
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    facts = run_facts.read(folder, "long")
    assert 200 < len(facts.series["train/loss"]) < 1000
    assert facts.series["train/loss"][-1] == (800_000, 1 / 50_000)
    assert facts.series["val/loss"] == [(128, 0.25)] and not facts.notes


@pytest.mark.parametrize("end", ['{"images": 700, "train/lo', '{"images": 700, "train/loss": 0.1}'])
def test_a_last_row_cut_short_is_no_damage(tmp_path: Path, end: str) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(end)
    facts = run_facts.read(folder, "mine")
    assert not facts.notes and facts.images == (700 if end.endswith("}") else 640)


DEEP = "[" * 100_000

DAMAGE = [
    ("config.yaml", b"stage: [", "config.yaml cannot be read"),
    ("config.yaml", b"\xff\xfe\xff", "config.yaml cannot be read"),
    ("config.yaml", b"", "config.yaml is not that of a run"),
    ("config.yaml", b"model_type: t5", "config.yaml is not that of a run"),
    ("config.yaml", b"!!python/object/apply:os.getcwd []", "config.yaml cannot be read"),
    ("config.yaml", b"stage: &a [*a]", "config.yaml cannot be read"),
    ("config.yaml", b"stage: &a {x: *a}", "config.yaml cannot be read"),
    ("metrics.jsonl", b"\xff\xff\n{}\n", "metrics.jsonl has damaged rows (1 of the 2 read)"),
    ("metrics.jsonl", b"[1]\n7\n{}", "metrics.jsonl has damaged rows (2 of the 3 read)"),
    ("metrics.jsonl", f'{DEEP}\n{{"images": 5}}'.encode(), "metrics.jsonl has damaged rows"),
    ("metrics.jsonl", b'{"images": "many"}\n{"images": -1}\n{"images": NaN}\n{}', "(3 of the 4"),
    ("metrics.jsonl", b'{"images": 1' + b"0" * 400 + b"}\n{}", "(1 of the 2 read)"),
]


@pytest.mark.parametrize(("name", "content", "note"), DAMAGE, ids=range(len(DAMAGE)))
def test_damage_becomes_a_note(tmp_path: Path, name: str, content: bytes, note: str) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    (folder / name).write_bytes(content)
    facts = run_facts.read(folder, "mine")
    assert len(facts.notes) == 1 and note in facts.notes[0]


def test_a_row_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    folder = left_runs.leave(tmp_path, "mine")
    (tmp_path / "secret.png").touch()
    names = ["../secret.png", str(tmp_path / "secret.png"), "gone.png", "\0", "a" * 999, 7]
    rows = [json.dumps({"images": 1, "preview": name}) for name in names]
    (folder / "metrics.jsonl").write_text("\n".join(rows))
    assert list(run_facts.read(folder, "mine").previews) == []
