"""diffusers opens what `export format=diffusers` wrote, and draws the same picture."""

from pathlib import Path

import numpy as np
import pytest
from exported_cascades import leave_export

from imagen_lit.cascade.cascade import Cascade


def test_diffusers_draws_the_same_picture(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    leave_export(tmp_path, "format=diffusers")
    folder = tmp_path / "exported"
    ours = Cascade.load(folder / "cascade")(["a red circle"], seed=2, images=2)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(
        folder, custom_pipeline=str(folder / "pipeline.py"), trust_remote_code=True
    )
    theirs = pipeline.to("cpu")("a red circle", seed=2, num_images_per_prompt=2).images
    assert len(theirs) == 2
    for here, there in zip(ours, theirs, strict=True):
        difference = np.asarray(here, int) - np.asarray(there, int)
        assert np.asarray(here).std() > 1 and abs(difference).max() <= 1
