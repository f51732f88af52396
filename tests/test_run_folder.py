"""A run folder is claimed by its settings, and says what to do when others come."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from imagen_lit import door, run_folder

WORDS = ["data=shards", "data.shards=datasets/laion"]


def test_where_only_files_have_moved_the_run_need_not_be_given_up(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, door.compose("train", WORDS))
    moved = door.compose("train", ["data=shards", "data.shards=/elsewhere/laion"])
    with pytest.raises(ValueError, match=r"only lie elsewhere now, write that into .*config\.yaml"):
        run_folder.claim(tmp_path, moved)
    claimed = OmegaConf.load(tmp_path / "config.yaml")
    claimed.data.shards = "/elsewhere/laion"
    OmegaConf.save(claimed, tmp_path / "config.yaml")
    run_folder.claim(tmp_path, moved)


def test_a_folder_that_was_renamed_says_how_it_is_told_its_name(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, door.compose("train", [*WORDS, "name=a"]))
    with pytest.raises(ValueError, match=r"renamed, write name: b into .*config\.yaml"):
        run_folder.claim(tmp_path, door.compose("train", [*WORDS, "name=b"]))


def test_what_is_learnt_otherwise_is_another_run(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, door.compose("train", WORDS))
    other = door.compose("train", [*WORDS[:1], "data.shards=/elsewhere/laion", "seed=1"])
    with pytest.raises(ValueError, match=r"seed is 0 there, 1 now.*choose another name") as error:
        run_folder.claim(tmp_path, other)
    assert "elsewhere now" not in str(error.value)
    clipped = door.compose("train", [*WORDS, "trainer.gradient_clip_val=0.001"])
    with pytest.raises(ValueError, match=r"trainer\.gradient_clip_val is 1\.0 there"):
        run_folder.claim(tmp_path, clipped)
    run_folder.claim(tmp_path, door.compose("train", [*WORDS, "stage.images=7", "data.workers=3"]))


def test_every_setting_that_differs_is_named_the_typed_ones_first(tmp_path: Path) -> None:
    run_folder.claim(tmp_path, door.compose("train", WORDS))
    other = door.compose("train", [*WORDS, "seed=3", "optimizer=adamw", "network.blocks=[1,1,1]"])
    with pytest.raises(ValueError, match=r"settings \(seed is 0 there, 3 now;") as error:
        run_folder.claim(tmp_path, other)
    for key in ("optimizer._target_", "optimizer.steps", "network.blocks", "stage.seed"):
        assert key in str(error.value)
