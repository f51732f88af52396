"""A word that an encoder is taught: one vector, and all else as it was."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion import prediction, schedule, weighting
from imagen_lit.network.unet import UNet
from imagen_lit.stage import word_learning
from imagen_lit.stage.condition import TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.training import Stage
from imagen_lit.text import learned_word
from imagen_lit.text.encoder import HuggingFace
from imagen_lit.text.learned_word import LearnedWord

WIDTH = 16
WORDS = ["<pad>", "</s>", "<unk>", *"a red blue circle above".split()]
CAPTIONS = ["a red zorp", "a zorp above a circle", "a blue zorp"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 of two layers with random weights, which knows five words."""
    folder = tmp_path_factory.mktemp("encoder")
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"d_model": WIDTH, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    config = transformers.T5Config(vocab_size=len(WORDS), dropout_rate=0.0, **shape)
    transformers.T5EncoderModel(config).save_pretrained(folder)
    return folder


def encoder(folder: Path, *words: Path, **changes: Any) -> HuggingFace:
    load = transformers.T5EncoderModel.from_pretrained
    files = [str(word) for word in words]
    return HuggingFace("tiny", str(folder), load, WIDTH, 12, device="cpu", words=files, **changes)


@pytest.fixture
def zorp(folder: Path, tmp_path: Path) -> Path:
    vector = torch.randn(WIDTH, generator=torch.Generator().manual_seed(3))
    word = LearnedWord("zorp", vector, encoder(folder).fingerprint(), {"run": "runs/base"})
    learned_word.write(tmp_path / "zorp.safetensors", word)
    return tmp_path / "zorp.safetensors"


def test_a_file_brings_back_the_word_its_vector_and_its_encoder(folder: Path, zorp: Path) -> None:
    word = learned_word.read(zorp)
    assert (word.text, word.encoder) == ("zorp", encoder(folder).fingerprint())
    assert word.origin == {"run": "runs/base"} and word.vector.shape == (WIDTH,)
    assert zorp.stat().st_size < 2_000


def test_the_word_is_one_token_with_its_vector_and_all_others_stay(
    folder: Path, zorp: Path
) -> None:
    before, after = encoder(folder), encoder(folder, zorp)
    assert after.pieces(["zorp", "circle"]) == [["zorp"], ["circle"]]
    assert torch.equal(before.encode(["a blue circle"])[0], after.encode(["a blue circle"])[0])
    tokens, mask = after.encode(["a red zorp"])
    assert mask.sum() == 4 and tokens.isfinite().all()
    assert not torch.equal(tokens, before.encode(["a red zorp"])[0])
    assert len(after.pieces(["zorps"])[0]) == 1 and "zorp" not in after.pieces(["zorps"])[0]
    vectors = after.model.get_input_embeddings()(torch.tensor([after.token_ids(["zorp"])[0][:1]]))
    assert torch.equal(vectors[0, 0], learned_word.read(zorp).vector)


def test_the_fingerprint_tells_words_apart_and_names_the_same_encoder(
    folder: Path, zorp: Path
) -> None:
    plain, taught = encoder(folder).fingerprint(), encoder(folder, zorp).fingerprint()
    digest = taught.pop("words")
    assert taught == plain
    other = LearnedWord("zorp", torch.zeros(WIDTH), plain)
    assert learned_word.digest([other]) != digest


def learner() -> Stage:
    torch.manual_seed(0)
    network = UNet(WIDTH, [16, 32], [1, 1], [False, True], 16, 32)
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    denoiser = Denoiser(network, schedule.Cosine(), prediction.Velocity())
    optimizer = partial(torch.optim.Adam, lr=1e-3)
    return Stage(denoiser, TextOnly(0.0), weighting.plain, optimizer, images=9, warmup=0)


def batch() -> dict[str, Any]:
    image = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return {"image": image, "position": torch.arange(3), "caption": CAPTIONS}


def test_the_gradient_through_encoder_and_network_is_that_of_differences(
    folder: Path, zorp: Path
) -> None:
    stage, taught = learner(), encoder(folder, zorp)
    vector = taught.model.get_input_embeddings().vectors[0].requires_grad_(True)

    def loss() -> torch.Tensor:
        return word_learning.loss(stage, taught.encode_with_gradient, batch(), 0)

    (gradient,) = torch.autograd.grad(loss(), [vector])
    direction = gradient / gradient.norm()
    ends = []
    with torch.no_grad():
        for step in (0.02, -0.02):
            vector += step * direction
            ends.append(loss().item())
            vector -= step * direction
    assert (ends[0] - ends[1]) / 0.04 == pytest.approx(gradient.norm().item(), rel=0.02)


def test_learning_lowers_the_loss_and_changes_one_vector_alone(folder: Path, zorp: Path) -> None:
    stage, taught = learner(), encoder(folder, zorp)
    vector = taught.model.get_input_embeddings().vectors[0]
    everything = {f"stage.{k}": v for k, v in stage.state_dict().items()}
    everything |= {f"encoder.{k}": v for k, v in taught.model.state_dict().items()}
    before = {name: weight.clone() for name, weight in everything.items()}
    encode = taught.encode_with_gradient
    losses: list[float] = []
    batches = [batch()] * 20
    word_learning.learn(
        stage, encode, vector, batches, 30, 0.05, 0, lambda seen, loss: losses.append(loss)
    )
    assert len(losses) == 10 and losses[-1] < losses[0]
    changed = {name for name in before if not torch.equal(before[name], everything[name])}
    assert {name.rpartition("embed_tokens.")[2].rpartition("shared.")[2] for name in changed} == {
        "vectors.0"
    }
    again = learned_word.read(zorp).vector
    assert not torch.equal(vector, again)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("circle", "is a word of the text encoder"), ("a zorp", "is not one word"), ("", "not one")],
)
def test_a_word_that_is_known_or_several_is_refused(folder: Path, word: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"{reason}.*Set word="):
        learned_word.add(encoder(folder).tokenizer, word, "tiny")


def test_a_word_of_another_encoder_is_refused(folder: Path, tmp_path: Path) -> None:
    other = encoder(folder).fingerprint() | {"weights_sha256": "0" * 64}
    learned_word.write(tmp_path / "w", LearnedWord("zorp", torch.zeros(WIDTH), other))
    with pytest.raises(InputError, match=r"learnt with another text encoder.*weights_sha256.*Set "):
        _ = encoder(folder, tmp_path / "w").model


def test_the_precision_of_an_encoder_is_no_other_encoder(folder: Path, tmp_path: Path) -> None:
    there = encoder(folder).fingerprint()
    learned_word.write(tmp_path / "w", LearnedWord("zorp", torch.ones(WIDTH), there))
    half = encoder(folder, tmp_path / "w", dtype="bfloat16")
    assert half.encode(["a zorp"])[0].isfinite().all()


@pytest.mark.parametrize("content", [None, b"", b"not a word", "foreign"])
def test_a_file_that_is_no_word_is_refused(tmp_path: Path, content: Any) -> None:
    file = tmp_path / "zorp.safetensors"
    if content == "foreign":
        from safetensors.torch import save_file

        save_file({"vector": torch.zeros(4)}, file)
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"no learnt word.*text\.words"):
        learned_word.read(file)
