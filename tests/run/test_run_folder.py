"""A run folder is claimed by its settings, and says what to do when others come."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.run import run_folder

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


def test_a_run_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    cfg = config.compose("train", ["stage=demo_sr"])
    OmegaConf.set_struct(cfg, False)
    cfg.stage.condition.up_to = cfg.stage.condition.pop("max_aug_level")
    OmegaConf.save(cfg, tmp_path / "config.yaml")
    with pytest.raises(InputError, match=r"up_to is not a parameter.*Train the run again"):
        run_folder.build(tmp_path, "stage.condition")
