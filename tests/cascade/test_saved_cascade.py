"""One line of Python draws the bits of `sample`, from runs and from an exported folder; a folder
that is foreign, damaged or does not fit is refused in a sentence, and nothing in it is executed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_cascades import leave_export
from PIL import Image

from imagen_lit import export, sample
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import exported_cascade
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.guide import Guide
from imagen_lit.cli import config

PROMPT = "a red circle"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("made")
    return folder, leave_export(folder)


@pytest.fixture
def exported(made: tuple[Path, list[str]], tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(made[0] / "exported", tmp_path / "copy"))


def typed(out: Path, *words: str) -> list[np.ndarray]:
    """What `sample` draws of the last stage, by prompt and seed."""
    sample.main(config.compose("sample", [*words, f"out={out}"]))
    return [np.array(Image.open(file)) for file in sorted((out / "sr").glob("*.png"))]


def test_one_line_draws_the_bits_of_sample(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, words = made
    (expected,) = typed(tmp_path / "one", f"prompts=['{PROMPT}']", "seed=3", *words)
    settings = [word for word in words if not word.startswith(("device", "text"))]
    for cascade in (Cascade.load("demo", *settings), Cascade.load(folder / "exported")):
        image = cascade(PROMPT, seed=3)
        assert isinstance(image, Image.Image)
        assert np.array_equal(np.array(image), expected)
    runs = [f"cascade.{name}.run={folder}/exported/{name}" for name in ("base", "sr")]
    (again,) = typed(tmp_path / "two", f"prompts=['{PROMPT}']", "seed=3", *words, *runs)
    assert np.array_equal(again, expected)


def test_every_setting_of_a_stage_counts(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    _, words = made
    settings = [word for word in words if not word.startswith(("device", "text"))]
    negative = "cascade.base.negative='a blue square'"
    (expected,) = typed(tmp_path / "sampled", f"prompts=['{PROMPT}']", *words, negative)
    without = np.array(Cascade.load("demo", *settings)(PROMPT))
    assert not np.array_equal(expected, without)
    assert np.array_equal(np.array(Cascade.load("demo", *settings, negative)(PROMPT)), expected)
    unread = ("device=",)
    kept = [word for word in words if not word.startswith(unread)]
    export.main(config.compose("export", [*kept, negative, f"out={tmp_path / 'exported'}"]))
    assert np.array_equal(np.array(Cascade.load(tmp_path / "exported")(PROMPT)), expected)


def test_a_guide_is_another_network_and_is_not_exported(exported: Path, tmp_path: Path) -> None:
    cascade = Cascade.load(exported)
    cascade.stages["base"].guide = Guide(run="elsewhere")
    text = json.loads((exported / "cascade.json").read_text())["text"]
    with pytest.raises(InputError, match=r"Leave out cascade\.base\.guide"):
        exported_cascade.write(tmp_path / "new", cascade, cascade.encoder, {}, text, False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("setting", "remedy"), [("seed=1", "to the call"), ("strip=4", "sample")])
def test_what_a_call_has_no_use_for_is_refused(
    made: tuple[Path, list[str]], setting: str, remedy: str
) -> None:
    with pytest.raises(InputError, match=remedy):
        Cascade.load("demo", *made[1][1:], setting)


def test_what_the_encoder_does_not_read_is_said(made: tuple[Path, list[str]]) -> None:
    cascade = Cascade.load(made[0] / "exported")
    with pytest.warns(UserWarning, match="This is lost"):
        cascade("word " * 400)


def test_several_prompts_and_images_come_in_the_order_of_sample(
    made: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, words = made
    prompts = "prompts=['a', 'b']"
    expected = typed(tmp_path, prompts, "images=2", *words)
    images = Cascade.load(folder / "exported")(["a", "b"], images=2)
    assert [np.array(image).tobytes() for image in images] == [e.tobytes() for e in expected]


def test_an_exported_stage_says_which_weights_it_has(made: tuple[Path, list[str]]) -> None:
    folder, words = made
    settings = [word for word in words if not word.startswith(("device", "text"))]
    runs, export = Cascade.load("demo", *settings), Cascade.load(folder / "exported")
    assert runs.weights == export.weights


def test_what_has_no_encoder_is_not_called() -> None:
    node = config.compose("sample", ["cascade=demo"]).cascade
    with pytest.raises(InputError, match=r"no text encoder of its own.*Call what"):
        config.build(node)(PROMPT)


def test_a_name_that_is_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"demp is neither a folder .*did you mean demo"):
        Cascade.load("demp")


def spoil(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_folder_that_lacks_a_stage_is_refused(exported: Path) -> None:
    shutil.rmtree(exported / "sr")
    with pytest.raises(InputError, match=r"lacks its stage 'sr'.*Export the cascade again"):
        Cascade.load(exported)


def test_damaged_weights_are_refused(exported: Path) -> None:
    file = exported / "base/model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors is damaged.*Export"):
        Cascade.load(exported)(PROMPT)
    file.unlink()
    with pytest.raises(InputError, match=r"base has no model\.safetensors.*Export"):
        Cascade.load(exported)(PROMPT)


def test_another_format_is_refused(exported: Path) -> None:
    spoil(exported / "base/config.json", format="other")
    with pytest.raises(InputError, match=r"no stage that `export` wrote.*'other'"):
        Cascade.load(exported)
    (exported / "base/config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json is damaged.*Export"):
        Cascade.load(exported)
    spoil(exported / "cascade.json", stages=[])
    with pytest.raises(InputError, match=r"no cascade that `export` wrote, or damaged"):
        Cascade.load(exported)


def test_another_text_encoder_is_refused(exported: Path) -> None:
    spoil(exported / "sr/config.json", text={"encoder": "another"})
    with pytest.raises(InputError, match=r"trained with another text encoder .*another"):
        Cascade.load(exported)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "imagen_lit.train.main",
        "imagen_lit.stage.training.torch.load",  # what a file of ours imports is not ours
        "imagen_lit.stage.training.LightningModule",
        "imagen_lit.stage.nothing.There",
    ],
)
def test_a_class_from_outside_is_refused(exported: Path, target: str) -> None:
    spoil(exported / "base/config.json", condition={"_target_": target})
    with pytest.raises(InputError, match=r"which is none of the parts in network, diffusion"):
        Cascade.load(exported)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ({"_target_": "imagen_lit.text.encoder.torch.load"}, "none of the parts in text"),
        ({"name": "${oc.env:HOME}"}, "which is no value"),
        ({"_args_": [1]}, "the key _args_"),
        (
            {"load": {"_target_": "transformers.A.from_pretrained", "trust_remote_code": True}},
            "loads the text encoder with trust_remote_code",
        ),
    ],
)
def test_a_text_encoder_from_outside_is_refused(exported: Path, text: dict, words: str) -> None:
    spoil(exported / "cascade.json", text=text)
    with pytest.raises(InputError, match=words):
        Cascade.load(exported)


def test_a_folder_with_files_is_not_written_into(made: tuple[Path, list[str]]) -> None:
    folder, words = made
    words = [word for word in words if word != "device=cpu"]
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match=r"has files already.*Set out="):
        export.main(config.compose("export", [*words, f"out={folder / 'exported'}"]))
    assert sorted(folder.rglob("*")) == before
