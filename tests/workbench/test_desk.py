"""What is drawn at the desk is what `sample` draws, whoever watches; and every image of the folder
can be drawn again."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import once
import pytest
import small_studio
import torch
from PIL import Image
from small_studio import PROMPT

from imagen_lit import sample
from imagen_lit.basics import pixels, png_metadata
from imagen_lit.cli import config
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.workbench.desk import Desk, Work
from imagen_lit.workbench.drawing import Drawing, Stopped
from imagen_lit.workbench.inpainting import Inpainting
from imagen_lit.workbench.request import Paint, Request


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once.copy(tmp_path_factory, "studio", small_studio.leave_cascade)


@pytest.fixture
def desk(runs: Path, tmp_path: Path) -> Iterator[Desk]:
    yield small_studio.desk(runs, tmp_path / "images")


def draw(desk: Desk, request: Request) -> Drawing:
    drawing, work = desk.begin(request)
    desk.draw(drawing, work)
    return drawing


def changed(desk: Desk, **settings: object) -> dict[str, dict[str, object]]:
    return {
        name: {**each, **(settings if name == "base" else {})} for name, each in desk.usual.items()
    }


@pytest.mark.parametrize("looks", [False, True])
def test_the_pixels_and_the_facts_are_those_of_sample(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """By the command that the page shows, of every stage, with and without anybody looking."""
    own = {"guidance.weight": 4.0, "threshold": "dynamic", "threshold.percentile": 98.5}
    own |= {"threshold.cap": None, "sampler": "ancestral", "sampler.gamma": 0.25}
    request = Request(PROMPT, 3, changed(desk, **own), looks)
    drawing = draw(desk, request)
    build, encoder = config.build, desk.encoder
    monkeypatch.setattr(config, "build", lambda n: encoder if "max_length" in n else build(n))
    words = shlex.split(drawing.events[0]["command"])
    assert words[:3] == ["python", "-m", "imagen_lit.sample"]
    sample.main(config.compose("sample", [*words[3:], f"out={tmp_path / 'sample'}"]))
    (entry,) = desk.history.entries()
    for stage, file in entry.stages.items():
        other = tmp_path / "sample" / stage / file.name
        assert np.array_equal(pixels.load_png(other), pixels.load_png(file))
        assert png_metadata.read(other) == png_metadata.read(file)


def test_an_image_of_the_history_is_drawn_again_bit_for_bit(desk: Desk) -> None:
    request = Request(PROMPT, 3, changed(desk, **{"guidance.weight": 5.0}))
    assert draw(desk, request).events[-1]["same"] is None
    (entry,) = desk.history.entries()
    content, weights = entry.file.read_bytes(), entry.facts["cascade"]["base"]["recipe"]
    drawing, work = desk.again(entry.number)
    assert work.node["base"]["recipe"] == weights
    desk.draw(drawing, work)
    assert drawing.events[-1] == {"kind": "done", "entry": entry.number, "same": True}
    assert entry.file.read_bytes() == content
    image = entry.image().copy()
    image[0, 0] ^= 1
    texts = png_metadata.texts({k: v for k, v in entry.facts.items() if k != "versions"}, PROMPT)
    pixels.save_png(Image.fromarray(image), entry.file, texts)
    drawing, work = desk.again(entry.number)
    desk.draw(drawing, work)
    assert drawing.events[-1]["same"] is False


def test_events_tell_each_evaluation_of_each_stage(desk: Desk) -> None:
    drawing = draw(desk, Request(PROMPT, 0, changed(desk, sampler="heun"), looks=True))
    seen = [each for each in drawing.events if each["kind"] == "estimate"]
    counts = [(each["stage"], each["number"], each["of"]) for each in seen]
    assert counts[:3] == [("base", n, 3) for n in (1, 2, 3)], "Heun asks twice but at the end"
    assert counts[3:] == [(name, n, 2) for name in ("sr", "sr2") for n in (1, 2)]
    (entry,) = desk.history.entries()
    for stage, file in entry.stages.items():
        hits = [each["hits"] for each in seen if each["stage"] == stage]
        assert hits == png_metadata.read(file)["threshold_hits"]
    assert all((each["norm"] is not None) == (each["stage"] == "base") for each in seen)
    assert all(len(each["attention"]) == len(PROMPT.split()) for each in seen)


def inpainting(desk: Desk, times: int = 1) -> Inpainting:
    draw(desk, Request(PROMPT, 0, desk.usual))
    hole = np.zeros((desk.size, desk.size), np.uint8)
    hole[70:150, 33:90] = 255
    return Inpainting(desk.history.entries()[0].image(), hole, Jumps(1, times))


def test_around_the_hole_a_picture_stays_to_the_last_grey_level(desk: Desk) -> None:
    part = inpainting(desk, times=2)
    number = desk.history.entries()[0].number
    request = Request("a blue square", 5, desk.usual, paint=Paint(number, part.hole, 2))
    drawing = draw(desk, request)
    assert sum(each["kind"] == "estimate" for each in drawing.events) == 3 * 3
    entry = desk.history.entries()[0]
    is_given = part.hole == 0
    assert np.array_equal(entry.image()[is_given], part.picture[is_given])
    assert not np.array_equal(entry.image()[~is_given], part.picture[~is_given])
    assert entry.facts["edit"] == part.facts()
    again, work = desk.again(entry.number)
    desk.draw(again, work)
    assert again.events[-1]["same"] is True


def test_a_drawing_stops_between_two_evaluations(desk: Desk) -> None:
    drawing, work = desk.begin(Request(PROMPT, 0, desk.usual))
    add = drawing.add

    def add_and_stop(kind: str, **facts: object) -> None:
        add(kind, **facts)
        drawing.is_unwanted = kind == "image"

    drawing.add = add_and_stop  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        desk.draw(drawing, work)
    assert [each["kind"] for each in drawing.events[-2:]] == ["estimate", "image"]
    assert desk.history.entries() == [], "what is not finished is not shown"
    assert draw(desk, Request(PROMPT, 0, desk.usual)).events[-1]["kind"] == "done"


def test_images_of_other_weights_and_encoders_are_seen_and_not_drawn_again(desk: Desk) -> None:
    draw(desk, Request(PROMPT, 0, desk.usual))
    (entry,) = desk.history.entries()
    assert desk.difference(entry) == ""
    facts = dict(entry.facts)
    base = {**facts["cascade"]["base"], "digest": "another"}
    others = {
        "other weights of stage base": {"cascade": {**facts["cascade"], "base": base}},
        "another text encoder": {"text": {"encoder": "t5_xxl"}},
        "from its start": {"start": "0123"},
        "drawn by the stages x": {"cascade": {"x": base}},
    }
    for words, change in others.items():
        assert words in desk.difference(replace(entry, facts={**facts, **change}))
    strange = {
        **base,
        "digest": desk.weights["base"]["digest"],
        "recipe": {"_target_": "os.system"},
    }
    change = {"cascade": {**facts["cascade"], "base": strange}}
    assert "its recipe is not one" in desk.difference(replace(entry, facts={**facts, **change}))


def test_a_prompt_that_is_cut_says_what_is_lost(desk: Desk) -> None:
    drawing, _ = desk.begin(Request("a red circle above two green squares and more", 0, desk.usual))
    assert "This is lost: “more”" in drawing.events[0]["notes"][0]


def test_a_desk_forgets_no_setting_between_two_drawings(desk: Desk) -> None:
    """The stages are shared: the recipe of one drawing is not that of the next."""
    one, other = Request(PROMPT, 0, desk.usual), Request(PROMPT, 0, changed(desk, steps=3))
    first, second = desk.begin(one), desk.begin(other)
    desk.draw(*first)
    desk.draw(*second)
    desk.draw(*desk.begin(one))
    counts = [len(draw(desk, each).events) for each in (one, other)]
    assert counts == [len(first[0].events), len(second[0].events)]
    assert counts[1] == counts[0] + 1


def test_work_is_what_the_request_says(desk: Desk) -> None:
    _, work = desk.begin(Request(PROMPT, 0, changed(desk, steps=7)))
    assert isinstance(work, Work) and work.recipes()["base"].steps == 7
    assert torch.is_grad_enabled()
