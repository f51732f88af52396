"""What an evaluation lacks is said before torch is imported; what is there is not refused."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets, config, evaluation_needs

IMAGES = ["image_set@images=folder", "images.path={0}"]


def package(file: Path) -> str:
    """Under which name a metric's file is among the metrics: kid_few is kid of other subsets."""
    return file.read_text().splitlines()[0].removeprefix("# @package metrics.")


def test_the_metrics_that_compare_are_those_whose_class_says_so() -> None:
    classes = {
        package(file): get_class(OmegaConf.load(file)._target_)
        for file in (Path(assets.conf()) / "metrics").glob("*.yaml")
    }
    comparing = {name for name, kind in classes.items() if kind.against == "reference"}
    assert comparing == set(evaluation_needs.COMPARING)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["metrics=[contrast,kid]"], r"kid compares with a reference, and there is none\. Set im"),
        (["metrics=[fd,kid]", "image_set@reference=statistics", "reference.path={0}/empty.txt"],
         r"kid compares .* one by one.*Set image_set@reference=folder.*measure fd"),
        (["~cascade.base", "~cascade.sr", "~cascade.sr2", "data/prompts=drawbench"],
         r"none is named\. Set prompts\.path=\.\.\. to the sheet of DrawBench as \.csv"),
        (["runs={0}"], r"there is no run in .*demo/base, with which stage 'base' draws\. Train"),
        (["image_set@images=folder", "images.path={0}/gone"], r"no .*gone\. Set images\.path="),
        (["~cascade.base", "~cascade.sr", "~cascade.sr2", "data/prompts=file",
          "prompts.path={0}/empty.txt"], r"empty\.txt is empty: it holds no prompts\. Write"),
        ([*IMAGES, "metrics=[clip_score]", "text_features.path={0}/gone"],
         r"clip_score looks at images are not there.*gone\. Make them with: python -m"),
        ([*IMAGES, "metrics=[kid]", "image_set@reference=shapes", "features.path={0}/gone"],
         r"kid looks .* Make them with: python -m imagen_lit\.fetch weights=efficientnet_lite0\."),
        ([*IMAGES, "metrics=[fd]", "image_set@reference=shapes", "features=inception",
          "features.path={0}/gone"], r"fd looks .* Make them with: gh release download"),
        ([*IMAGES, "metrics=[kid]", "image_set@reference=shapes", "features.path={0}/gone",
          "~features.make_command"], r"kid looks .* Set features\.path=\.\.\. to them\."),
    ],
)  # fmt: skip
def test_what_is_lacking_is_named(tmp_path: Path, words: list[str], sentence: str) -> None:
    (tmp_path / "empty.txt").touch()
    cfg = config.compose("evaluate", [word.format(tmp_path) for word in words])
    with pytest.raises(InputError, match=sentence):
        evaluation_needs.refuse_lack(cfg)


def test_what_is_there_is_not_refused(tmp_path: Path) -> None:
    words = [word.format(tmp_path) for word in IMAGES]
    evaluation_needs.refuse_lack(config.compose("evaluate", words))
    evaluation_needs.refuse_lack(config.compose("evaluate", [*words, "metrics=[exact]"]))


def test_it_is_said_before_torch_is_imported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imagen_lit.evaluate", f"runs={tmp_path}"],
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and "error: there is no run in" in done.stderr
    assert not re.search(r"\| +(torch|numpy)$", done.stderr, re.MULTILINE)
