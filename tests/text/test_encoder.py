"""Every Hugging Face encoder of conf/text, loaded by the same code, tiny, in its exact format."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets, config
from imagen_lit.text.encoder import HuggingFace

FILES = sorted((Path(assets.conf()) / "text").glob("*.yaml"))
OPTIONS = [path.stem for path in FILES if "encoder.HuggingFace" in path.read_text()]
WORDS = ["<pad>", "</s>", "<unk>", *"a red blue circle square above of the on".split()]
CAPTIONS = ["a red circle above the blue square", "a square", ""]


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=words, **special)


def model(kind: str, width: int) -> Any:
    """A model of the architecture's own class with two layers and random weights."""
    torch.manual_seed(0)
    small = {"vocab_size": len(WORDS), "num_attention_heads": 2, "num_hidden_layers": 2}
    if kind == "T5EncoderModel":  # saved whole, as Google's are, and loaded as an encoder only
        shape = {"d_model": width, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
        config = transformers.T5Config(
            vocab_size=len(WORDS),
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            **shape,
        )
        return transformers.T5ForConditionalGeneration(config)
    if kind == "BertModel":
        config = transformers.BertConfig(hidden_size=width, intermediate_size=32, **small)
        return transformers.BertForMaskedLM(config)
    text = {"hidden_size": width, "intermediate_size": 32, "eos_token_id": 1, **small}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 2, "image_size": 8, "patch_size": 4}
    return transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision))


def rewrite(file: Path, **changes: Any) -> None:
    """The same settings in another order and layout, with some changes."""
    settings = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(dict(reversed(settings.items())), indent=7))


def make(option: str, folder: Path) -> HuggingFace:
    node = OmegaConf.load(Path(assets.conf()) / "text" / f"{option}.yaml")
    kind = node.load["_target_"].split(".")[1]
    model(kind, node.width).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return config.build(OmegaConf.merge(node, {"path": str(folder), "device": "cpu"}))


@pytest.fixture(scope="module", params=OPTIONS)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make(request.param, tmp_path_factory.mktemp(request.param))


def test_it_returns_vectors_of_its_width_and_zeros_for_padding(encoder: HuggingFace) -> None:
    tokens, mask = encoder.encode(CAPTIONS)
    assert tokens.shape == (3, 8, encoder.width) and tokens.dtype == torch.float32
    assert mask.sum(1).tolist() == [8, 3, 1] == encoder.lengths(CAPTIONS)
    assert not tokens[~mask].any() and tokens[mask].abs().sum(1).min() > 0


def test_a_caption_has_the_same_vectors_in_any_batch(encoder: HuggingFace) -> None:
    together, mask = encoder.encode(CAPTIONS)
    alone, _ = encoder.encode(CAPTIONS[1:2])
    tolerance = 3e-2 if encoder.dtype == "bfloat16" else 1e-5
    torch.testing.assert_close(alone[0], together[1][mask[1]], atol=tolerance, rtol=tolerance)


def test_only_the_encoder_is_loaded(encoder: HuggingFace) -> None:
    names = [name for name, _ in encoder.model.named_parameters()]
    assert not any(n.startswith(("decoder", "lm_head", "vision", "cls")) for n in names), names
    assert all(not p.requires_grad for p in encoder.model.parameters())
    assert {p.dtype for p in encoder.model.parameters()} == {getattr(torch, encoder.dtype)}


def test_the_layer_that_is_set_is_read(tmp_path: Path) -> None:
    clip = make("clip_l14", tmp_path)
    ids = clip.tokenizer(CAPTIONS, padding=True, return_tensors="pt")
    every = clip.model(**{k: ids[k] for k in ("input_ids", "attention_mask")},
                       output_hidden_states=True)  # fmt: skip
    tokens, mask = clip.encode(CAPTIONS)
    torch.testing.assert_close(tokens[mask], every.hidden_states[-2][mask])
    assert (tokens[mask] - every.last_hidden_state[mask]).abs().max() > 1e-3


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_the_encoder_lacks_is_refused(tmp_path: Path, layer: int) -> None:
    encoder = make("t5_small", tmp_path)  # of two layers: three hidden states with the embedding
    encoder.layer = layer
    with pytest.raises(InputError, match=r"has 3 hidden states.*Set text\.layer to -3 … 2\."):
        encoder.encode(CAPTIONS)


@pytest.mark.parametrize("option", [path.stem for path in FILES])
def test_every_option_says_what_it_computes_in(option: str) -> None:
    """An ablation sets one precision for all arms, and the cache is that of one."""
    cfg = config.compose("embed_text", [f"text={option}", "text.dtype=bfloat16", "device=cpu"])
    assert config.build(cfg.text).settings()["compute_dtype"] == "bfloat16"


def test_a_part_that_is_not_needed_is_passed_over_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """BERT's folder has a head for masked words, which no vector comes from."""
    make("bert_base", tmp_path).encode(CAPTIONS)
    assert "UNEXPECTED" not in "".join(capfd.readouterr())


def test_float16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="float16 overflows"):
        HuggingFace("t5", str(tmp_path), print, 8, dtype="float16")


