"""The commands `edit` and `interpolate`, with tiny stages: what they draw, what their files say,
and what they refuse in a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.errors import InstantiationException
from PIL import Image
from tiny_run import Encoder, leave_runs

from imagen_lit import edit, interpolate, sample
from imagen_lit.basics import image_format, png_metadata
from imagen_lit.basics.pixels import load_png
from imagen_lit.cascade import preset
from imagen_lit.cli import config

FAST = ["cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=1", "~cascade.sr2"]
PROMPT = "prompts=a red circle"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return leave_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture, and beside it a mask and a mask of another size."""
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "photo.png")
    mask = np.zeros((64, 64), np.uint8)
    mask[8:40, 20:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(mask[:, :32]).save(tmp_path / "narrow.png")
    Image.fromarray(np.zeros_like(mask)).save(tmp_path / "black.png")
    layer = np.stack([np.full_like(mask, 255), mask], axis=-1)  # white paint on nothing
    Image.fromarray(layer, "LA").save(tmp_path / "layer.png")
    left = np.zeros((64, 200), np.uint8)
    left[:, :1] = 255
    Image.fromarray(left).save(tmp_path / "left.png")
    Image.fromarray(left).convert("RGB").save(tmp_path / "wide.png")
    Image.fromarray(values[:16, :24]).save(tmp_path / "small.png")
    return tmp_path / "photo.png"


@pytest.fixture
def run(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))

    def call(command: Any, *words: str) -> None:
        name = command.__name__.rpartition(".")[2]
        command.main(config.compose(name, [f"runs={runs}", *FAST, *words]))

    return call


def result(folder: Path) -> Path:
    (file,) = folder.glob("sr/*.png")
    return file


def test_a_picture_is_inpainted_and_its_file_says_so(run: Any, photo: Path, tmp_path: Path) -> None:
    words = [f"image={photo}", f"mask={tmp_path}/mask.png", PROMPT, f"out={tmp_path}/mine"]
    run(edit, *words)
    file = result(tmp_path / "mine")
    image, mask = load_png(file), load_png(tmp_path / "mask.png")[..., 0] > 0
    assert (image == load_png(photo))[~mask].all()
    assert (image != load_png(photo))[mask].any()
    facts = (png_metadata.read(file) or {})["edit"]
    assert facts["settings"]["strength"] == 1 and {"image", "mask"} <= {*facts}
    before = file.read_bytes(), file.stat().st_mtime_ns
    run(edit, *words)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    with pytest.raises(ValueError, match=r"edit\.settings\.jumps\.times is 4 there, 3 here"):
        run(edit, *words, "editing.jumps.times=3")
    assert (tmp_path / "mine/sheet.png").exists()


def test_a_drawn_picture_knows_its_prompt_and_is_widened(
    run: Any, runs: Path, tmp_path: Path
) -> None:
    run(sample, PROMPT, f"out={tmp_path}/first")
    drawn = result(tmp_path / "first")
    room = ["editing=outpaint", "editing.left=0.25", "editing.right=0.5"]
    run(edit, f"image={drawn}", *room)  # 16 and 32 of 64 pixels
    (folder,) = (runs / "demo/sr/edits").iterdir()
    wide = load_png(result(folder))
    assert wide.shape == (64, 112, 3)
    assert (wide[:, 16:80] == load_png(drawn)).all()
    assert (png_metadata.read(result(folder)) or {})["prompt"] == "a red circle"


