"""The demo's encoder is a real one: made from text, the same every time, loaded like T5-XXL."""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import T5EncoderModel

from imagen_lit.shapes import nano_t5, role_probe
from imagen_lit.shapes.grammar import documents, vocabulary
from imagen_lit.shapes.scene import CONVERSE
from imagen_lit.text.encoder import HuggingFace


def make(folder: Path, document_count: int = 64, seed: int = 0) -> Path:
    *_, (_, _, model, tokenizer) = nano_t5.pretrain(seed=seed, document_count=document_count)
    nano_t5.save(model, tokenizer, str(folder))
    return folder


def load(folder: Path, **changes: object) -> HuggingFace:
    settings = {"name": "t5_nano", "path": str(folder), "width": 128, "max_length": 48} | changes
    return HuggingFace(load=T5EncoderModel.from_pretrained, **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("encoders") / "t5_nano")


def test_the_same_seed_makes_the_same_encoder(folder: Path, tmp_path: Path) -> None:
    second = load(make(tmp_path / "second")).fingerprint()
    other = load(make(tmp_path / "other", seed=1)).fingerprint()
    first = load(folder).fingerprint()
    assert first == second
    assert first["weights_sha256"] != other["weights_sha256"]
    assert first["tokenizer_sha256"] == other["tokenizer_sha256"]


@pytest.mark.parametrize("interruptions", [[2], [3, 4]])
def test_an_interrupted_pretraining_resumes_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruptions: list[int]
) -> None:
    monkeypatch.setattr(nano_t5, "SAVE_EVERY", 0)
    file, batches = tmp_path / "state", []
    for steps in interruptions:  # each start reads so many batches, and is interrupted
        pretraining = nano_t5.pretrain(document_count=256, state_file=file)
        batches += [done // 32 for _, (done, *_) in zip(range(steps), pretraining, strict=False)]
    torch.rand(3)  # the process that resumes has drawn other numbers
    *_, (done, loss, model, _) = nano_t5.pretrain(document_count=256, state_file=file)
    *_, (_, plain_loss, plain, _) = nano_t5.pretrain(document_count=256)
    assert (done, loss) == (256, plain_loss)
    assert all(map(torch.equal, model.state_dict().values(), plain.state_dict().values()))
    assert batches == list(range(1, sum(interruptions) + 1)), "nothing is read twice"


@pytest.mark.parametrize(
    ("other", "advice"),
    [
        ({"seed": 1}, "seed is 0 there, 1 here.*Set seed=0 to continue it, or remove it"),
        ({"document_count": 128}, "documents is 256 there, 128 here.*Set documents=256 to"),
        ({"noise": 0.5}, r"noise is 1.0 there, 0.5 here\)\. Remove it to begin anew"),
    ],
)
def test_the_state_of_another_pretraining_is_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict, advice: str
) -> None:
    monkeypatch.setattr(nano_t5, "SAVE_EVERY", 0)
    file = tmp_path / "state"
    next(islice(nano_t5.pretrain(document_count=256, state_file=file), 4, None))
    before = file.read_bytes()
    with pytest.raises(ValueError, match=advice):
        next(nano_t5.pretrain(**{"document_count": 256, **other}, state_file=file))
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"half of a file", {"settings": [0, 256], "steps": 4}])
def test_a_state_that_cannot_be_read_is_begun_anew_with_a_warning(
    tmp_path: Path, content: bytes | dict
) -> None:
    file = tmp_path / "state"
    torch.save(content, file) if isinstance(content, dict) else file.write_bytes(content)
    with pytest.warns(UserWarning, match="state cannot be read.* begun anew"):
        first, *_ = next(nano_t5.pretrain(document_count=256, state_file=file))
    assert first == 32


def test_pretraining_lowers_the_loss() -> None:
    losses = [loss for _, loss, *_ in nano_t5.pretrain(document_count=32 * 80)]
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])


@pytest.mark.parametrize("measure", [role_probe.share, role_probe.share_within_words])
def test_the_role_probe_measures_a_known_share(
    monkeypatch: pytest.MonkeyPatch, measure: Callable[..., float]
) -> None:
    """Of vectors that are the role and noise of known size, the share is known; of noise, none."""
    colours = [("red", "blue"), ("pink", "green")] * 500
    tokenizer = nano_t5.make_tokenizer()
    rng = torch.Generator().manual_seed(0)
    axes = {name: torch.eye(64)[i] * 8 for i, name in enumerate(CONVERSE)}
    pairs: Iterator[tuple[str, str]] = iter(())
    roles: list[tuple[str, str]] = []

    def expectation(_: object, scene: dict) -> dict:
        roles.append((scene["relation"], CONVERSE[scene["relation"]]))
        return {"relation": scene["relation"]}

    def share(amplitude: float) -> float:
        nonlocal pairs
        pairs = iter(colours)
        roles.clear()

        def encode(captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
            ids = tokenizer(captions, padding=True, return_tensors="pt")["input_ids"]
            vectors = torch.randn(*ids.shape, 64, generator=rng)
            for row, (first, second) in enumerate(roles):
                vectors[row, 0] += amplitude * axes[first]
                vectors[row, 2] += amplitude * axes[second]
            return vectors, ids > 0

        def token_ids(captions: list[str]) -> list[list[int]]:
            return tokenizer(captions)["input_ids"]

        encoder = SimpleNamespace(encode=encode, token_ids=token_ids)
        return measure(encoder, captions=1000)

    monkeypatch.setattr(role_probe.caption, "phrase", lambda _, each: " above ".join(next(pairs)))
    monkeypatch.setattr(role_probe.caption, "expectation", expectation)
    assert share(0.0) < 0.01
    # Of 8² + 64 after the mean of four roles is subtracted: 48 / 112.
    assert share(1.0) == pytest.approx(48 / 112, abs=0.05)


def test_a_caption_means_the_same_in_any_batch(folder: Path) -> None:
    encoder = load(folder)
    one = "a red circle above a blue square"
    alone, mask = encoder.encode([one])
    among, masks = encoder.encode(["three green triangles", one, "a picture of a small red cross"])
    length = int(mask.sum())
    torch.testing.assert_close(alone[0, :length], among[1, :length], atol=1e-5, rtol=1e-4)
    assert masks[1].sum() == length
    assert not among[~masks].any(), "padding is zero"


def test_grammar_words_are_one_token_and_any_other_is_spelled() -> None:
    tokenizer = nano_t5.make_tokenizer()
    for word in vocabulary():
        assert len(tokenizer(word)["input_ids"]) == 2, word
    ids = tokenizer('the word "yak" on a wombat')["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == 'the word "yak" on a wombat'


def test_corruption_hides_words_of_the_document_and_adds_none() -> None:
    rng = random.Random(0)
    for caption, descriptions in islice(documents(3), 300):
        source, target = nano_t5.corrupt(caption, descriptions, rng)
        words = {w for text in (caption, *descriptions) for w in text.split()} | {";"}
        parts = {w for w in f"{source} {target}".split() if not w.startswith("<extra_id_")}
        assert parts <= words
        assert target.startswith("<extra_id_0>")


def test_a_missing_encoder_says_how_to_make_it(tmp_path: Path) -> None:
    missing = load(tmp_path / "nowhere", make_command="python -m imagen_lit.pretrain_text")
    with pytest.raises(FileNotFoundError, match=r"config\.json.*imagen_lit\.pretrain_text"):
        missing.encode(["a red circle"])


def test_a_width_other_than_the_encoders_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"width 128.*Set text\.width=128\."):
        load(folder, width=512).encode(["a red circle"])
