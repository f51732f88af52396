"""A comment in `conf/` says whose choice a value is; a key has no comment but its own."""

from pathlib import Path

import pytest

from imagen_lit.paper import conf_file, source
from imagen_lit.paper.source import Choice


@pytest.mark.parametrize(
    ("comment", "choice", "places"),
    [
        ("F.1", Choice.PAPER, ("F.1",)),
        ("2.5 million updates of 2048 (§ 4.1)", Choice.PAPER, ("§ 4.1",)),
        ("10,000 updates, linear (F)", Choice.PAPER, ("App. F",)),
        ("F.2; F.3 prints none", Choice.PAPER, ("F.2", "F.3")),
        ("8 of them are twice 1024: hidden 2C (Fig. A.28)", Choice.PAPER, ("Fig. A.28",)),
        ("optax (F.1): added to squares", Choice.PAPER, ("F.1",)),
        ("§ 2.4: levels from 0 to 1; one per image is ours", Choice.PAPER, ("§ 2.4",)),
        ("4 times embed_dim (ADM)", Choice.WORK, ()),
        ("The squared error of the velocity (Salimans & Ho 2022, § 4)", Choice.WORK, ()),
        ("how others read Fig. A.30", Choice.WORK, ("Fig. A.30",)),
        ("ours: F.3 prints 2, 4, 8, 8", Choice.OURS, ("F.3",)),
        ("largest norm of a gradient; ours: the paper names none", Choice.OURS, ()),
        ("ours, as Fig. A.10; the paper names none", Choice.OURS, ("Fig. A.10",)),
        ("last share of the images, of theirs and hours", Choice.UNKNOWN, ()),
        ("A U-Net, 4.5 times as wide", Choice.UNKNOWN, ()),
        ("", Choice.UNKNOWN, ()),
    ],
)
def test_a_comment_names_its_source(comment: str, choice: Choice, places: tuple[str, ...]) -> None:
    assert (source.read(comment).choice, source.read(comment).places) == (choice, places)


def test_ours_gives_the_reason() -> None:
    assert source.read("norm; ours: the paper names none.").reason == "the paper names none"


CONF = """\
# @package _global_
# A stage.
defaults:
  - base
  - override /network: unet   # § 4.1
name: "a # no comment"   # of the run
data:   # § 4.1
  size: 64
  crop: null   # § 2.5
it's: 'x'   # ours: with an apostrophe
stage:
  # ours: said above
  # in two lines
  drop: 0.1
  condition: {share: 0.2, low: {edge: 3}}   # F.1
"""


@pytest.fixture
def read(tmp_path: Path) -> conf_file.ConfFile:
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "mine.yaml").write_text(CONF)
    return conf_file.read(tmp_path, "stage/mine")


def test_a_key_has_the_comment_of_its_line_or_above_it(read: conf_file.ConfFile) -> None:
    assert {key: comment for key, comment in read.comments.items() if comment} == {
        "name": "of the run",
        "data": "§ 4.1",
        "data.crop": "§ 2.5",
        "it's": "ours: with an apostrophe",
        "stage.drop": "ours: said above in two lines",
        "stage.condition": "F.1",
        "stage.condition.share": "F.1",
        "stage.condition.low": "F.1",
        "stage.condition.low.edge": "F.1",
    }
    assert read.comments["data.size"] == "", "a new key below a sourced one is without a source"


def test_a_choice_has_the_comment_of_its_line(read: conf_file.ConfFile) -> None:
    assert read.choices == {"network": ("network/unet", "§ 4.1")} and read.base == ("base",)


@pytest.mark.parametrize(
    ("slot", "place"),
    [
        ("/diffusion/schedule@schedule", "stage.mine.schedule"),
        ("/data/prompts@_global_.data.prompts", "data.prompts"),
        ("conditioning", "stage.conditioning"),
        ("override /network", "network"),
    ],
)
def test_a_choice_is_filed_where_it_is_put(tmp_path: Path, slot: str, place: str) -> None:
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "one.yaml").write_text(f"defaults:\n  - {slot}: a   # F.1\n")
    file = conf_file.read(tmp_path, "stage/one", "stage.mine")
    assert [*file.choices] == [place]


def test_an_option_of_a_group_is_keyed_as_people_type(tmp_path: Path) -> None:
    (tmp_path / "diffusion" / "schedule").mkdir(parents=True)
    file = tmp_path / "diffusion" / "schedule" / "cosine.yaml"
    file.write_text("# Nichol & Dhariwal 2021.\n_target_: a.Cosine\noffset: 0.008  # F.1\n")
    comments = conf_file.read(tmp_path, "diffusion/schedule/cosine").comments
    assert comments == {
        "diffusion.schedule._target_": "Nichol & Dhariwal 2021.",
        "diffusion.schedule.offset": "F.1",
    }
