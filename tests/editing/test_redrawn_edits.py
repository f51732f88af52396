"""Every picture that `edit` or `interpolate` drew is drawn again to the bit from its own file, at
each stage; and where what it was drawn from is gone or another, a sentence says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_run import Encoder, leave_runs

from imagen_lit import edit, interpolate, sample
from imagen_lit.basics import image_format, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import redrawing
from imagen_lit.cli import config

FAST = ["cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=1", "~cascade.sr2"]
PROMPT = "prompts=a red circle"
KINDS = {
    "inpaint": ["image={0}/photo.png", "mask={0}/mask.png", PROMPT, "images=2"],
    "outpaint": ["image={0}/photo.png", "editing.left=0.25", PROMPT, "format=webp"],
    "image_to_image": ["image={0}/narrow.png", "fit=resize", PROMPT],
    "variations": ["image={0}/photo.png", "fit=crop", PROMPT, "format=jpeg"],
    "colourise": ["image={0}/photo.png", PROMPT, "cascade.sr.negative=blue"],
    "enlarge": ["image={0}/small.png", PROMPT, "start_at=sr"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return leave_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def run(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))

    def call(command: Any, *words: str) -> str:
        name = command.__name__.rpartition(".")[2]
        usual = [] if any(word.startswith("from=") for word in words) else FAST
        capsys.readouterr()
        command.main(config.compose(name, [f"runs={runs}", *usual, *words]))
        return capsys.readouterr().out

    return call


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "photo.png")
    Image.fromarray(values[:, :32]).save(tmp_path / "narrow.png")
    Image.fromarray(values[:16, :24]).save(tmp_path / "small.png")
    mask = np.zeros((64, 64), np.uint8)
    mask[8:40, 20:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def pictures(folder: Path) -> list[Path]:
    return sorted(file for stage in ("base", "sr") for file in (folder / stage).glob("*_seed*"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_again_at_each_stage(run: Any, inputs: Path, kind: str) -> None:
    words = [word.format(inputs) for word in KINDS[kind]]
    run(edit, f"editing={kind}", *words, f"out={inputs}/out")
    drawn = pictures(inputs / "out")
    assert len(drawn) == {"inpaint": 4, "enlarge": 1}.get(kind, 2)
    for file in drawn:
        again = inputs / f"again/{file.parent.name}"
        assert "drawn again, all " in run(edit, f"from={file}", f"out={again}")
        assert (again / file.name).read_bytes() == file.read_bytes()


def test_the_way_between_is_drawn_again_by_both_commands(run: Any, tmp_path: Path) -> None:
    """Between prompts and seeds, and seeds alone; the ends are plain pictures."""
    prompts = ["prompts=[a red circle, a blue square]", "cascade.sr.prompt='oil {prompt}'"]
    ways = [[*prompts, "last_seed=5"], [PROMPT, "last_seed=5"]]
    for place, words in enumerate(ways):
        run(interpolate, *words, "images=3", "format=webp", f"out={tmp_path}/{place}")
        drawn = pictures(tmp_path / f"{place}")
        assert len(drawn) == 6
        for file in drawn:
            command = sample if file.parent.name == "sr" else interpolate
            assert "drawn again, all " in run(command, f"from={file}")


def test_inputs_that_are_gone_or_other_ones_are_named(run: Any, inputs: Path) -> None:
    words = [word.format(inputs) for word in KINDS["inpaint"]]
    run(edit, *words, "stop_after=base", f"out={inputs}/out")
    file = pictures(inputs / "out")[0]
    moved = (inputs / "mask.png").rename(inputs / "moved.png")
    with pytest.raises(InputError, match=r"the mask .*mask\.png, which is not there.*Set mask="):
        run(edit, f"from={file}")
    assert "drawn again" in run(edit, f"from={file}", f"mask={moved}")
    with pytest.raises(
        InputError, match=r"the image with the sha256 .*moved\.png has .*Set image="
    ):
        run(edit, f"from={file}", f"mask={moved}", f"image={moved}")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(inputs / "photo.png")
    with pytest.raises(InputError, match=r"photo\.png has [0-9a-f]{12}… now\. Set image="):
        run(edit, f"from={file}", f"mask={moved}")


def test_each_command_says_which_one_draws_it(run: Any, inputs: Path) -> None:
    words = [word.format(inputs) for word in KINDS["variations"]]
    run(edit, "editing=variations", *words, "stop_after=base", "format=png", f"out={inputs}/out")
    run(sample, PROMPT, "stop_after=base", f"out={inputs}/plain")
    edited, plain = (pictures(inputs / name)[0] for name in ("out", "plain"))
    for command in (sample, interpolate):
        with pytest.raises(InputError, match=rf"Type python -m imagen_lit\.edit from={edited}"):
            run(command, f"from={edited}")
    with pytest.raises(InputError, match=rf"Type python -m imagen_lit\.sample from={plain}"):
        run(edit, f"from={plain}")
    with pytest.raises(InputError, match=r"without a mask\. Leave mask"):
        run(edit, f"from={edited}", f"mask={inputs}/mask.png")
    redrawing.refuse_other_settings(["from=a", "mask=b"], (*redrawing.OPEN, "mask"))
    with pytest.raises(InputError, match=r"start_from=.* was edited.*Set start_from="):
        run(sample, PROMPT, f"start_from={inputs}/out", f"out={inputs}/larger")


def test_what_a_foreign_file_says_of_its_edit_builds_nothing_else(run: Any, inputs: Path) -> None:
    words = [word.format(inputs) for word in KINDS["colourise"]]
    run(edit, "editing=colourise", *words, "stop_after=base", f"out={inputs}/out")
    file = pictures(inputs / "out")[0]
    facts, image = png_metadata.read(file) or {}, Image.fromarray(image_format.load(file))
    record = facts["edit"]

    def changed(**more: Any) -> str:
        texts = png_metadata.texts(facts | {"edit": record | more}, "")
        image_format.save(image, inputs / "changed.png", texts)
        return f"from={inputs}/changed.png"

    settings = record["settings"]
    jumps = settings["jumps"] | {"times": 0}
    for change, message in (
        ({"settings": {"_target_": "os.system", "command": "true"}}, "no part of an edit"),
        ({"settings": settings | {"_target_": "imagen_lit.editing.picture.torch.load"}}, "may not"),
        ({"settings": settings | {"jumps": jumps}}, r"cannot be built: .*jumps\.times=0"),
        ({"settings": "x"}, "is damaged"),
        ({"origin": {"fit": "exact"}}, "is damaged"),
        ({"origin": {**record["origin"], "fit": "most"}}, "fit"),
        ({"image": "4be1"}, "from other pixels than .*photo.png has"),
    ):
        with pytest.raises(InputError, match=message):
            run(edit, changed(**change))
    earlier = {key: value for key, value in record.items() if key != "origin"}
    texts = png_metadata.texts(facts | {"edit": earlier}, "")
    image_format.save(image, inputs / "changed.png", texts)
    with pytest.raises(InputError, match="as an earlier version left it"):
        run(edit, f"from={inputs}/changed.png")
