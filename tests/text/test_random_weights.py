"""The control of an encoder: everything but the weights is its own, and a seed makes them."""

import json
from pathlib import Path

import pytest
import torch

from imagen_lit import randomise_text
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.shapes import nano_t5
from imagen_lit.text.encoder import HuggingFace


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of a Hugging Face encoder, whose weights are not needed."""
    tokenizer = nano_t5.make_tokenizer()
    model = nano_t5.FullT5(nano_t5.make_config(len(tokenizer), 16, 1, 8))
    nano_t5.save(model, tokenizer, str(tmp_path / "t5"))
    return tmp_path / "t5"


def randomise(source: Path, folder: Path, *words: str) -> None:
    words = ("text=t5_nano_16", f"text.path={source}", f"folder={folder}", *words)
    randomise_text.main(config.compose("randomise_text", list(words)))


def encoder(folder: Path) -> HuggingFace:
    words = ["text=t5_nano_16", f"text.path={folder}", "device=cpu"]
    return config.build(config.compose("embed_text", words).text)


def test_only_the_weights_differ_and_the_seed_makes_them(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = encoder(source).fingerprint()
    (source / "model.safetensors").unlink()
    for name, seed in {"one": 0, "again": 0, "other": 1}.items():
        torch.manual_seed(len(name))  # nobody else's numbers count
        randomise(source, tmp_path / name, f"seed={seed}")
    one, again, other = (encoder(tmp_path / n).fingerprint() for n in ("one", "again", "other"))
    assert one == again
    assert [key for key in one if one[key] != other[key]] == ["weights_sha256"]
    assert [key for key in one if one[key] != own[key]] == ["weights_sha256"]
    assert f"sha256 of the weights: {one['weights_sha256']}" in capsys.readouterr().out
    tokens, mask = encoder(tmp_path / "one").encode(["a red circle"])
    assert tokens[mask].isfinite().all() and tokens.shape == (1, 4, 16)


def test_it_is_made_once_and_what_is_there_is_left_alone(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "random"
    randomise(source, folder)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    assert json.loads((folder / "pretraining.json").read_text()) == {
        "text": "t5_nano_16",
        "seed": 0,
    }
    randomise(source, folder)
    assert "was already in" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"seed is 0 there, 1 here.*Set seed=0 to use it"):
        randomise(source, folder, "seed=1")
    with pytest.raises(InputError, match="holds other files"):
        randomise(source, source)
    assert before == {file: file.read_bytes() for file in folder.iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["random", "t5"], "no lock is left"


def test_what_is_missing_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lacks config.json.*fetch weights=minilm"):
        words = ["text.path=" + str(tmp_path / "no"), f"folder={tmp_path}/random"]
        randomise_text.main(config.compose("randomise_text", words))
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_without_a_hugging_face_folder_is_refused(tmp_path: Path) -> None:
    words = ["text=bag_of_words", f"folder={tmp_path}/random"]
    with pytest.raises(InputError, match=r"bag_of_words has no Hugging Face folder.*Set text="):
        randomise_text.main(config.compose("randomise_text", words))
