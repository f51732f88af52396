"""Teach a frozen text encoder one word from a few pictures, by a trained stage's own loss.

The file that it writes is a vector. With `+text.words=[words/zorp.safetensors]` every command knows
the word: no network has changed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from imagen_lit.basics import arguments, chosen_folder, device
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.cli import command, config
from imagen_lit.data.captioned_images import CaptionedImages
from imagen_lit.run import run_folder
from imagen_lit.stage import word_learning
from imagen_lit.text import learned_word, lost_text
from imagen_lit.text.encoder import HuggingFace
from imagen_lit.text.learned_word import LearnedWord


def learn(cfg: DictConfig, run: Path, file: Path) -> LearnedWord:
    """Learn the word, and write its file."""
    encoder = _encoder(cfg)
    fingerprint = encoder.fingerprint()
    if difference := run_folder.text_difference(run, fingerprint):
        raise InputError(
            f"run={run} was trained with another text encoder ({difference}). Set text=... as it "
            "was trained."
        )
    learned_word.add(encoder.tokenizer, cfg.word, encoder.name)  # refused here, before any work
    start, learner = _start(_encoder(cfg), cfg.like), _encoder(cfg)
    learner.words.append(LearnedWord(cfg.word, start, fingerprint))
    vector: nn.Parameter = learner.model.get_input_embeddings().vectors[-1]  # type: ignore[operator]
    stage = run_folder.load_stage(run).to(device.choose(cfg.device))
    progress, done = Counter("images"), 0

    def report(images_seen: int, loss: float) -> None:
        nonlocal done
        done = min(images_seen, cfg.images)
        progress(done, cfg.images)

    batches = _batches(cfg, run_folder.read_settings(run)["data"]["size"])
    encode = learner.encode_with_gradient
    word_learning.learn(stage, encode, vector, batches, cfg.images, cfg.lr, cfg.seed, report)
    origin = {"run": str(run), "images": str(cfg.images), "seed": str(cfg.seed)}
    origin["weights"] = str(run_folder.weights(run)["digest"])
    word = LearnedWord(cfg.word, vector.detach(), fingerprint, origin)
    learned_word.write(file, word)
    return word


def _encoder(cfg: DictConfig) -> HuggingFace:
    encoder = config.build(cfg.text)
    if not isinstance(encoder, HuggingFace):
        raise InputError(
            f"text={encoder.name} has no table of input vectors that could learn one more. "
            "Set text=t5_nano, for example."
        )
    return encoder


def _start(encoder: HuggingFace, like: str | None) -> Tensor:
    """The vector to begin with: the mean of a known word's, or of all."""
    table: Any = encoder.model.get_input_embeddings()  # type: ignore[operator]
    if like is None:
        return table.weight.float().mean(0).cpu()
    if lost_text.unknown_words(encoder, [str(like)]):
        raise InputError(
            f"like={like}: the text encoder {encoder.name} does not know it, and a mean of its "
            "letters means nothing. Set like=... to a word that it knows, or like=null."
        )
    ids = encoder.tokenizer(str(like), add_special_tokens=False)["input_ids"]
    return table(torch.tensor(ids, device=table.weight.device)).float().mean(0).cpu()


def _batches(cfg: DictConfig, size: int) -> Iterator[dict[str, Any]]:
    """The endless stream of the pictures, all of whose captions have the word."""
    data = CaptionedImages(str(cfg.shards), size, cfg.batch_size, seed=cfg.seed, validation=0)
    data.setup()
    captions = list(data.training_captions())
    without = [each for each in captions if not re.search(rf"\b{re.escape(cfg.word)}\b", each)]
    if without or not captions:
        example = f", such as {without[0]!r}" if without else ""
        raise InputError(
            f"{len(without)} of the {len(captions)} captions in {cfg.shards} lack the word "
            f"{cfg.word!r}{example}. Set shards=... to pictures of it, or word=... to theirs."
        )
    yield from data.train_dataloader()


@command.main("learn_word")
def main(cfg: DictConfig) -> None:
    """Learn the word, and print where it is and how it is used."""
    arguments.whole_numbers(cfg, images=1, batch_size=1, seed=0)
    arguments.positive_number("lr", cfg.lr)
    file = arguments.path("file", cfg.file or f"words/{cfg.word}.safetensors")
    chosen_folder.require_writable("file", cfg.file, file.parent)
    if file.exists():
        raise InputError(f"{file} is there already. Set file=... to another, or remove it.")
    learn(cfg, chosen_folder.of("run", cfg.run), file)
    print(f"the word {cfg.word} is in {file}; add +text.words=[{file}] to a command to use it")


if __name__ == "__main__":
    main()
