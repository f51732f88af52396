"""How a small CLIP learns from captioned images: towers and tokenizer, made on the spot.

Law: they are a pure function of the images, the settings and the seed; interrupted and resumed,
they are the same, bit for bit (on a CPU). Images that are held back are never seen, nor are their
captions.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer

from imagen_lit.basics.pretraining_state import PretrainingState
from imagen_lit.contrastive import tokenizer as tokens
from imagen_lit.contrastive.contrastive_loss import pair_losses, same_captions
from imagen_lit.contrastive.two_towers import Shape, TwoTowers
from imagen_lit.data.captioned_images import CaptionedImages

SAVE_EVERY = 10.0  # seconds
CAPTIONS = 200_000  # that the tokenizer is learnt from, at most
WARM_UP = 0.05  # share of the steps in which the learning rate rises


class Schedule(NamedTuple):
    """How many images are seen, the peak learning rate, and the seed of the first weights."""

    images: int
    lr: float
    seed: int


class Progress(NamedTuple):
    """Where the pretraining stands after a batch, of `images` in all."""

    images_seen: int
    images: int
    loss: float
    model: TwoTowers
    tokenizer: Tokenizer


def pretrain(
    data: CaptionedImages,
    shape: Shape,
    schedule: Schedule,
    device: torch.device,
    settings: Mapping[str, Any],
    state_file: Path | None = None,
) -> Iterator[Progress]:
    """Yield after every batch; the caller may stop at any time. An interrupted pretraining resumes
    from the `state_file`; that of other `settings`, or of other shards, is refused."""
    torch.manual_seed(schedule.seed)
    tokenizer = tokens.learn(
        islice(data.training_captions(), CAPTIONS), shape.vocabulary, shape.max_length
    )
    model = TwoTowers(shape).to(device)
    steps = max(1, schedule.images // data.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.lr, betas=(0.9, 0.98), weight_decay=0.05
    )
    warm_up = max(1, round(WARM_UP * steps))
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / warm_up, (steps - n) / (steps - warm_up + 1))
    )
    state, done = None, 0
    if state_file is not None:
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
        shards, _ = data.held_back()
        identity = {**settings, "shards.stamp": shards.stamp}
        state = PretrainingState(state_file, identity, settings, parts)
        done = state.resume()
    data.start_at(done * data.batch_size)
    saved_at = time.monotonic()
    for step, batch in enumerate(islice(data.train_dataloader(), steps - done), done + 1):
        ids, mask = (each.to(device) for each in tokens.encode(tokenizer, batch["caption"]))
        losses = pair_losses(
            model.image_features(batch["image"].to(device)),
            model.text_features(ids, mask),
            model.scale,
            same_captions(ids),
        )
        optimizer.zero_grad(set_to_none=True)
        loss = losses.mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        model.limit_scale()
        if state is not None and step < steps and time.monotonic() >= saved_at + SAVE_EVERY:
            state.save(step)
            saved_at = time.monotonic()
        yield Progress(
            step * data.batch_size, steps * data.batch_size, loss.item(), model, tokenizer
        )
