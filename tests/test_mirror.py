"""W&B shows what metrics.jsonl says, all of it and once; and training never suffers from it."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.utilities import rank_zero_only
from offline import Kept, flat, journal
from PIL import Image

from imagen_lit import door, mirror, run_folder
from imagen_lit.mirror import Mirror

NAME = "a sweep/of two/drop-0.1"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cfg = door.compose("train", [f"runs={tmp_path}", f"name='{NAME}'"])
    run_folder.claim(tmp_path / NAME, cfg)
    return tmp_path / NAME


def of(folder: Path) -> Mirror:
    return Mirror(str(folder), NAME, "a project", tags=["t5"])


def write(logger: Mirror, *images: int) -> None:
    for seen in images:
        logger.log_metrics({"images": seen, "train/loss": 1 / (1 + seen), "epoch": 0}, seen)


def test_a_run_that_goes_on_is_one_run_with_one_step_for_every_line(folder: Path) -> None:
    first = of(folder)
    assert first.experiment is not None  # as Lightning asks where a fit begins
    write(first, 16, 32, 48)
    first.finalize("failed")
    assert Kept(folder).exits[0]["exit_code"] == 1
    before = Kept(folder).run["run_id"]

    run_folder.rewind(folder, 32)  # it goes on from an earlier state
    second = of(folder)
    assert second.experiment is not None
    write(second, 48, 64)
    second.finalize("success")

    kept = Kept(folder)
    assert [row["images"] for row in journal(folder)] == [16, 32, 48, 64]
    assert kept.told == journal(folder)
    assert kept.steps == [0, 1, 2, 3]
    assert kept.run["run_id"] == before == mirror.identity(NAME)
    assert [each.get("exit_code", 0) for each in kept.exits] == [0]


def test_config_group_job_type_tags_and_name_are_there(folder: Path) -> None:
    logger = of(folder)
    write(logger, 16)
    logger.finalize("success")
    said = Kept(folder).run
    assert said["display_name"] == NAME and said["run_group"] == "a sweep/of two"
    assert said["job_type"] == "base16" and said["tags"] == ["t5"]
    assert said["project"] == "a project"
    config = said["config"]["update"]
    assert {k: v for k, v in config.items() if k != "_wandb"} == run_folder.settings(folder)


def test_intervals_are_three_curves_and_sheets_are_pictures(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "sheet.png")
    logger = of(folder)
    logger.write({"images": 16, "score/alignment_all": [0.5, 0.4, 0.6], "preview": "sheet.png"})
    logger.write({"images": 32, "preview": "taken away.png", "skipped": ["a", "b"]})
    logger.finalize("success")
    kept = Kept(folder)
    assert kept.numbers == flat(journal(folder))
    first, second = kept.told
    assert first["preview._type"] == "image-file" and first["preview.caption"] == "after 16 images"
    assert (kept.file.parent / "files" / first["preview.path"]).is_file()
    assert not any(key.startswith("preview") for key in second)


def test_two_members_in_one_process_are_two_finished_runs(tmp_path: Path) -> None:
    for member in ("a", "b"):
        cfg = door.compose("train", [f"runs={tmp_path}", f"name=sweep/s/{member}"])
        run_folder.claim(tmp_path / cfg.name, cfg)
        logger = Mirror(str(tmp_path / cfg.name), cfg.name, "p")
        write(logger, 16, 32)
        logger.finalize("success")
    a, b = (Kept(tmp_path / f"sweep/s/{member}") for member in ("a", "b"))
    assert a.run["run_group"] == b.run["run_group"] == "sweep/s"
    assert a.run["run_id"] != b.run["run_id"]
    assert a.steps == b.steps == [0, 1] and len(a.exits) == len(b.exits) == 1


def all_is_in_the_journal(folder: Path, logger: Mirror) -> None:
    with pytest.warns(UserWarning, match="W&B is left out until the next start") as said:
        assert logger.experiment is None or logger.experiment
        write(logger, 16, 32, 48)
        logger.finalize("success")
    assert len([w for w in said if "left out" in str(w.message)]) == 1
    assert [row["images"] for row in journal(folder)] == [16, 32, 48]


def test_without_the_package_the_journal_is_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    all_is_in_the_journal(folder, of(folder))


def test_without_a_place_to_write_the_journal_is_whole(folder: Path) -> None:
    (folder / "wandb").write_text("a file where a folder is wanted")
    all_is_in_the_journal(folder, of(folder))


@pytest.mark.parametrize("breaks", ["log", "finish"])
def test_where_it_breaks_on_the_way_the_journal_is_whole(folder: Path, breaks: str) -> None:
    logger = of(folder)
    there: Any = logger.experiment

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    whole = there.finish
    setattr(there, breaks, fail)
    all_is_in_the_journal(folder, logger)
    whole()


def test_a_server_that_does_not_answer_leaves_a_file_to_upload(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "PATIENCE", 1)
    monkeypatch.setattr(mirror, "mode", lambda: "online")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    logger = of(folder)
    with pytest.warns(UserWarning, match="offline until the next start"):
        write(logger, 16, 32)
    logger.finalize("success")
    assert Kept(folder).told == journal(folder)


def test_when_it_is_disabled_it_is_not_even_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(of(folder), 16)
    assert len(journal(folder)) == 1 and not (folder / "wandb").exists()


def test_of_several_ranks_only_the_first_writes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = of(folder)
    assert logger.experiment is None
    write(logger, 16)
    logger.finalize("success")
    assert {file.name for file in folder.iterdir()} == {"config.yaml"}


def test_who_is_not_logged_in_is_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import wandb

    wandb.teardown()  # it has read the environment once and for all
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert mirror.mode() == "offline"
    wandb.teardown()


def test_names_that_differ_have_ids_that_differ() -> None:
    names = ["a/b", "a-b", "a b", "a.b", "x" * 100, "x" * 101, "x" * 102, "ä", "ö"]
    ids = [mirror.identity(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(len(each) <= 128 and not set(each) & set("/\\#?%: ") for each in ids)
    assert mirror.group("sweep/demo/drop-0.1") == "sweep/demo" and mirror.group("mine") is None


def test_a_job_type_says_what_is_learnt() -> None:
    kinds = {
        stage: mirror.stage(run_folder._plain(door.compose("train", [f"stage={stage}"])))
        for stage in ("demo_base", "demo_sr", "demo_sr2")
    }
    assert kinds == {"demo_base": "base16", "demo_sr": "sr64", "demo_sr2": "sr256"}
