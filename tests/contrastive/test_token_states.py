"""The small CLIP's token states hold the contract of a text encoder."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.contrastive import encoder_files
from imagen_lit.contrastive import tokenizer as tokens
from imagen_lit.contrastive.small_clip import SmallClip
from imagen_lit.contrastive.token_states import TokenStates
from imagen_lit.contrastive.two_towers import Shape, TwoTowers
from imagen_lit.evaluate import warn_of_own_judge
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.text import lost_text

CAPTIONS = ["a red circle", "two blue squares above a green cross", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoders") / "clip"
    tokenizer = tokens.learn(CAPTIONS * 3, 300, 16)
    encoder_files.save(TwoTowers(Shape(16, 8, 24, 2, 300, 16)), tokenizer, folder)
    return folder


def states(folder: Path, **changes: Any) -> TokenStates:
    words = ["text=clip_small", f"text.path={folder}", "text.width=24", "text.max_length=16"]
    words += ["device=cpu", *(f"text.{key}={value}" for key, value in changes.items())]
    return config.build(config.compose("embed_text", words).text)


def test_its_output_is_what_the_clip_reads(folder: Path) -> None:
    one, mask = states(folder, layer=-1).encode(CAPTIONS)
    other, its = SmallClip("clip", str(folder), "cpu").encode(CAPTIONS)
    torch.testing.assert_close(one, other)
    assert torch.equal(mask, its) and one.dtype == torch.float32


def test_the_layer_before_the_last_is_the_usual_one(folder: Path) -> None:
    encoder = states(folder)
    tower = encoder.model
    ids = torch.tensor(encoder.token_ids(CAPTIONS[:1]))
    x = tower.words(ids) + tower.places.weight[: ids.shape[1]]  # by hand: one layer of two
    expected = tower.layers[0](x, torch.ones_like(ids, dtype=torch.bool))
    torch.testing.assert_close(encoder.encode(CAPTIONS[:1])[0], expected)
    torch.testing.assert_close(states(folder, layer=0).encode(CAPTIONS[:1])[0], x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_caption_has_the_same_vectors_in_any_batch(folder: Path, dtype: str) -> None:
    encoder = states(folder, dtype=dtype)
    together, mask = encoder.encode(CAPTIONS)
    assert encoder.lengths(CAPTIONS) == mask.sum(1).tolist() and not together[~mask].any()
    assert together.dtype == torch.float32 and encoder.width == together.shape[-1]
    alone, _ = encoder.encode(CAPTIONS[:1])
    tolerance = 3e-2 if dtype == "bfloat16" else 1e-5
    torch.testing.assert_close(alone[0], together[0][mask[0]], atol=tolerance, rtol=tolerance)


def test_a_long_caption_is_cut_and_still_ends(folder: Path) -> None:
    encoder, text = states(folder, max_length=5), " ".join(["red circle"] * 6)
    _, mask = encoder.encode([text])
    assert mask.shape == (1, 5) and encoder.lengths([text]) == [5]
    assert len(encoder.token_ids([text])[0]) == 14
    assert lost_text.words_beyond(encoder, text).startswith("circle red")
    assert lost_text.unknown_words(encoder, ["a red zebra"]) == {"zebra"}
    alone = states(folder, max_length=5).encode(["red circle red"])[0]
    torch.testing.assert_close(encoder.encode([text])[0], alone)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"width": 32}, r"has width 24, but text\.width=32\. Set text\.width=24"),
        ({"max_length": 17}, r"has positions for 16 tokens.*Set text\.max_length=16 or less"),
        ({"layer": 3}, r"has 3 hidden states.*Set text\.layer to -3 … 2"),
    ],
)
def test_settings_that_do_not_fit_are_refused(folder: Path, changes: dict, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        states(folder, **changes).encode(CAPTIONS)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dtype": "float16"}, r"text\.dtype=float16 is not one of"),
        ({"max_length": 2}, "text.max_length=2 is not a whole number of 3 or more"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_read(
    changes: dict, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        TokenStates("clip_small", "nowhere", 24, **changes)


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    for use in (lambda e: e.encode(["a"]), lambda e: e.fingerprint()):
        with pytest.raises(FileNotFoundError, match=r"lacks model.*pretrain_clip folder=/.*no$"):
            use(states(tmp_path / "no"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"max_length": 8}, "max_length"),
        ({"layer": -1}, "layer"),
        ({"dtype": "bfloat16"}, "compute_dtype"),
    ],
)
def test_the_fingerprint_differs_in_what_was_set(
    folder: Path, changes: dict[str, Any], field: str
) -> None:
    one, other = states(folder).fingerprint(), states(folder, **changes).fingerprint()
    assert [name for name in one if one[name] != other[name]] == [field]


def test_it_is_no_judge_of_what_it_has_conditioned(folder: Path) -> None:
    judge = SmallClip("clip_small", str(folder), "cpu")
    facts = {"name": "clip_score", "extractor": judge.facts()}
    ruler = Ruler({"clip_score": SimpleNamespace(facts=lambda: facts)}, Path())  # type: ignore[dict-item]
    with pytest.warns(UserWarning, match="clip_score looks with the weights that also encoded"):
        warn_of_own_judge(ruler, states(folder).fingerprint())
