"""The encoder in a folder looks at images and texts, and a spoilt folder never gives a number."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from imagen_lit.contrastive import encoder_files
from imagen_lit.contrastive import tokenizer as tokens
from imagen_lit.contrastive.small_clip import SmallClip
from imagen_lit.contrastive.two_towers import Shape, TwoTowers
from imagen_lit.features.extractor import TextExtractor

CAPTIONS = ["a red circle", "two blue squares above a green cross", "three"]


def make(folder: Path, seed: int = 0) -> SmallClip:
    torch.manual_seed(seed)
    tokenizer = tokens.learn(CAPTIONS * 3, 300, 16)
    encoder_files.save(TwoTowers(Shape(16, 8, 24, 1, 300, 16)), tokenizer, folder)
    return SmallClip("clip_small", str(folder), "cpu", "python -m it folder=encoders/clip_small")


@pytest.fixture
def clip(tmp_path: Path) -> SmallClip:
    return make(tmp_path / "clip")


def test_whoever_may_read_one_file_may_read_all(clip: SmallClip) -> None:
    assert len({path.stat().st_mode for path in clip.path.iterdir()}) == 1


def images(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def test_it_is_an_extractor_of_images_and_texts_of_any_size(clip: SmallClip) -> None:
    assert isinstance(clip, TextExtractor)
    looks = clip.features(images((16, 16), (40, 17), (5, 9), (300, 200)))
    words = clip.text_features(["", "a red circle", "a red circle " * 40])
    assert looks.shape == (4, clip.width) and words.shape == (3, clip.width)
    assert looks.dtype == words.dtype == np.float32
    assert np.isfinite(looks).all() and np.isfinite(words).all()
    assert clip.features([]).shape == clip.text_features([]).shape == (0, clip.width)


def test_a_feature_does_not_depend_on_what_lies_beside_it(clip: SmallClip) -> None:
    pictures = images(*[(16 + n % 5, 20) for n in range(70)])  # more than one batch
    texts = [CAPTIONS[n % 3] for n in range(70)]
    for look, items in ((clip.features, pictures), (clip.text_features, texts)):
        together = look(items)
        for n in (0, 63, 64, 69):
            np.testing.assert_allclose(look([items[n]])[0], together[n], rtol=1e-4, atol=1e-5)


def test_token_states_are_those_of_a_text_encoder(clip: SmallClip) -> None:
    states, mask = clip.encode(CAPTIONS)
    assert states.shape == (*mask.shape, clip.width) and mask.dtype == torch.bool
    assert not states[~mask].any() and states[mask].abs().sum(1).min() > 0
    alone, own = clip.encode(CAPTIONS[2:])
    torch.testing.assert_close(states[2, : own.sum()], alone[0], rtol=1e-4, atol=1e-5)


def test_facts_tell_weights_from_others_and_equal_ones_apart_from_none(tmp_path: Path) -> None:
    one, again, other = (make(tmp_path / str(n), seed) for n, seed in enumerate((0, 0, 1)))
    assert one.facts() == again.facts() and json.dumps(one.facts())
    assert one.facts()["weights_sha256"] != other.facts()["weights_sha256"]
    assert one.facts()["sha256"] != other.facts()["sha256"]
    tokenizer = tmp_path / "1/tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"max_length": 16', '"max_length": 12'))
    assert one.facts()["sha256"] != again.facts()["sha256"], "every file counts"
    assert one.facts()["weights_sha256"] == again.facts()["weights_sha256"]


def test_a_missing_encoder_says_how_to_make_it(tmp_path: Path) -> None:
    words = ("clip_small", f"{tmp_path}/no", "cpu", "python -m it folder=encoders/clip_small")
    for use in (SmallClip(*words).facts, lambda: SmallClip(*words).features([])):
        with pytest.raises(FileNotFoundError, match=r"lacks model.*python -m it folder=/.*no$"):
            use()


class Bomb:
    """Runs code where a pickle is trusted."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('code was run')",)


def spoil_shape(folder: Path, **changes: Any) -> None:
    file = folder / encoder_files.CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def spoil_weights(folder: Path, name: str, value: float) -> None:
    weights = load_file(folder / encoder_files.WEIGHTS)
    weights[name] = torch.full_like(weights[name], value)
    save_file(weights, folder / encoder_files.WEIGHTS)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(pickle.dumps(Bomb())), "cannot be read"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "model.safetensors cannot be read"),
        (lambda f: spoil_weights(f, "text_out.weight", float("nan")), "not finite"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer.json cannot be read"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json is damaged"),
        (lambda f: spoil_shape(f, width=32), "model.safetensors cannot be read"),
        (lambda f: spoil_shape(f, vocabulary=299), "cannot be read"),
        (lambda f: spoil_shape(f, layers=10**9), "a size for each of size, channels"),
        (lambda f: spoil_shape(f, layers="2"), "a size for each of size, channels"),
        (lambda f: spoil_shape(f, other=2), "a size for each of size, channels"),
    ],
)
def test_a_spoilt_file_is_named_and_never_run(clip: SmallClip, spoil: Any, problem: str) -> None:
    spoil(clip.path)
    with pytest.raises(ValueError, match=f"{problem}.*Remove .*, then type python -m it"):
        clip.features(images((16, 16)))


def test_more_tokens_than_the_weights_know_are_refused(clip: SmallClip) -> None:
    rich = tokens.learn([f"{a}{b}{c}" for a in "abcdef" for b in "ghijkl" for c in "mno"] * 2,
                        500, 16)  # fmt: skip
    assert rich.get_vocab_size() > 300
    rich.save(str(clip.path / "tokenizer.json"))
    with pytest.raises(ValueError, match=r"has \d+ tokens, and the weights beside it know 300"):
        clip.text_features(["a"])
