"""The same command resumes a run that an earlier version began, unless it asks for another."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.run import checkpoint, provenance, run_folder
from imagen_lit.stage.augmentation import GaussianNoise
from imagen_lit.stage.null_text import MaskedZeros


@pytest.mark.parametrize("stage", ["demo_base", "demo_sr"])
def test_the_same_command_resumes_an_earlier_run(tmp_path: Path, stage: str) -> None:
    cfg = config.compose("train", [f"stage={stage}"])
    earlier = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))
    condition = earlier.stage.condition
    del condition["null_text"], earlier.data["kernel"]
    if stage == "demo_sr":
        noise = condition.pop("augmentation")
        del condition["kernel"]
        del noise.schedule["offset"]
        condition.schedule, condition.max_aug_level = noise.schedule, noise.max_aug_level
    OmegaConf.save(earlier, tmp_path / "config.yaml")
    checkpoint.write({"state_dict": {"x": torch.zeros(1)}}, checkpoint.path(tmp_path, 64))
    run_folder.refuse_other_settings(tmp_path, cfg)
    built = run_folder.build(tmp_path, "stage.condition")
    assert isinstance(built.null_text, MaskedZeros)
    words = ["stage/null_text@stage.condition.null_text=learned"]
    if stage == "demo_sr":
        assert isinstance(built.augmentation, GaussianNoise) and built.kernel == "box"
        assert built.augmentation.max_aug_level == 0.3
        words = ["stage/augmentation@stage.condition.augmentation=blur"]
    other = config.compose("train", [f"stage={stage}", *words])
    key = "augmentation" if stage == "demo_sr" else "null_text"
    with pytest.raises(InputError, match=rf"other settings .*stage\.condition\.{key}\._target_"):
        run_folder.refuse_other_settings(tmp_path, other)
    with pytest.raises(InputError, match=r"data\.kernel is 'bicubic' there, 'box' here"):
        again = config.compose("train", [f"stage={stage}", "data.kernel=box"])
        run_folder.refuse_other_settings(tmp_path, again)


def test_an_evaluation_goes_on_wherever_a_version_has_the_class_of_its_stages(
    tmp_path: Path,
) -> None:
    def drawn(place: str, steps: int = 8) -> dict[str, Any]:
        stage = {"_target_": f"imagen_lit.cascade.{place}.TrainedStage", "recipe": {"steps": steps}}
        weights = {"base": {"digest": "abc", "images_seen": 64}}
        return provenance.describe(weights, {"encoder": "t5"}, {"cascade": {"base": stage}})

    provenance.claim(tmp_path, drawn("cascade"), [])
    (tmp_path / "results.jsonl").write_text("{}\n")
    provenance.refuse_other_request(tmp_path, drawn("trained_stage"))
    with pytest.raises(InputError, match="steps"):
        provenance.refuse_other_request(tmp_path, drawn("trained_stage", steps=9))