@pytest.mark.parametrize(
    "words",
    [
        ["editing=image_to_image", "image=photo.png"],
        ["editing=variations", "image=photo.png"],
        ["editing=colourise", "image=photo.png"],
        ["editing=enlarge", "start_at=sr", "image=small.png"],
        ["editing=image_to_image", "image=narrow.png", "fit=resize"],
    ],
)
def test_every_kind_draws(run: Any, photo: Path, tmp_path: Path, words: list[str]) -> None:
    at = [word.replace("image=", f"image={tmp_path}/") for word in words[1:]]
    run(edit, words[0], *at, PROMPT, f"out={tmp_path}/out")
    shape = load_png(result(tmp_path / "out")).shape
    assert shape == {"image=small.png": (64, 96, 3), "image=narrow.png": (128, 64, 3)}.get(
        next(word for word in words if word.startswith("image=")), (64, 64, 3)
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "there is no image to draw from. Set image="),
        ("image={0}/none.png", "there is no such file"),
        ("image={0}/photo.png", "strength=1 without a mask leaves nothing of the picture"),
        ("image={0}/photo.png mask={0}/narrow.png", "has 32 x 64 pixels, and the picture 64 x 64"),
        ("image={0}/photo.png mask={0}/black.png", "has nothing white"),
        ("image={0}/photo.png mask={0}/layer.png", "Make it opaque"),
        (
            "image={0}/wide.png mask={0}/left.png fit=crop",
            "from the middle, where the mask has nothing",
        ),
        ("image={0}/photo.png editing=outpaint editing.right=0.001", "less than one pixel"),
        (
            "image={0}/photo.png editing=outpaint editing.right=0.3",
            "choose shares of room that make it so",
        ),
        ("image={0}/small.png editing=colourise", r"24 x 16 pixels does not fit .* fit=crop"),
        ("image={0}/photo.png mask={0}/mask.png editing=outpaint", "Leave mask=... out"),
        ("image={0}/photo.png editing=outpaint editing.right=0", "no room beside the picture"),
        ("image={0}/photo.png editing=enlarge", "draws from text alone and enlarges nothing"),
        ("image={0}/photo.png editing.strength=0", "strength=0.* is not above 0"),
        ("image={0}/photo.png editing=colourise cascade.base.run=none", "Train that stage first"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    run: Any, photo: Path, tmp_path: Path, words: str, message: str
) -> None:
    typed = [word.format(tmp_path) for word in words.split()]
    masked = [] if "mask" in words or "strength" not in words else [f"mask={tmp_path}/mask.png"]
    with pytest.raises((ValueError, InstantiationException), match=message):
        run(edit, *typed, *masked, PROMPT, f"out={tmp_path}/out")
    assert not (tmp_path / "out").exists()


def test_formats_strips_and_presets_are_those_of_sample(
    run: Any, photo: Path, tmp_path: Path
) -> None:
    """The pixels of every format without loss are equal; a strip leaves the images as they are."""
    words = [f"image={photo}", f"mask={tmp_path}/mask.png", PROMPT]
    for name in ("png", "webp", "jpeg"):
        run(edit, *words, f"format={name}", f"out={tmp_path}/{name}")
    (png,), (webp,), (jpeg,) = (
        (tmp_path / name / "sr").iterdir() for name in ("png", "webp", "jpeg")
    )
    assert (png.suffix, webp.suffix, jpeg.suffix) == (".png", ".webp", ".jpg")
    assert (image_format.load(png) == image_format.load(webp)).all()
    facts = [png_metadata.read(each) or {} for each in (png, webp, jpeg)]
    assert facts[0] == facts[1] == facts[2]
    before = png.stat().st_mtime_ns
    run(edit, *words, "strip=2", f"out={tmp_path}/png")
    (strip,) = (tmp_path / "png/strips").iterdir()
    assert strip.name == png.name and png.stat().st_mtime_ns == before
    run(interpolate, "strip=2", "images=2", "format=webp", "batch=2", f"out={tmp_path}/way")
    assert len([*(tmp_path / "way/strips").iterdir()]) == 2
    assert len([*(tmp_path / "way/sr").glob("*.webp")]) == 2
    with pytest.raises(ValueError, match="format"):
        run(edit, *words, "format=gif", f"out={tmp_path}/gif")
    for command in ("edit", "interpolate"):
        recipe = preset.composed(command, ["preset=fast", "cascade=demo"]).cascade.base.recipe
        assert recipe.steps == 8


def test_the_ways_ends_are_the_plain_drawings(run: Any, tmp_path: Path) -> None:
    run(sample, "prompts=[a red circle]", f"out={tmp_path}/plain", "batch=1")
    run(sample, "prompts=[a blue square]", "seed=5", f"out={tmp_path}/plain", "batch=1")
    way = ["prompts=[a red circle, a blue square]", "last_seed=5", "images=3", "batch=1"]
    run(interpolate, *way, f"out={tmp_path}/way")
    plain = {file.name: load_png(file) for file in (tmp_path / "plain/sr").iterdir()}
    drawn = {file.name: load_png(file) for file in (tmp_path / "way/sr").iterdir()}
    assert len(drawn) == 3 and {*plain} < {*drawn}
    assert all((drawn[name] == image).all() for name, image in plain.items())
    (between,) = {*drawn} - {*plain}
    assert between.endswith("_seed0-5-0.5.png")
    with pytest.raises(ValueError, match="both ends of the way are the same"):
        run(interpolate, PROMPT, f"out={tmp_path}/none")
