"""A run folder is claimed by its settings, and says what to do when others come."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.run import checkpoint, metrics, run_folder, status
from imagen_lit.run.attempt import attempt

WORDS = ["data=shards", "data.shards=datasets/laion"]


def test_a_run_whose_files_only_moved_can_be_continued(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, config.compose("train", WORDS))
    moved = config.compose("train", ["data=shards", "data.shards=/elsewhere/laion"])
    with pytest.raises(
        ValueError, match=r"If the same files only moved, write .* into .*config\.yaml"
    ):
        run_folder.claim(tmp_path, moved)
    claimed = OmegaConf.load(tmp_path / "config.yaml")
    claimed.data.shards = "/elsewhere/laion"
    OmegaConf.save(claimed, tmp_path / "config.yaml")
    run_folder.claim(tmp_path, moved)


def test_a_renamed_folder_says_where_to_write_its_new_name(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, config.compose("train", [*WORDS, "name=a"]))
    with pytest.raises(ValueError, match=r"renamed, write name: b into .*config\.yaml"):
        run_folder.claim(tmp_path, config.compose("train", [*WORDS, "name=b"]))


def test_settings_that_change_what_is_learnt_are_another_run(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, config.compose("train", WORDS))
    other = config.compose("train", [*WORDS[:1], "data.shards=/elsewhere/laion", "seed=1"])
    with pytest.raises(ValueError, match=r"seed is 0 there, 1 here.*Choose another name") as error:
        run_folder.claim(tmp_path, other)
    assert "only moved" not in str(error.value)
    clipped = config.compose("train", [*WORDS, "trainer.gradient_clip_val=0.001"])
    with pytest.raises(ValueError, match=r"trainer\.gradient_clip_val is 1\.0 there"):
        run_folder.claim(tmp_path, clipped)
    run_folder.claim(
        tmp_path, config.compose("train", [*WORDS, "stage.images=7", "data.workers=3"])
    )


def test_every_differing_setting_is_named_short_keys_first(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, config.compose("train", WORDS))
    other = config.compose("train", [*WORDS, "seed=3", "optimizer=adamw", "network.blocks=[1,1,1]"])
    with pytest.raises(ValueError, match=r"settings \(seed is 0 there, 3 here;") as error:
        run_folder.claim(tmp_path, other)
    for key in ("optimizer._target_", "optimizer.steps", "network.blocks"):
        assert key in str(error.value)
    assert "stage.seed" not in str(error.value), "a copy is no second difference"


def test_checkpoints_without_their_settings_are_claimed_by_nobody(tmp_path: Path) -> None:
    cfg = config.compose("train", WORDS)
    checkpoint.write({}, checkpoint.path(tmp_path, 64))
    with pytest.raises(InputError, match=r"has checkpoints but no config\.yaml.*Restore that file"):
        run_folder.claim(tmp_path, cfg)
    assert not (tmp_path / "config.yaml").exists()


def over(folder: Path, ending: BaseException) -> None:
    """A start that claims the folder, writes a row, and ends so."""
    with (
        pytest.raises(type(ending)),
        attempt(folder, config.compose("train", WORDS)) as claim,
    ):
        claim({"encoder": "t5"})
        (folder / "metrics.jsonl").write_text('{"images": 8, "train/loss": 1}\n')
        raise ending


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(1), InputError("Set x=1.")])
def test_a_start_that_is_over_without_a_checkpoint_claims_nothing(
    tmp_path: Path, ending: BaseException
) -> None:
    other = config.compose("train", [*WORDS, "seed=1"])
    over(tmp_path, ending)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(InputError), attempt(tmp_path, other):
        raise InputError("the next start is refused, and takes nothing from it")
    assert (tmp_path / "config.yaml").read_text() == before and (tmp_path / "text.json").exists()
    with attempt(tmp_path, other) as claim:
        claim({"encoder": "bert"})
    assert run_folder.read_config(tmp_path).seed == 1
    assert not run_folder.text_difference(tmp_path, {"encoder": "bert"})


@pytest.mark.parametrize("state", ["running", "preempted", "finished", "stopped", "failed"])
def test_a_run_that_can_go_on_keeps_its_claim(tmp_path: Path, state: str) -> None:
    over(tmp_path, KeyboardInterrupt())
    (tmp_path / "status.json").write_text(f'{{"state": "{state}"}}')
    if state in ("stopped", "failed"):
        checkpoint.write({}, checkpoint.path(tmp_path, 64))
    with (
        pytest.raises(InputError, match="belongs to a run with other settings"),
        attempt(tmp_path, config.compose("train", [*WORDS, "seed=1"])),
    ):
        pass


@pytest.mark.parametrize("damage", [b"", b"5", b"[1, 2]", b"a: [1", b"stage: 5", b"\xff\xfe\x00"])
def test_damaged_settings_are_said_to_be_damaged(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(damage)
    with pytest.raises(InputError, match=r"config\.yaml is damaged.*Restore it"):
        run_folder.read_config(tmp_path)
    with pytest.raises(InputError, match=r"config\.yaml is damaged.*Restore it"):
        run_folder.claim(tmp_path, config.compose("train", WORDS))


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe\x00"])
def test_a_damaged_status_stops_no_run_and_a_damaged_text_is_named(
    tmp_path: Path, damage: bytes
) -> None:
    for name in ("status.json", "text.json"):
        (tmp_path / name).write_bytes(damage)
    assert status.read(tmp_path) == {}
    with pytest.raises(InputError, match=r"text\.json is damaged"):
        run_folder.text_difference(tmp_path, {})


def test_lines_that_are_no_rows_are_passed_over(tmp_path: Path) -> None:
    lines = [b'{"images": 8, "train/loss": 1}', b"[1, 2]", b"5", b'{"x": 1}', b"\xff\x00", b'{"im']
    lines += [b'{"images": "x"}', b'{"images": NaN}', b'{"images": null}', b"[" * 100_000]
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join(lines))
    for _ in range(2):
        assert metrics.read(tmp_path) == [{"images": 8, "train/loss": 1}]
        metrics.rewind(tmp_path, 8)


def test_a_run_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    cfg = config.compose("train", ["stage=demo_sr"])
    OmegaConf.set_struct(cfg, False)
    cfg.stage.condition.up_to = 0.3
    OmegaConf.save(cfg, tmp_path / "config.yaml")
    with pytest.raises(InputError, match=r"up_to is not a parameter.*Train the run again"):
        run_folder.build(tmp_path, "stage.condition")


def test_settings_are_called_damaged_or_of_another_version_never_both(tmp_path: Path) -> None:
    damaged, other = tmp_path / "damaged", tmp_path / "other"
    for folder, text in ((damaged, "{["), (other, "stage: {images: 8}")):
        folder.mkdir()
        (folder / "config.yaml").write_text(text)
    for key in ("stage.condition", "data"):
        with pytest.raises(InputError, match="is damaged") as refused:
            run_folder.build(damaged, key)
        assert "another version" not in str(refused.value)
        with pytest.raises(
            InputError, match=rf"another version of .* It has no {key}\."
        ) as refused:
            run_folder.build(other, key)
        assert "damaged" not in str(refused.value)
