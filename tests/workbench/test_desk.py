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
from tiny_run import leave_run

from imagen_lit import edit, interpolate, sample
from imagen_lit.basics import pixels, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.workbench.desk import Desk, Work
from imagen_lit.workbench.drawing import Drawing, Stopped
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


def hole(desk: Desk) -> np.ndarray:
    painted = np.zeros((desk.size, desk.size), np.uint8)
    painted[70:150, 33:90] = 255
    return painted


def test_around_the_hole_a_picture_stays_to_the_last_grey_level(desk: Desk) -> None:
    draw(desk, Request(PROMPT, 0, desk.usual))
    below = desk.history.entries()[0]
    paint = Paint(below.number, hole(desk), 2)
    drawing = draw(desk, Request("a blue square", 5, desk.usual, paint=paint))
    assert sum(each["kind"] == "estimate" for each in drawing.events) == 3 * 3
    entry = desk.history.entries()[0]
    is_given = paint.hole == 0
    assert np.array_equal(entry.image()[is_given], below.image()[is_given])
    assert not np.array_equal(entry.image()[~is_given], below.image()[~is_given])
    assert entry.facts["edit"]["settings"]["jumps"]["times"] == 2
    again, work = desk.again(entry.number)
    desk.draw(again, work)
    assert again.events[-1]["same"] is True


def test_a_painted_image_is_the_one_that_edit_draws_and_draws_again(
    desk: Desk, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels and facts, and at each stage: one concept, whoever asks for it."""
    draw(desk, Request(PROMPT, 0, desk.usual))
    paint = Paint(desk.history.entries()[0].number, hole(desk), 1)
    draw(desk, Request("a blue square", 5, desk.usual, paint=paint))
    entry = desk.history.entries()[0]
    build, encoder = config.build, desk.encoder
    monkeypatch.setattr(config, "build", lambda n: encoder if "max_length" in n else build(n))
    top = entry.file.parents[1]
    words = [f"image={top}/picture.png", f"mask={top}/mask.png", "prompts=a blue square", "seed=5"]
    words += ["editing.jumps.times=1", f"out={tmp_path}/edit"]
    edit.main(config.compose("edit", [f"runs={runs}", *small_studio.FAST, *words]))
    for stage, file in entry.stages.items():
        other = tmp_path / "edit" / stage / file.name
        assert np.array_equal(pixels.load_png(other), pixels.load_png(file))
        assert png_metadata.read(other) == png_metadata.read(file)
        edit.main(config.compose("edit", [f"runs={runs}", f"from={file}"]))


def test_an_edited_picture_is_opened_and_drawn_again(
    desk: Desk, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of any kind and stage, on any canvas; one that lies between two seeds says what to type."""
    build, encoder = config.build, desk.encoder
    monkeypatch.setattr(config, "build", lambda n: encoder if "max_length" in n else build(n))
    values = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "photo.png")
    usual = [f"runs={runs}", *small_studio.FAST, f"out={tmp_path}/out"]
    kind = ["editing=outpaint", "editing.right=0.25", "editing.jumps.times=1"]
    given = [f"image={tmp_path}/photo.png", f"prompts={PROMPT}"]
    edit.main(config.compose("edit", [*usual, *kind, *given]))
    for stage in ("base", "sr2"):
        (file,) = (tmp_path / "out" / stage).glob("*.png")
        entry = desk.history.open(file.read_bytes())
        assert desk.difference(entry) == ""
        drawing, work = desk.again(entry.number)
        desk.draw(drawing, work)
        assert np.array_equal(drawing.images[stage], pixels.load_png(file))
        (drawn,) = (tmp_path / "images").glob(f"*/painted/*/{stage}/*.png")
        edit.main(config.compose("edit", [f"runs={runs}", f"from={drawn}"]))
    (tmp_path / "photo.png").unlink()
    with pytest.raises(InputError, match="which is not there any more"):
        desk.again(entry.number)
    words = [f"prompts={PROMPT}", "last_seed=3", "images=3", "stop_after=base"]
    interpolate.main(config.compose("interpolate", [*usual[:-1], f"out={tmp_path}/way", *words]))
    (between,) = (tmp_path / "way/base").glob("*_seed0-3-0.5.png")
    with pytest.raises(InputError, match=r"lies between two seeds.*sample from="):
        desk.history.open(between.read_bytes())


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


def test_two_recipes_that_lead_away_from_other_things_are_not_called_equal(
    runs: Path, tmp_path: Path
) -> None:
    """Another negative text or guide draws another image: each desk draws its own again, and says
    of the others what differs."""
    leave_run(runs, "base", images=32, seed=1)
    words = {
        "plain": [],
        "text": ["cascade.base.negative=blue"],
        "network": ["cascade.base.guide.images=32"],
        "both": ["cascade.base.guide.images=32", "cascade.base.negative=''"],
    }
    desks = {n: small_studio.desk(runs, tmp_path / n, *each) for n, each in words.items()}
    entries = {}
    for name, desk in desks.items():
        draw(desk, Request(PROMPT, 0, desk.usual))
        (entries[name],) = desk.history.entries()
    differences = {(n, m): desks[n].difference(entries[m]) for n in desks for m in entries}
    assert {pair for pair, difference in differences.items() if not difference} == {
        (name, name) for name in words
    }
    assert 'from the text "blue", and here from null' in differences["plain", "text"]
    assert "negative=... that drew it" in differences["text", "plain"]
    assert "base after 32 images, and here from no other network" in differences["plain", "network"]
    assert "led away from no other network, and" in differences["network", "plain"]


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
