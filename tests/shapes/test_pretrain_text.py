"""An encoder that is there already is the one that was asked for, or the command refuses it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers.utils import logging

from imagen_lit import demo, pretrain_text
from imagen_lit.cli import config

PRETRAIN = (
    "import sys, time; from pathlib import Path; from imagen_lit import pretrain_text\n"
    "def report(*_): print('reads', flush=True); time.sleep(3600)\n"
    "pretrain_text.pretrain(Path(sys.argv[1]), 64, 0, report, 16)\n"
)


def pretrain(folder: Path, **changes: Any) -> bool:
    settings = {"documents": 0, "seed": 0, "width": 16} | changes
    return pretrain_text.pretrain(folder, report=lambda done, loss: None, **settings)


@pytest.mark.parametrize("change", [{"documents": 64}, {"seed": 5}, {"width": 32}])
def test_an_encoder_with_other_settings_is_refused_and_left_alone(
    tmp_path: Path, change: dict[str, int]
) -> None:
    folder = tmp_path / "t5"
    assert pretrain(folder)
    assert not pretrain(folder), "the same settings find it there"
    before = {file: file.read_bytes() for file in folder.iterdir()}
    ((key, value),) = change.items()
    old = {"documents": 0, "seed": 0, "width": 16}[key]
    with pytest.raises(ValueError, match=f"{key} is {old} there, {value} here.*Set {key}={old} "):
        pretrain(folder, **change)
    assert before == {file: file.read_bytes() for file in folder.iterdir()}


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PRETRAIN, str(tmp_path / "t5")]
    first = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert first.stdout is not None and first.stdout.readline() == b"reads\n"
        holder = rf"process {first.pid} on .+\) is pretraining the encoder .*t5\. Let it finish"
        for act in (pretrain, lambda folder: pretrain_text.seconds_left(folder, 64, 0, 16)):
            with pytest.raises(RuntimeError, match=holder):
                act(tmp_path / "t5")
        pretrain(tmp_path / "other")
    finally:
        first.kill()
        first.wait()
    assert pretrain(tmp_path / "t5"), "the lock ends with its process"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "t5"]


def test_the_time_left_is_measured_from_where_the_pretraining_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def fake_pretrain(*_: object, **__: object) -> Iterator[tuple[int, float, None, None]]:
        for done in range(672, 3201, 32):  # resumed after 640; the first batch is slow
            now[0] += 100 if done == 672 else 2
            yield done, 5.0, None, None

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pretrain_text.nano_t5, "pretrain", fake_pretrain)
    left = pretrain_text.seconds_left(tmp_path / "t5", 3200, seed=0)
    assert left == 2 * (3200 - 640 - 5 * 32) / 32, "three batches are timed"
    monkeypatch.undo()
    assert pretrain_text.seconds_left(tmp_path / "t5", 0, seed=0) == 0, "random weights"
    pretrain(tmp_path / "t5")
    assert pretrain_text.seconds_left(tmp_path / "t5", 3200, seed=0) == 0, "it is there"


def test_the_report_says_which_share_is_good(tmp_path: Path) -> None:
    words = [f"text.path={tmp_path}/t5", "documents=64", "width=16"]
    pretrain(tmp_path / "t5", documents=64)
    cfg, folder = config.compose("pretrain_text", words), tmp_path / "t5"
    share = pretrain_text.role_share(cfg, folder)
    text = pretrain_text.verdict(share)
    assert "% of what differs among the vectors" in text
    assert "Below 2%, as with random weights, an image network hardly notices it" in text
    assert "above, the share tells no more" in text and "better" not in text
    assert "raise documents=" in pretrain_text.advice(cfg, folder, 0.01) and "Remove" not in text
    assert pretrain_text.advice(cfg, folder, 0.03) == ""


def test_the_progress_ends_at_all_documents_also_where_they_fill_no_batch(tmp_path: Path) -> None:
    counted: list[int] = []
    pretrain_text.pretrain(tmp_path / "t5", 80, 0, lambda done, loss: counted.append(done), 16)
    assert counted == [32, 64, 80]


def test_an_encoder_without_a_record_is_used_with_a_warning(tmp_path: Path) -> None:
    pretrain(tmp_path / "t5")
    (tmp_path / "t5/pretraining.json").unlink()
    with pytest.warns(UserWarning, match="does not record how its encoder was pretrained"):
        assert not pretrain(tmp_path / "t5", documents=64)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="Set width=16 "):
        pretrain(tmp_path / "t5", width=32)


def test_a_model_from_elsewhere_is_not_made_here(tmp_path: Path) -> None:
    words = ["text=t5_small", f"text.path={tmp_path}/t5"]
    with pytest.raises(ValueError, match="comes from hf download google/t5-v1_1-small"):
        pretrain_text.main(config.compose("pretrain_text", words))
    runs = [f"runs={tmp_path}/runs", f"datasets={tmp_path}/data"]
    with pytest.raises(FileNotFoundError, match="hf download google/t5-v1_1-small"):
        demo.demo(config.compose("demo", [*words, *runs]))
    assert not (tmp_path / "t5").exists() and not (tmp_path / "data").exists()


def test_the_control_is_never_pretrained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["text=t5_nano_random", f"folder={tmp_path}/t5"]
    with pytest.raises(ValueError, match=r"and documents=40000\. Set documents=0\."):
        pretrain_text.main(config.compose("pretrain_text", words))
    pretrain_text.main(config.compose("pretrain_text", [*words, "documents=0"]))
    assert json.loads((tmp_path / "t5/pretraining.json").read_text())["documents"] == 0
    said = capsys.readouterr()
    assert said.err == "", "neither a count of nothing, nor a bar of another library"
    assert "of random weights (documents=0), is in" in said.out


def test_the_only_progress_line_is_ours(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logging.enable_progress_bar()
    words = ["documents=64", f"folder={tmp_path}/t5", f"text.path={tmp_path}/t5"]
    pretrain_text.main(config.compose("pretrain_text", [*words, "text.device=cpu"]))
    lines = capfd.readouterr().err.splitlines()
    assert lines and all(" documents read" in line for line in lines)
    assert "64/64 documents read in 0:" in lines[-1]
