"""The demo's encoder is a real one: made from text, the same every time, read like T5-XXL."""

import random
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import T5EncoderModel

from imagen_lit.data.demo_scene import CONVERSE
from imagen_lit.text import nano, role
from imagen_lit.text.encoder import HuggingFace
from imagen_lit.text.scene_grammar import documents, vocabulary


def make(folder: Path, seen: int = 64, seed: int = 0) -> Path:
    *_, (_, _, model, pieces) = nano.pretrain(seed=seed, documents_seen=seen)
    nano.save(model, pieces, str(folder))
    return folder


def opened(folder: Path, **changes: object) -> HuggingFace:
    given = {"name": "t5_nano", "path": str(folder), "width": 128, "max_length": 48} | changes
    return HuggingFace(load=T5EncoderModel.from_pretrained, **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("encoders") / "t5_nano")


def test_the_same_seed_makes_the_same_encoder(folder: Path, tmp_path: Path) -> None:
    again = opened(make(tmp_path / "again")).fingerprint()
    other = opened(make(tmp_path / "other", seed=1)).fingerprint()
    first = opened(folder).fingerprint()
    assert first == again
    assert first["weights_sha256"] != other["weights_sha256"]
    assert first["tokenizer_sha256"] == other["tokenizer_sha256"]


@pytest.mark.parametrize("stopped", [[2], [3, 4]])
def test_a_reading_that_was_stopped_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: list[int]
) -> None:
    monkeypatch.setattr(nano, "KEEP", 0)
    kept, read = tmp_path / "kept", []
    for steps in stopped:  # each start reads so many batches, and is stopped
        reading = nano.pretrain(documents_seen=256, kept=kept)
        read += [seen // 32 for _, (seen, *_) in zip(range(steps), reading, strict=False)]
    torch.rand(3)  # whoever continues has another past
    *_, (seen, loss, model, _) = nano.pretrain(documents_seen=256, kept=kept)
    *_, (_, plain_loss, plain, _) = nano.pretrain(documents_seen=256)
    assert (seen, loss) == (256, plain_loss)
    assert all(map(torch.equal, model.state_dict().values(), plain.state_dict().values()))
    assert read == list(range(1, sum(stopped) + 1)), "nothing is read again"


@pytest.mark.parametrize("other", [{"seed": 1}, {"documents_seen": 128}, {"noise": 0.5}])
def test_what_was_kept_of_another_reading_is_not_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict
) -> None:
    monkeypatch.setattr(nano, "KEEP", 0)
    kept = tmp_path / "kept"
    next(islice(nano.pretrain(documents_seen=256, kept=kept), 4, None))
    assert kept.exists()
    first, *_ = next(nano.pretrain(**{"documents_seen": 256, **other}, kept=kept))
    assert first == 32
    kept.write_bytes(kept.read_bytes()[:1000])
    first, *_ = next(nano.pretrain(documents_seen=256, kept=kept))
    assert first == 32, "nor is half of a file"


def test_reading_makes_the_hidden_retelling_less_surprising() -> None:
    losses = [loss for _, loss, *_ in nano.pretrain(documents_seen=32 * 80)]
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])


def test_roles_are_heard_where_they_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of vectors that are the role and noise of known size, the share is known; of noise, none."""
    told = [("red", "blue"), ("pink", "green")] * 500
    monkeypatch.setattr(role.demo_caption, "phrase", lambda rng, each: " above ".join(next(pairs)))
    pieces = nano.tokenizer()
    rng = torch.Generator().manual_seed(0)

    def heard(loud: float) -> float:
        nonlocal pairs
        pairs = iter(told)
        roles = iter(expected)

        def encode(captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
            ids = pieces(captions, padding=True, return_tensors="pt")["input_ids"]
            vectors = torch.randn(*ids.shape, 64, generator=rng)
            for row, (first, second) in enumerate(roles):
                vectors[row, 0] += loud * axes[first]
                vectors[row, 2] += loud * axes[second]
            return vectors, ids > 0

        return role.share(SimpleNamespace(encode=encode, tokenizer=pieces), captions=1000)

    def expectation(told_rng: object, scene: dict) -> dict:
        expected.append((scene["relation"], CONVERSE[scene["relation"]]))
        return {"relation": scene["relation"]}

    expected: list[tuple[str, str]] = []
    pairs = iter(told)
    axes = {name: torch.eye(64)[i] * 8 for i, name in enumerate(CONVERSE)}
    monkeypatch.setattr(role.demo_caption, "expectation", expectation)
    assert heard(0.0) < 0.01
    expected.clear()
    loud = heard(1.0)  # of 8² + 64 after the mean of four roles is taken off: 48 / 112
    assert loud == pytest.approx(48 / 112, abs=0.05)


def test_a_caption_means_the_same_in_any_company(folder: Path) -> None:
    encoder = opened(folder)
    one = "a red circle above a blue square"
    alone, mask = encoder.encode([one])
    among, masks = encoder.encode(["three green triangles", one, "a picture of a small red cross"])
    length = int(mask.sum())
    torch.testing.assert_close(alone[0, :length], among[1, :length], atol=1e-5, rtol=1e-4)
    assert masks[1].sum() == length
    assert not among[~masks].any(), "what is padded is zero"


def test_every_word_of_the_grammar_is_one_token_and_any_other_can_be_spelled() -> None:
    pieces = nano.tokenizer()
    for word in vocabulary():
        assert len(pieces(word)["input_ids"]) == 2, word
    spelled = pieces('the word "yak" on a wombat')["input_ids"]
    assert pieces.unk_token_id not in spelled
    assert pieces.decode(spelled, skip_special_tokens=True) == 'the word "yak" on a wombat'


def test_what_is_hidden_and_what_is_shown_make_up_the_document() -> None:
    rng = random.Random(0)
    for caption, retellings in islice(documents(3), 300):
        shown, hidden = nano.corrupt(caption, retellings, rng)
        words = {w for telling in (caption, *retellings) for w in telling.split()} | {";"}
        said = {w for w in (shown + " " + hidden).split() if not w.startswith("<extra_id_")}
        assert said <= words
        assert hidden.startswith("<extra_id_0>")


def test_a_retelling_says_what_its_caption_says() -> None:
    """An independent reading: who is on top according to the caption, and to each retelling."""
    relations = {"above": "top", "over": "top", "below": "bottom", "under": "bottom"}
    for caption, retellings in islice(documents(5), 600):
        words = caption.split()
        place = next((relations[w] for w in words if w in relations), None)
        if place is None:
            continue
        at = next(i for i, w in enumerate(words) if w in relations)
        first, second = words[at - 2 : at], words[-2:]
        upper, lower = (first, second) if place == "top" else (second, first)
        for telling in retellings:
            told = telling.split()
            if "," in told:
                halves = telling.split(" , ")
                top = next(h for h in halves if h.startswith("top"))
                assert top.split()[-2:] == upper
                assert next(h for h in halves if h.startswith("bottom")).split()[-2:] == lower


def test_a_missing_encoder_says_how_to_make_it(tmp_path: Path) -> None:
    lost = opened(tmp_path / "nowhere", made_by="python -m imagen_lit.pretrain_text")
    with pytest.raises(FileNotFoundError, match=r"config\.json.*imagen_lit\.pretrain_text"):
        lost.encode(["a red circle"])


def test_a_width_that_is_not_the_encoder_s_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"width 128.*text\.width=128"):
        opened(folder, width=512).encode(["a red circle"])