def test_vectors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    encoder = make("t5_small", tmp_path)
    with torch.no_grad():
        next(encoder.model.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match=r"returned non-finite numbers.*Set text\.dtype=float32"):
        encoder.encode(CAPTIONS)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda e, f: setattr(e, "max_length", 16), "max_length"),
        (lambda e, f: setattr(e, "dtype", "bfloat16"), "compute_dtype"),
        (lambda e, f: setattr(e, "layer", -2), "layer"),
        (lambda e, f: model("T5EncoderModel", 512).to(torch.bfloat16).save_pretrained(f),
         "weights_sha256"),
        (lambda e, f: (f / "tokenizer.json").write_text((f / "tokenizer.json").read_text() + " "),
         "tokenizer_sha256"),
        (lambda e, f: (f / "merges.txt").write_text("a b"), "tokenizer_sha256"),
        (lambda e, f: rewrite(f / "tokenizer_config.json", do_lower_case=True),
         "tokenizer_sha256"),
        (lambda e, f: rewrite(f / "config.json", feed_forward_proj="gated-relu"),
         "config_sha256"),
        (lambda e, f: setattr(e, "load", transformers.MT5EncoderModel.from_pretrained), "class"),
    ],
    ids=["length", "precision", "layer", "weights", "tokenizer", "merges", "case", "activation",
         "class"],
)  # fmt: skip
def test_the_fingerprint_differs_in_the_field_that_changed(
    tmp_path: Path, change: Any, field: str
) -> None:
    encoder = make("t5_small", tmp_path)
    before = encoder.fingerprint()
    change(encoder, tmp_path)
    after = encoder.fingerprint()
    assert [name for name in before if before[name] != after[name]] == [field]


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_the_fingerprint_ignores_where_the_folder_is_and_who_wrote_it(
    tmp_path: Path, file: str
) -> None:
    encoder = make("t5_small", tmp_path)
    before = encoder.fingerprint()
    notes = {"_name_or_path": "elsewhere/t5", "name_or_path": "t5", "transformers_version": "9.9"}
    rewrite(tmp_path / file, **notes)
    assert encoder.fingerprint() == before


@pytest.mark.parametrize("option", ["t5_small", "bert_base", "clip_l14"])
@pytest.mark.parametrize("fault", ["prefixed", "missing", "mismatched"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, option: str, fault: str) -> None:
    """transformers would initialise them at random, and continue."""
    encoder = make(option, tmp_path)
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    names = [name for name in sorted(state) if not name.startswith(("decoder", "vision", "cls"))]
    name = next(name for name in names if "attn" in name or "Attention" in name or "self" in name)
    if fault == "prefixed":
        state = {f"model.{key}": value for key, value in state.items()}
    elif fault == "missing":
        del state[name]
    else:
        state[name] = state[name][:-1].clone()
    save_file(state, file, {"format": "pt"})
    with pytest.raises(ValueError, match=r"do not fit .* is missing or of another size, one of"):
        encoder.encode(CAPTIONS)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_reported_in_words(
    tmp_path: Path, file: str, share: float
) -> None:
    encoder = make("t5_small", tmp_path)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cannot be read .* cut short.* again with: hf download"):
        encoder.encode(CAPTIONS)


def test_more_tokens_than_positions_are_refused(tmp_path: Path) -> None:
    encoder = make("clip_l14", tmp_path)
    encoder.max_length = 128
    with pytest.raises(ValueError, match=r"Set text\.max_length=77 or less\."):
        encoder.encode(CAPTIONS)


def test_weights_in_torchs_own_format_are_loaded_too(tmp_path: Path) -> None:
    encoder = make("bert_base", tmp_path)
    expected, _ = encoder.encode(CAPTIONS)
    state = transformers.BertForMaskedLM.from_pretrained(tmp_path).state_dict()
    for file in tmp_path.glob("*.safetensors"):
        file.unlink()
    torch.save(state, tmp_path / "pytorch_model.bin")
    other = HuggingFace("bert", str(tmp_path), encoder.load, 768, device="cpu")
    torch.testing.assert_close(other.encode(CAPTIONS)[0], expected)
    assert len(other.fingerprint()["weights_sha256"]) == 64


def test_a_folder_as_google_publishes_t5_is_loaded(tmp_path: Path) -> None:
    """A sentencepiece model, weights of encoder and decoder in torch's own format, in two parts."""
    text = tmp_path / "text"
    text.write_text("\n".join(["a red circle above the blue square", "two green triangles"] * 50))
    SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "spiece"), vocab_size=60, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    special = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 100}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(special))
    shape = {"d_model": 512, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    whole = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=200, feed_forward_proj="gated-gelu", **shape)
    )
    whole.config.save_pretrained(tmp_path)
    state = whole.state_dict()
    halves = list(state)[: len(state) // 2], list(state)[len(state) // 2 :]
    files = {}
    for number, names in enumerate(halves, 1):
        file = f"pytorch_model-{number:05d}-of-00002.bin"
        torch.save({name: state[name].clone() for name in names}, tmp_path / file)
        files |= dict.fromkeys(names, file)
    index = {"metadata": {}, "weight_map": files}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    node = OmegaConf.load(Path(assets.conf()) / "text" / "t5_small.yaml")
    encoder = config.build(OmegaConf.merge(node, {"path": str(tmp_path), "device": "cpu"}))
    tokens, mask = encoder.encode(["a red circle", "two"])
    ids = encoder.tokenizer(["a red circle"], return_tensors="pt")["input_ids"]
    expected = whole.encoder.eval()(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(tokens[0][mask[0]], expected, atol=1e-5, rtol=1e-4)
    assert set(encoder.fingerprint()) >= {"weights_sha256", "tokenizer_sha256"}


def test_missing_files_are_named_with_the_command_that_gets_them(tmp_path: Path) -> None:
    words = ["text=t5_xxl", f"text.path={tmp_path}/none"]
    encoder = config.build(config.compose("embed_text", words).text)
    with pytest.raises(FileNotFoundError, match=r"lacks config.json.*hf download google/t5"):
        encoder.encode(["a"])
