"""W&B shows what metrics.jsonl says, all of it and once; and training never suffers from it."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.utilities import rank_zero_only
from offline import OfflineRun, flat, jsonl_rows
from PIL import Image

from imagen_lit.cli import config
from imagen_lit.run import metrics, run_folder, wandb_logger
from imagen_lit.run.wandb_logger import WandbLogger

NAME = "a sweep/of two/drop-0.1"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cfg = config.compose("train", [f"runs={tmp_path}", f"name='{NAME}'"])
    run_folder.claim(tmp_path / NAME, cfg)
    return tmp_path / NAME


def wandb_logger_of(folder: Path) -> WandbLogger:
    return WandbLogger(str(folder), NAME, "a project", tags=["t5"])


def write(logger: WandbLogger, *images: int) -> None:
    for number in images:
        row = {"images": number, "train/loss": 1 / (1 + number), "epoch": 0}
        logger.log_metrics(row, number)


def test_a_resumed_run_is_one_run_with_one_step_per_line(folder: Path) -> None:
    first = wandb_logger_of(folder)
    assert first.experiment is None, "opening it takes seconds: not before the first row"
    write(first, 16, 32, 48)
    assert first.experiment is not None
    first.finalize("failed")
    assert OfflineRun(folder).exits[0]["exit_code"] == 1
    before = OfflineRun(folder).run["run_id"]

    metrics.rewind(folder, 32)  # it resumes from an earlier checkpoint
    second = wandb_logger_of(folder)
    write(second, 48, 64)
    second.finalize("success")

    offline_run = OfflineRun(folder)
    assert [row["images"] for row in jsonl_rows(folder)] == [16, 32, 48, 64]
    assert offline_run.logged_rows == jsonl_rows(folder)
    assert offline_run.steps == [0, 1, 2, 3]
    assert offline_run.run["run_id"] == before == wandb_logger.run_id(NAME)
    assert [each.get("exit_code", 0) for each in offline_run.exits] == [0]


def test_config_group_job_type_tags_and_name_are_sent(folder: Path) -> None:
    logger = wandb_logger_of(folder)
    write(logger, 16)
    logger.finalize("success")
    record = OfflineRun(folder).run
    assert record["display_name"] == NAME and record["run_group"] == "a sweep/of two"
    assert record["job_type"] == "base16" and record["tags"] == ["t5"]
    assert record["project"] == "a project"
    settings = record["config"]["update"]
    assert {k: v for k, v in settings.items() if k != "_wandb"} == run_folder.read_settings(folder)


ENDS = ("", "_low", "_high", "_protocol")


def test_intervals_are_three_curves_and_sheets_are_images(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "sheet.png")
    logger = wandb_logger_of(folder)
    logger.write({"images": 16, "score/alignment_all": [0.5, 0.4, 0.6], "preview": "sheet.png"})
    logger.write({"images": 32, "preview": "taken away.png", "skipped_keys": ["a", "b"]})
    logger.write({"images": 48, "score/chroma": 0.3, "protocols": {"score/chroma": "aa"}})
    logger.finalize("success")
    offline_run = OfflineRun(folder)
    assert offline_run.rows_without_images == flat(jsonl_rows(folder))
    first, second, third = offline_run.logged_rows
    assert third == {"images": 48, "score/chroma": 0.3, "score/chroma_protocol": "aa"}
    later = {"images": 64, "score/chroma": [0.4, 0.3, 0.5], "protocols": {"score/chroma": "bb"}}
    apart = wandb_logger.wandb_row(later, folder, {"score/chroma": "aa"})
    assert apart.keys() == {"images", *(f"score/chroma@bb{end}" for end in ENDS)}
    assert first["preview._type"] == "image-file" and first["preview.caption"] == "after 16 images"
    assert (offline_run.file.parent / "files" / first["preview.path"]).is_file()
    assert not any(key.startswith("preview") for key in second)


def test_two_members_in_one_process_are_two_finished_runs(tmp_path: Path) -> None:
    for member in ("a", "b"):
        cfg = config.compose("train", [f"runs={tmp_path}", f"name=sweep/s/{member}"])
        run_folder.claim(tmp_path / cfg.name, cfg)
        logger = WandbLogger(str(tmp_path / cfg.name), cfg.name, "p")
        write(logger, 16, 32)
        logger.finalize("success")
    a, b = (OfflineRun(tmp_path / f"sweep/s/{member}") for member in ("a", "b"))
    assert a.run["run_group"] == b.run["run_group"] == "sweep/s"
    assert a.run["run_id"] != b.run["run_id"]
    assert a.steps == b.steps == [0, 1] and len(a.exits) == len(b.exits) == 1


def all_rows_are_written(folder: Path, logger: WandbLogger) -> None:
    with pytest.warns(UserWarning, match="W&B is not used until the next start") as warned:
        write(logger, 16, 32, 48)
        logger.finalize("success")
    assert len([w for w in warned if "not used" in str(w.message)]) == 1
    assert [row["images"] for row in jsonl_rows(folder)][-3:] == [16, 32, 48]


def test_without_the_package_metrics_jsonl_is_complete(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    all_rows_are_written(folder, wandb_logger_of(folder))


def test_without_a_place_to_write_metrics_jsonl_is_complete(folder: Path) -> None:
    (folder / "wandb").write_text("a file where a folder is wanted")
    all_rows_are_written(folder, wandb_logger_of(folder))


@pytest.mark.parametrize("breaks", ["log", "finish"])
def test_if_wandb_breaks_on_the_way_metrics_jsonl_is_complete(folder: Path, breaks: str) -> None:
    logger = wandb_logger_of(folder)
    write(logger, 8)
    wandb_run: Any = logger.experiment

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    finish = wandb_run.finish
    setattr(wandb_run, breaks, fail)
    all_rows_are_written(folder, logger)
    finish()


def test_a_server_that_does_not_answer_leaves_a_file_to_upload(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_logger, "TIMEOUT", 1)
    monkeypatch.setattr(wandb_logger, "login_mode", lambda: "online")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    logger = wandb_logger_of(folder)
    with pytest.warns(UserWarning, match="offline until the next start"):
        write(logger, 16, 32)
    logger.finalize("success")
    assert OfflineRun(folder).logged_rows == jsonl_rows(folder)


def test_when_it_is_disabled_it_is_not_even_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(wandb_logger_of(folder), 16)
    assert len(jsonl_rows(folder)) == 1 and not (folder / "wandb").exists()


def test_of_several_ranks_only_the_first_writes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = wandb_logger_of(folder)
    assert logger.experiment is None
    write(logger, 16)
    logger.finalize("success")
    assert {file.name for file in folder.iterdir()} == {"config.yaml"}


def test_without_a_login_wandb_is_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import wandb

    wandb.teardown()  # it has read the environment once and for all
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert wandb_logger.login_mode() == "offline"
    wandb.teardown()


def test_names_that_differ_have_ids_that_differ() -> None:
    names = ["a/b", "a-b", "a b", "a.b", "x" * 100, "x" * 101, "x" * 102, "ä", "ö"]
    ids = [wandb_logger.run_id(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(len(each) <= 128 and not set(each) & set("/\\#?%: ") for each in ids)
    assert (
        wandb_logger.group("sweep/demo/drop-0.1") == "sweep/demo"
        and wandb_logger.group("mine") is None
    )


def test_a_job_type_names_the_kind_of_stage_and_its_size() -> None:
    kinds = {
        stage: wandb_logger.job_type(run_folder.plain(config.compose("train", [f"stage={stage}"])))
        for stage in ("demo_base", "demo_sr", "demo_sr2")
    }
    assert kinds == {"demo_base": "base16", "demo_sr": "sr64", "demo_sr2": "sr256"}
