"""`t5_nano`: a real, tiny T5 in Hugging Face format, pretrained on the spot, with no download.

Law: the folder is a pure function of this file, the grammar, the seed and the number of documents;
it is loaded by the same code as T5-XXL. It learns from text alone, by T5's own objective, span
corruption (Raffel et al. 2020, § 3.1.4), on scenes described several times over (`grammar`).

Two choices give roles a large share of the token vectors' variance, so that an image network can
use them: most of the time the hidden span is a whole description, and the decoder is one shallow
layer, which must find by attention alone the token whose vector says "I am the colour of the thing
on top"; and noise is added to the encoder's output during pretraining, so what matters must have a
larger amplitude than the noise.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel
from transformers import T5ForConditionalGeneration as FullT5
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from imagen_lit.basics.pretraining_state import PretrainingState
from imagen_lit.shapes.grammar import documents, vocabulary

SENTINELS = 8
SAVE_EVERY = 10.0  # seconds
PAD, EOS = 0, 1


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word of the grammar, characters for anything else, T5's special tokens."""
    words = [(f"▁{word}", -2.0) for word in vocabulary()]
    letters = [(c, -8.0) for c in "▁abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"-()"]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), *words]
    names = {piece for piece, _ in pieces}
    pieces += [letter for letter in letters if letter[0] not in names]
    core = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    core.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    core.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=[f"<extra_id_{i}>" for i in range(SENTINELS)],
    )


def make_config(vocab_size: int, width: int, layers: int, heads: int) -> T5Config:
    """T5 v1.1 with one decoder layer."""
    return T5Config(  # type: ignore[call-arg]
        vocab_size=vocab_size,
        d_model=width,
        d_kv=width // heads,
        d_ff=2 * width,
        num_layers=layers,
        num_decoder_layers=1,
        num_heads=heads,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=True,
        dropout_rate=0.0,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=PAD,
    )


@torch.no_grad()
def initialise_for_word_order(model: FullT5) -> None:
    """Start with small word embeddings, a third of the heads looking ahead and a third looking
    back.

    Which thing is on top depends on which side of the word "above" it is mentioned. T5 starts with
    no sense of direction, and with word embeddings far larger than what attention adds to them:
    that makes it a parity problem, on which learning stalls.
    """
    model.shared.weight.mul_(0.3)
    first: Any = model.encoder.block[0]
    bias = first.layer[0].SelfAttention.relative_attention_bias.weight
    buckets, heads = bias.shape
    third = heads // 3
    bias[: buckets // 2, :third] -= 4.0  # the first half of the buckets are positions before
    bias[buckets // 2 :, third : 2 * third] -= 4.0


def corrupt(caption: str, descriptions: list[str], rng: random.Random) -> tuple[str, str]:
    """Span corruption (Raffel et al. 2020, fig. 2): (text with sentinels, what they hide).

    Three times in four every description is hidden entirely; otherwise short spans are hidden
    throughout.
    """
    order = rng.sample(descriptions, len(descriptions))
    if rng.random() < 0.75:
        spans = [f"<extra_id_{i}> {description}" for i, description in enumerate(order)]
        return caption, " ".join(spans)
    words = " ; ".join([caption, *order[:2]]).split()
    count = max(1, min(SENTINELS - 1, round(0.15 * len(words) / 1.5)))
    starts = sorted(rng.sample(range(0, len(words) - 1, 2), min(count, (len(words) - 1) // 2)))
    source, target, position = [], [], 0
    for i, start in enumerate(starts):
        length = rng.choice((1, 2)) if start + 1 not in starts else 1
        source += [*words[position:start], f"<extra_id_{i}>"]
        target += [f"<extra_id_{i}>", *words[start : start + length]]
        position = start + length
    return " ".join([*source, *words[position:]]), " ".join(target)


def pretrain(
    seed: int = 0,
    document_count: int = 48_000,
    batch: int = 32,
    width: int = 128,
    layers: int = 2,
    heads: int = 8,
    noise: float = 1.0,
    peak_rate: float = 7e-4,
    state_file: Path | None = None,
) -> Iterator[tuple[int, float, FullT5, PreTrainedTokenizerFast]]:
    """Yield (documents read, loss, model, tokenizer) after every batch; the caller may stop at any
    time. With a `state_file`, an interrupted pretraining resumes from it; that of other settings is
    refused."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    model = FullT5(make_config(len(tokenizer), width, layers, heads))
    initialise_for_word_order(model)
    steps = max(1, document_count // batch)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=peak_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / 50, (steps - n) / steps * 1.1, 1.0)
    )
    rng, source = random.Random(seed), documents(seed)
    if document_count == 0:
        yield 0, float("nan"), model, tokenizer
        return
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    typed: dict[str, float] = {"documents": document_count, "seed": seed, "width": width}
    settings = typed | {"batch": batch, "layers": layers, "heads": heads}
    settings |= {"noise": noise, "peak_rate": peak_rate}
    state = None
    if state_file is not None:
        state = PretrainingState(state_file, settings, typed, parts, rng)
    done = 0 if state is None else state.resume()
    for _ in range(done * batch):
        next(source)
    saved_at = time.monotonic()
    for step in range(done, steps):
        pairs = [corrupt(*next(source), rng) for _ in range(batch)]
        loss = _loss(model, tokenizer, pairs, noise * min(1.0, 2 * step / steps))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if state is not None and step + 1 < steps and time.monotonic() >= saved_at + SAVE_EVERY:
            state.save(step + 1)
            saved_at = time.monotonic()
        yield (step + 1) * batch, loss.item(), model, tokenizer


def _loss(
    model: FullT5, tokenizer: PreTrainedTokenizerFast, pairs: list[tuple[str, str]], noise: float
) -> Tensor:
    source = tokenizer([text for text, _ in pairs], padding=True, return_tensors="pt")
    target = tokenizer([text for _, text in pairs], padding=True, return_tensors="pt")
    labels = target["input_ids"]
    hidden = model.encoder(
        input_ids=source["input_ids"], attention_mask=source["attention_mask"]
    ).last_hidden_state
    noisy = hidden + noise * hidden.pow(2).mean(-1, keepdim=True).sqrt() * torch.randn_like(hidden)
    out = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=noisy),
        attention_mask=source["attention_mask"],
        labels=labels.masked_fill(labels == PAD, -100),
    )
    return out.loss


def save(model: FullT5, tokenizer: PreTrainedTokenizerFast, folder: str) -> None:
    """Write only the encoder, in Hugging Face format; the folder is either complete or absent."""
    logging.disable_progress_bar()  # our own line is the only one
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    encoder = T5EncoderModel(model.config)
    encoder.load_state_dict(
        {k: v for k, v in model.state_dict().items() if k.startswith(("shared.", "encoder."))}
    )
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        files = Path(temporary) / "encoder"
        encoder.save_pretrained(files)
        tokenizer.save_pretrained(files)
        _finalise(files)
        os.replace(files, target)


def _finalise(folder: Path) -> None:
    """An encoder-only configuration, and file modes that follow the umask."""
    file = folder / "config.json"
    settings = json.loads(file.read_text()) | {"is_encoder_decoder": False, "use_cache": False}
    file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    mask = os.umask(0)
    os.umask(mask)
    for each in folder.iterdir():
        each.chmod(0o666 & ~mask)
