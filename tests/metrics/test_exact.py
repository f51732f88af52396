"""The exact reader as a metric: of any images whose captions are of the shapes world."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagen_lit import evaluate as command
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.evaluation.confidence_interval import wilson
from imagen_lit.image_set.shapes import HeldOutScenes
from imagen_lit.image_set.shown_captions import are_shown

HOLDER = """
import sys
from pathlib import Path
from imagen_lit.basics.process_share import finishing
with finishing(Path(sys.argv[1])) as is_first:
    print(is_first, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Ten scenes, of which four have the caption of another."""
    folder, world = tmp_path / "scenes", HeldOutScenes(10, 32)
    folder.mkdir()
    captions = list(world.prompts)
    captions[:4] = captions[1:4] + captions[:1]
    for number, text in enumerate(captions):
        Image.fromarray(world.image(number)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(text)
    return folder


def words(scenes: Path, *more: str) -> list[str]:
    place = [f"images.path={scenes}", f"runs={scenes.parent}", "name=scores"]
    return ["image_set@images=folder", "metrics=[exact]", *place, *more]


def evaluated(scenes: Path, *more: str) -> None:
    command.main(config.compose("evaluate", words(scenes, *more)))


def test_a_folder_of_images_is_read_exactly(
    scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(scenes)
    content = json.loads((scenes.parent / "scores/scores.json").read_text())
    (row,) = content["scores"]
    assert (row["metric"], row["value"], row["n"]) == ("exact", 0.6, 10)
    assert tuple(row["interval"]) == wilson(6, 10) and row["method"] == "Wilson over 10 images"
    assert "images exact 0.60 [0.31, 0.83]" in capsys.readouterr().out


def test_only_what_is_measured_now_is_printed(
    scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(scenes)
    capsys.readouterr()
    evaluated(scenes, "metrics=[colour]")
    text = capsys.readouterr().out
    assert "chroma" in text and "exact" not in text
    assert "1 score of earlier starts in scores.json too" in text


def test_captions_of_another_world_are_refused(scenes: Path) -> None:
    (scenes / "3.txt").write_text("a dog on a sofa")
    with pytest.raises(InputError, match=r"1 of 10 are others, the first 'a dog on a sofa'\. Leav"):
        evaluated(scenes)


def test_several_processes_give_the_scores_of_one_and_the_other_one_says_so(
    scenes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = "metrics=[exact,contrast,colour]"
    evaluated(scenes, chosen)
    alone = (scenes.parent / "scores/scores.json").read_bytes()
    capsys.readouterr()
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", "0")
        evaluated(scenes, chosen, "name=shared", f"feature_folder={scenes.parent / 'shared'}")
    assert (scenes.parent / "shared/scores.json").read_bytes() == alone
    capsys.readouterr()
    folder = scenes.parent / "held"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder / ".results.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:  # another process that writes the scores
        assert holder.stdout is not None and holder.stdout.readline() == b"True\n"
        evaluated(scenes, chosen, "name=held")
        holder.communicate()
    assert capsys.readouterr().out == "another process writes the scores\n"
    assert not (folder / "scores.json").exists()


def test_scenes_drawn_at_any_size_are_all_read() -> None:
    assert np.mean(are_shown(HeldOutScenes(20, 64))) == 1
