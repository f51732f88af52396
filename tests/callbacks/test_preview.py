"""What a preview leaves behind: a sheet, and scores only where there is an exact judge."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from lightning import Trainer
from PIL import Image
from sheet_tile import sheet_tile
from tiny_world import WIDTH, add_text, sample
from torch import Tensor
from toy_sample import ToyExtractor

from imagen_lit.basics.captioned_grid import GAP
from imagen_lit.basics.progress_line import ProgressLine
from imagen_lit.callbacks.preview import Preview
from imagen_lit.cli import config
from imagen_lit.data.loader import Data
from imagen_lit.data.prompts.captions import Captions
from imagen_lit.data.prompts.file import TextFile
from imagen_lit.data.prompts.prompt_sheet import EDGE
from imagen_lit.data.prompts.shapes import HeldOutPrompts
from imagen_lit.data.shard_files import shard
from imagen_lit.data.source.shapes import Shapes
from imagen_lit.image_set.shapes import HeldOutScenes
from imagen_lit.metrics.contrast import Contrast
from imagen_lit.metrics.kid import KID
from imagen_lit.run import metrics
from imagen_lit.run.jsonl_logger import JsonlLogger
from imagen_lit.stage.condition import Condition

TINY = [f"text.width={WIDTH}", "stage.images=16"]


class Encoder:
    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        return torch.ones(len(captions), 3, WIDTH), torch.ones(len(captions), 3, dtype=torch.bool)


def train(shards: Path, run: Path, source: Any, *words: str, **measured: Any) -> None:
    cfg = config.compose("train", [*TINY, *words])
    cfg.callbacks.preview.recipe.steps = 2 if measured else 1  # 1: all images are alike
    stage, recipe = config.build(cfg.stage), config.build(cfg.callbacks.preview.recipe)
    preview = Preview(source, Encoder(), recipe, 16, 8, str(run), **measured)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=-1,
        limit_val_batches=0,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=JsonlLogger(str(run)),
        callbacks=[preview],
    )
    trainer.fit(stage, datamodule=Data(str(shards), "fake", 16, 8, validation=4))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    shard.write(tmp_path / "own/00000.tar", [sample(number) for number in range(24)])
    add_text(tmp_path / "own")
    return tmp_path / "own"


def previews(run: Path) -> list[dict[str, Any]]:
    return [row for row in metrics.read(run) if "preview" in row]


def test_previews_are_measured_as_an_evaluation_is_and_say_what_they_cost(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = {"contrast": Contrast(), "kid": KID(ToyExtractor(), 2, 4, 0)}
    reference, features = HeldOutScenes(6, 16), tmp_path / "kept"
    given = {"metrics": measured, "reference": reference, "feature_folder": str(features)}
    train(own, tmp_path / "run", Captions(4), **given)
    rows = previews(tmp_path / "run")
    assert [row["images"] for row in rows] == [8, 16]
    for row in rows:
        value, low, high = row["score/kid"]
        assert low <= value <= high and 0 < row["speed/preview_share"] < 1
        assert {"score/luminance_range", "score/near_white"} <= row.keys()
        assert row["protocols"].keys() == {key for key in row if key.startswith("score/")}
    assert len(list((features / "features").iterdir())) == 1, "those of the reference alone"
    assert re.search(r"previews and their scores took \d+% of the time", capsys.readouterr().out)


def test_previews_of_captions_have_the_true_images_below_and_no_score(
    own: Path, tmp_path: Path
) -> None:
    train(own, tmp_path / "run", Captions(4))
    rows = previews(tmp_path / "run")
    assert [row["images"] for row in rows] == [8, 16]
    assert not any(key.startswith("score/") for row in rows for key in row)
    sheet = Image.open(tmp_path / "run" / rows[-1]["preview"])
    data = Data(str(own), "fake", 16, 8, validation=4)
    for number, truth in enumerate(Captions(4).of(data).true_images(16)):
        below = np.asarray(
            sheet_tile(sheet, number, EDGE, 1).resize((16, 16), Image.Resampling.BOX)
        )
        assert np.array_equal(below, truth)


def test_previews_of_a_file_are_its_prompts_alone(own: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a cat\na dog\n")
    train(own, tmp_path / "run", TextFile(str(tmp_path / "prompts.txt")))
    row = previews(tmp_path / "run")[-1]
    assert set(row) == {"images", "preview", "speed/preview_share"}
    assert Image.open(tmp_path / "run" / row["preview"]).width == 2 * EDGE + 3 * GAP


def test_previews_of_the_shapes_world_are_scored(tmp_path: Path) -> None:
    world = Shapes(24, 32, 0)
    shard.write(tmp_path / "world/00000.tar", [world[number] for number in range(24)])
    add_text(tmp_path / "world")
    rows = {count: _alignment(tmp_path, count) for count in (4, 6)}
    assert all(row["score/alignment_all"] for row in rows.values())
    codes = [row["protocols"]["score/alignment_all"] for row in rows.values()]
    assert codes[0] != codes[1], "other prompts are another protocol"


def _alignment(home: Path, count: int) -> dict[str, Any]:
    train(home / "world", home / f"run_{count}", HeldOutPrompts(count))
    return previews(home / f"run_{count}")[-1]


def test_a_stage_that_needs_a_smaller_image_has_no_previews(own: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"enlarges a smaller image\. Set callbacks=default"):
        train(own, tmp_path / "run", Captions(4), "stage=demo_sr", "callbacks=preview")


def test_the_line_says_at_which_step_a_preview_is(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ProgressLine(every=0.0)
    line.show("12/16 images", last=False)
    try:
        train(own, tmp_path / "run", Captions(4))
    finally:
        ProgressLine.current = None
    assert "12/16 images, drawing previews, step 1/1\n" in capsys.readouterr().err


class Echo:
    """A recipe that draws each image's seed and text."""

    steps = 1

    def draw(self, ema: Any, condition: Condition, seeds: list[int], size: int, _: Any) -> Tensor:
        return torch.tensor(seeds)[:, None] * 100 + condition.text[:, 0]


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_ranks_share_the_drawing_and_each_image_is_where_it_was(tmp_path: Path, ranks: int) -> None:
    preview = Preview(Captions(4), Encoder(), cast(Any, Echo()), 16, 8, str(tmp_path))
    preview._condition = Condition(torch.arange(5.0)[:, None, None], torch.ones(5, 1).bool())
    shares: list[Tensor] = []

    def all_gather(share: Tensor) -> Tensor:
        shares.append(share)
        return torch.stack(shares)

    for rank in range(ranks):
        trainer = SimpleNamespace(world_size=ranks, global_rank=rank)
        stage = SimpleNamespace(ema=None, all_gather=all_gather)
        x = preview._draw(cast(Any, trainer), stage, [7, 8, 9, 10, 11])
    assert len({len(share) for share in shares}) <= 1, "they call a sharded network as often"
    assert x.flatten().tolist() == [700, 801, 902, 1003, 1104]
