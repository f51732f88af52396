"""The control without order: words permuted are vectors permuted, and a network sees no other."""

import hashlib
import random
from pathlib import Path

import pytest
import tiny_network
import torch
from hypothesis import given
from hypothesis import strategies as st
from laptop import SMALL, run
from tiny_world import sample

from imagen_lit import embed_text, pretrain_text
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.data import sidecar
from imagen_lit.data.shard_files import shard
from imagen_lit.run import run_folder
from imagen_lit.shapes import role_probe
from imagen_lit.text import lost_text
from imagen_lit.text.bag_of_words import BagOfWords

CAPTION = "a red circle above the blue square"


def bag(
    width: int = 128, max_length: int = 128, seed: int = 0, dtype: str = "float32"
) -> BagOfWords:
    return BagOfWords("bag_of_words", width, max_length, seed, "cpu", dtype)


def test_a_vector_is_the_bits_of_a_hash() -> None:
    """By hand: the first 12 bits of SHAKE-256 of "7 red", one for +1 and zero for -1."""
    number = int.from_bytes(hashlib.shake_256(b"7 red").digest(2)) >> 4
    expected = [1.0 if number >> place & 1 else -1.0 for place in range(11, -1, -1)]
    tokens, mask = bag(12, seed=7).encode(["Red", ""])
    assert tokens[0, 0].tolist() == expected
    assert mask.tolist() == [[True, True], [True, False]] and not tokens[1, 1].any()
    assert torch.equal(tokens[0, 1], tokens[1, 0]), "the end, which every text has"
    assert not torch.equal(bag(12, seed=8).encode(["red"])[0][0, 0], tokens[0, 0])


@given(st.lists(st.sampled_from("a red circle zebra снег # 1 ﬁne".split()), max_size=12), st.data())
def test_words_permuted_are_vectors_permuted(words: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(words))))
    (one, other), mask = bag(16).encode([" ".join(words), " ".join(words[i] for i in order)])
    assert torch.equal(other, one[[*order, len(words)]]) and mask.all()


def test_a_network_draws_the_same_of_any_order_of_the_words() -> None:
    network = tiny_network.build("demo_unet", lowres_channels=0).double().eval()
    shuffled = CAPTION.split()
    random.Random(0).shuffle(shuffled)
    texts = [[CAPTION] * 3, [" ".join(shuffled)] * 3, [CAPTION.replace("red", "green")] * 3]
    z = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    encoder, noise = bag(tiny_network.text_width(network)), torch.tensor([-3.0, 0.0, 4.0]).double()
    one, other, third = (
        network(z, noise, text=text.double(), mask=mask)
        for text, mask in map(encoder.encode, texts)
    )
    torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)
    assert (third - one).abs().max() > 1e-6, "it does read the words"


def test_vectors_have_unit_variance_and_are_nearly_orthogonal() -> None:
    vectors = bag(512).encode([CAPTION])[0][0]
    cosines = vectors @ vectors.T / 512
    assert torch.equal(vectors.square(), torch.ones_like(vectors))
    assert torch.equal(cosines.diagonal(), torch.ones(8))
    assert cosines.fill_diagonal_(0).abs().max() < 5 / 512**0.5  # five standard deviations


def test_who_is_where_is_not_in_it() -> None:
    """A colour has one vector everywhere; so its role has no share in what differs among them, but
    for what colours and roles have to do with each other in the captions."""
    assert role_probe.share_within_words(bag(32), 500) < 1e-9
    assert 1e-4 < role_probe.share(bag(32), 500) < 0.02
    tokens, _ = bag().encode(["a red circle above a blue square", "a blue circle above a red one"])
    assert torch.equal(tokens[0, 1], tokens[1, 5]) and torch.equal(tokens[0, 5], tokens[1, 1])


def test_the_settings_are_the_fingerprint() -> None:
    prints = [bag().fingerprint(), *(bag(**{key: value}).fingerprint() for key, value in (
        ("width", 64), ("max_length", 64), ("seed", 1), ("dtype", "bfloat16")))]  # fmt: skip
    changed = [[k for k in prints[0] if each[k] != prints[0][k]] for each in prints]
    assert changed == [[], ["width"], ["max_length"], ["seed"], ["compute_dtype"]]
    assert bag().missing_files() == "" and bag().settings().items() <= prints[0].items()


def test_what_is_beyond_its_length_is_lost_and_no_word_is_unknown() -> None:
    short = bag(max_length=4)
    assert short.lengths([CAPTION, "a", ""]) == short.encode([CAPTION, "a", ""])[1].sum(1).tolist()
    assert short.lengths([CAPTION]) == [4]
    assert lost_text.words_beyond(short, CAPTION) == "above the blue square"
    assert lost_text.unknown_words(short, ["zebra снег #1 \N{GRINNING FACE}"]) == set()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"dtype": "float16"}, r"text\.dtype=float16 is not one of float32, bfloat16"),
        ({"width": 0}, "text.width=0 is not a whole number of 1 or more"),
        ({"max_length": 0}, "text.max_length=0 is not a whole number of 1 or more"),
        ({"seed": -1}, "text.seed=-1 is not a whole number of 0 or more"),
    ],
)
def test_impossible_settings_are_refused(change: dict, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        bag(**change)


def test_the_command_that_pretrains_has_nothing_to_do_for_it() -> None:
    with pytest.raises(InputError, match=r"needs no files\. Set text=t5_nano"):
        pretrain_text.main(config.compose("pretrain_text", ["text=bag_of_words"]))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shard.write(tmp_path / "laion/00000.tar", [sample(number) for number in range(40)])
    return tmp_path


WORDS = ("shards=laion", "text=bag_of_words", "text.device=cpu")


@pytest.mark.parametrize("storage", ["bfloat16", "float32", "int8"])
def test_a_cache_keeps_it_exactly_in_any_storage(place: Path, storage: str) -> None:
    embed_text.main(config.compose("embed_text", [*WORDS, f"storage={storage}"]))
    caption = sample(3)["caption"]
    row = sidecar.Sidecar(place / "laion.text/bag_of_words/00000.safetensors").row(3)
    torch.testing.assert_close(row.float(), bag().encode([caption])[0][0], rtol=1e-6, atol=0)


def test_a_dry_run_knows_its_hours_without_a_product(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embed_text.main(config.compose("embed_text", [*WORDS, "dry_run=true", "trial_seconds=0.01"]))
    report = capsys.readouterr().out
    assert "h100     0.00 hours for all" in report and "less than a twentieth" in report


@pytest.mark.slow
def test_from_captions_to_a_training_step(place: Path) -> None:
    data = ["data=shards", "data.shards=laion", "data.validation=8", "data.size=16"]
    words = ["text=bag_of_words", "name=bag", *data, *SMALL, "stage.images=16", "callbacks=default"]
    message = run("train", *words, folder=place, expect=1).stderr
    assert "Type python -m imagen_lit.embed_text shards=laion text=bag_of_words." in message
    run("embed_text", *WORDS, folder=place)
    run("train", *words, folder=place)
    assert run_folder.images_seen(place / "runs/bag") == 16
