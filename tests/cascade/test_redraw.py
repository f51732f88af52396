"""A picture is drawn again to the bit from its own file, however it was drawn; and what cannot be
is refused in a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import Encoder, leave_run

from imagen_lit import sample
from imagen_lit.basics import image_format, png_metadata
from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.cascade import redraw, redrawing
from imagen_lit.cli import config

FAST = ["cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=1", "~cascade.sr2"]
PROMPTS = "prompts=[a red circle, two pink crosses, a blue square]"
BASE = "a-red-circle_seed0"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    leave_run(runs, "base", images=64, seed=1)
    for name in ("base", "sr"):
        leave_run(runs, name, images=128)
    return runs


@pytest.fixture
def draw(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))

    def run(out: str, *words: str) -> Path:
        folder = tmp_path / out
        sample.main(config.compose("sample", [f"runs={runs}", f"out={folder}", *FAST, *words]))
        return folder

    return run


@pytest.fixture
def again(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(picture: Path, *words: str) -> str:
        capsys.readouterr()
        sample.main(config.compose("sample", [f"runs={runs}", f"from={picture}", *words]))
        return capsys.readouterr().out

    return run


def test_a_picture_is_drawn_again_whatever_was_drawn_beside_it(
    draw: Any, again: Any, tmp_path: Path
) -> None:
    """As one row of four, of one, from a folder, on one of two ranks, with any reference."""
    pictures = [draw("four", PROMPTS) / f"sr/{BASE}.png"]
    pictures += [draw("one", "prompts=a red circle", "format=webp") / f"sr/{BASE}.webp"]
    pictures += [draw("rest", "prompts=a red circle", f"start_from={tmp_path}/four")]
    pictures[2] = pictures[2] / f"sr/{BASE}.png"
    reference = ["cascade.base.negative=blue", "cascade.base.guide.images=64", "format=jpeg"]
    reference += ["cascade.sr.recipe.guidance.weight=2", "cascade.sr.prompt='oil {prompt}'"]
    pictures += [draw("reference", PROMPTS, *reference) / f"sr/{BASE}.jpg"]
    pictures += [tmp_path / f"four/base/{BASE}.png"]
    for place, picture in enumerate(pictures):
        assert "drawn again, all " in again(picture, f"out={tmp_path}/again{place}")
        new = tmp_path / f"again{place}" / picture.name
        assert new.read_bytes() == picture.read_bytes()
    known = [png_metadata.read(each) for each in pictures]
    assert [each["rounding"]["sr"]["images"] for each in known[:4]] == [4, 1, 1, 4]
    assert known[2]["rounding"]["base"]["images"] == 4
    assert known[3]["cascade"]["base"]["guide"]["images_seen"] == 64


def test_the_threads_of_the_drawing_are_those_of_the_file(
    draw: Any, again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = draw("one", "prompts=a red circle") / f"sr/{BASE}.png"
    facts = png_metadata.read(picture)
    for stage in facts["rounding"].values():
        stage["threads"] = 3
    image = Image.fromarray(image_format.load(picture))
    image_format.save(image, picture, png_metadata.texts(facts, ""))
    before, counts = torch.get_num_threads(), []
    monkeypatch.setattr(torch, "set_num_threads", counts.append)
    again(picture)
    assert counts == [3, before, 3, before]


def test_a_picture_that_was_changed_is_not_called_the_same(draw: Any, again: Any) -> None:
    picture = draw("one", "prompts=a red circle") / f"base/{BASE}.png"
    facts, image = png_metadata.read(picture), image_format.load(picture).copy()
    image[3, 4] ^= 2
    image_format.save(Image.fromarray(image), picture, png_metadata.texts(facts, ""))
    with pytest.raises(RunError, match=r"0\.39% of its pixels differ, by 2 grey levels at most"):
        again(picture)


def test_weights_are_found_wherever_they_are_and_others_are_refused(
    draw: Any, again: Any, runs: Path, tmp_path: Path
) -> None:
    picture = draw("one", "prompts=a red circle", "stop_after=base") / f"base/{BASE}.png"
    moved = tmp_path / "elsewhere"
    runs.rename(moved)
    try:
        with pytest.raises(InputError, match=r"not there, nor are they below .*Set runs="):
            again(picture)
        assert "all 256 pixels" in again(picture, f"runs={moved}")
    finally:
        moved.rename(runs)
    leave_run(tmp_path / "new", "base", images=128, seed=2)
    facts = png_metadata.read(picture)
    facts["cascade"]["base"]["run"] = str(tmp_path / "new/demo/base")
    image = Image.fromarray(image_format.load(picture))
    image_format.save(image, picture, png_metadata.texts(facts, ""))
    with pytest.raises(InputError, match=r"has other weights after so many images"):
        again(picture, f"runs={tmp_path}/new")
    assert "all 256 pixels" in again(picture), "the run of another name that has these weights"


def test_what_is_no_picture_of_ours_is_refused_in_a_sentence(
    draw: Any, again: Any, tmp_path: Path
) -> None:
    folder = draw("one", "prompts=a red circle", "stop_after=base")
    picture = folder / f"base/{BASE}.png"
    facts, image = png_metadata.read(picture), Image.fromarray(image_format.load(picture))
    image.save(tmp_path / "foreign.png")

    def changed(name: str, **more: Any) -> str:
        image_format.save(image, tmp_path / name, png_metadata.texts(facts | more, ""))
        return name

    stage = facts["cascade"]["base"]
    evil = stage | {"recipe": {"_target_": "imagen_lit.run.lock.anything"}}
    refusals = {
        "none.png": r"there is no such file\. Set from=",
        "foreign.png": r"does not say what drew it: .*Set from=",
        "one/sheet.png": r"is no single picture: .*Set from=",
        changed("a.png", strange="4f2a"): r"file does not hold its strange\. Draw it again by",
        changed("d.png", start="4f2a"): r"an image that its file does not name.*Draw it again by",
        changed("e.png", seed="x"): r"does not say from which seed",
        changed("f.png", between=[1]): r"does not say between which prompts",
        changed("b.png", cascade={"base": {}}): r"is damaged: .* stage 'base' was\. Set from=",
        changed(
            "c.png", cascade={"base": evil}
        ): r"names imagen_lit\.run\.lock\.anything, which is",
    }
    for name, message in refusals.items():
        with pytest.raises(InputError, match=message):
            again(tmp_path / name)
    with pytest.raises(InputError, match=r"holds the picture itself\. Set out="):
        again(picture, f"out={picture.parent}")
    redrawing.refuse_other_settings(
        ["from=a.png", "runs=x", "text=t5_nano", "text.path=y", "out=b"]
    )
    for word in ("seed=3", "+preset=fast", "cascade.base.recipe.steps=9", "~cascade.sr"):
        with pytest.raises(InputError, match=r"beside from=.*Leave it out"):
            redrawing.refuse_other_settings(["from=a.png", word])


def test_a_difference_counts_pixels_and_names_the_largest() -> None:
    one = np.zeros((4, 5, 3), np.uint8)
    other = one.copy()
    assert redraw.difference(one, other) == ""
    other[0, 0], other[1, 1, 2] = (1, 0, 0), 7
    assert redraw.difference(one, other) == "10.00% of its pixels differ, by 7 grey levels at most"
    assert "rows of pixels" in redraw.difference(one, one[:2])
