"""`t5_nano`: a real, tiny T5 in Hugging Face format, made on the spot without the network.

Law: the folder is a pure function of this file, the grammar, the seed and the number of documents;
it is read back through the same door as T5-XXL. It learns from text alone, by T5's own objective,
span corruption (Raffel et al. 2020, § 3.1.4), on scenes told several times over (`scene_grammar`).

Two choices make roles *loud* in the token vectors, where a picture network can hear them: most of
the time the hidden span is a whole retelling, and the decoder is one shallow layer which must
find, by attention alone, the token whose vector says "I am the colour of the thing on top"; and
noise is added to the encoder's output while it learns, so what matters must be said above the
noise.
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

from imagen_lit.text.scene_grammar import documents, vocabulary
from imagen_lit.text.unfinished import Unfinished

SENTINELS = 8
KEEP = 10.0  # seconds after which an unfinished reading is kept
PAD, EOS = 0, 1


def tokenizer() -> PreTrainedTokenizerFast:
    """One piece per word of the grammar, single characters for all else, T5's special tokens."""
    words = [(f"▁{word}", -2.0) for word in vocabulary()]
    letters = [(c, -8.0) for c in "▁abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"-()"]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), *words]
    known = {piece for piece, _ in pieces}
    pieces += [letter for letter in letters if letter[0] not in known]
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


def config(vocab_size: int, width: int, layers: int, heads: int) -> T5Config:
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
def listen_to_neighbours(model: FullT5) -> None:
    """Start with quiet words, and with a third of the heads looking ahead and a third looking
    back.

    Who is on top is a matter of which side of the word "above" one stands on. T5 starts with no
    sense of sides, and with words far louder than what is around them: then it is a parity problem
    on which learning stands still.
    """
    model.shared.weight.mul_(0.3)
    first: Any = model.encoder.block[0]
    bias = first.layer[0].SelfAttention.relative_attention_bias.weight
    buckets, heads = bias.shape
    third = heads // 3
    bias[: buckets // 2, :third] -= 4.0  # the first half of the buckets is what stands before
    bias[buckets // 2 :, third : 2 * third] -= 4.0


def corrupt(caption: str, retellings: list[str], rng: random.Random) -> tuple[str, str]:
    """Span corruption (Raffel et al. 2020, fig. 2): (text with sentinels, what they hide).

    Three times in four every retelling is hidden whole; otherwise short spans are hidden
    everywhere.
    """
    order = rng.sample(retellings, len(retellings))
    if rng.random() < 0.75:
        hidden = [f"<extra_id_{i}> {telling}" for i, telling in enumerate(order)]
        return caption, " ".join(hidden)
    words = " ; ".join([caption, *order[:2]]).split()
    count = max(1, min(SENTINELS - 1, round(0.15 * len(words) / 1.5)))
    starts = sorted(rng.sample(range(0, len(words) - 1, 2), min(count, (len(words) - 1) // 2)))
    shown, hidden, at = [], [], 0
    for i, start in enumerate(starts):
        length = rng.choice((1, 2)) if start + 1 not in starts else 1
        shown += [*words[at:start], f"<extra_id_{i}>"]
        hidden += [f"<extra_id_{i}>", *words[start : start + length]]
        at = start + length
    return " ".join([*shown, *words[at:]]), " ".join(hidden)


def pretrain(
    seed: int = 0,
    documents_seen: int = 48_000,
    batch: int = 32,
    width: int = 128,
    layers: int = 2,
    heads: int = 8,
    noise: float = 1.0,
    peak_rate: float = 7e-4,
    kept: Path | None = None,
) -> Iterator[tuple[int, float, FullT5, PreTrainedTokenizerFast]]:
    """Yields (documents seen, loss, model, tokenizer) after every batch; the caller watches or
    stops. From the file `kept`, where one is named, a reading that was stopped goes on."""
    torch.manual_seed(seed)
    pieces = tokenizer()
    model = FullT5(config(len(pieces), width, layers, heads))
    listen_to_neighbours(model)
    steps = max(1, documents_seen // batch)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=peak_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / 50, (steps - n) / steps * 1.1, 1.0)
    )
    rng, source = random.Random(seed), documents(seed)
    if documents_seen == 0:
        yield 0, float("nan"), model, pieces
        return
    parts = {"model": model, "optimizer": optimizer, "rate": rate}
    settings = [seed, documents_seen, batch, width, layers, heads, noise, peak_rate]
    unfinished = None if kept is None else Unfinished(kept, settings, parts, rng)
    done = 0 if unfinished is None else unfinished.take_up()
    for _ in range(done * batch):
        next(source)
    kept_at = time.monotonic()
    for step in range(done, steps):
        pairs = [corrupt(*next(source), rng) for _ in range(batch)]
        loss = _loss(model, pieces, pairs, noise * min(1.0, 2 * step / steps))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        if unfinished is not None and step + 1 < steps and time.monotonic() >= kept_at + KEEP:
            unfinished.keep(step + 1)
            kept_at = time.monotonic()
        yield (step + 1) * batch, loss.item(), model, pieces


def _loss(
    model: FullT5, pieces: PreTrainedTokenizerFast, pairs: list[tuple[str, str]], noise: float
) -> Tensor:
    shown = pieces([a for a, _ in pairs], padding=True, return_tensors="pt")
    labels = pieces([b for _, b in pairs], padding=True, return_tensors="pt")["input_ids"]
    hidden = model.encoder(
        input_ids=shown["input_ids"], attention_mask=shown["attention_mask"]
    ).last_hidden_state
    loud = hidden + noise * hidden.pow(2).mean(-1, keepdim=True).sqrt() * torch.randn_like(hidden)
    out = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=loud),
        attention_mask=shown["attention_mask"],
        labels=labels.masked_fill(labels == PAD, -100),
    )
    return out.loss


def save(model: FullT5, pieces: PreTrainedTokenizerFast, folder: str) -> None:
    """The encoder alone, in Hugging Face format; written aside, then renamed."""
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    encoder = T5EncoderModel(model.config)
    encoder.load_state_dict(
        {k: v for k, v in model.state_dict().items() if k.startswith(("shared.", "encoder."))}
    )
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as aside:
        made = Path(aside) / "made"
        encoder.save_pretrained(made)
        pieces.save_pretrained(made)
        _settle(made)
        os.replace(made, target)


def _settle(folder: Path) -> None:
    """Encoder-only configuration, and files that colleagues may read."""
    file = folder / "config.json"
    settings = json.loads(file.read_text()) | {"is_encoder_decoder": False, "use_cache": False}
    file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    mask = os.umask(0)
    os.umask(mask)
    for each in folder.iterdir():
        each.chmod(0o666 & ~mask)
