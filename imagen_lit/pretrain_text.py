"""Pretrain the demo's tiny T5, from text alone, with no download."""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.encoder_folder import EncoderFolder
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.cli import command, config
from imagen_lit.shapes import nano_t5, role_probe

MIN_ROLE_SHARE = 0.02  # below this, an image network hardly notices roles; random weights: 1.6 %
WARM_UP, TRIAL, LONGEST = 2, 10, 5  # batches before the timed ones; these, or so many seconds
COMMAND = "python -m imagen_lit.pretrain_text"


def pretrain(
    folder: Path,
    documents: int,
    seed: int,
    report: Callable[[int, float], None],
    width: int = 128,
) -> bool:
    """Write the encoder unless it exists; return whether it is new. One that was pretrained with
    other settings is refused, finished or not, and so is a second process."""
    place = target(folder, documents, seed, width)
    if place.is_finished():
        return False
    place.refuse_other_place()
    with place.exclusive():
        if place.is_finished():  # by now
            return False
        steps = nano_t5.pretrain(seed, documents, width=width, state_file=place.unfinished)
        for done, loss, model, tokenizer in steps:
            report(done, loss)
            encoder = model, tokenizer
        if done < documents:  # what is left would fill no batch
            report(documents, loss)
        nano_t5.save(*encoder, str(folder))
        place.finish()
    return True


def target(folder: Path, documents: int, seed: int, width: int) -> EncoderFolder:
    """The folder, with the settings of the encoder that belongs there."""
    settings = {"documents": documents, "seed": seed, "width": width}
    return EncoderFolder(folder, settings, COMMAND, {"width": "d_model"})


def seconds_left(folder: Path, documents: int, seed: int, width: int = 128) -> float:
    """How long the pretraining will still take here, from a few batches now; 0 if it is done."""
    if (folder / "config.json").is_file():
        return 0.0
    moments = []
    place = target(folder, documents, seed, width)
    with place.exclusive():
        steps = nano_t5.pretrain(seed, documents, width=width, state_file=place.unfinished)
        for done, *_ in islice(steps, WARM_UP + TRIAL):
            moments.append((time.monotonic(), done))
            if len(moments) > WARM_UP and moments[-1][0] - moments[WARM_UP - 1][0] > LONGEST:
                break
    if len(moments) <= WARM_UP:
        return 0.0  # there is hardly anything to read
    (then, before), (now, after) = moments[WARM_UP - 1], moments[-1]
    return (documents - after) * (now - then) / (after - before)


def is_ours(make_command: str | None) -> bool:
    """Whether this command makes the encoder, as opposed to a model from elsewhere."""
    return make_command is not None and "imagen_lit.pretrain_text" in make_command


def require_untrained(name: str, documents: int) -> None:
    """Refuse to pretrain the control, which has random weights on purpose."""
    if name.endswith("random") and documents:
        raise InputError(
            f"text={name} is the control with random weights, and documents={documents}. "
            "Set documents=0."
        )


def progress(documents: int) -> Callable[[int, float], None]:
    """A progress line with the loss."""
    counter = Counter("documents read")
    return lambda done, loss: counter(done, documents, f"loss {loss:.3f}")


def role_share(cfg: DictConfig, folder: Path) -> float:
    """How clearly the encoder's token vectors say which thing is where."""
    return role_probe.share(config.build({**cfg.text, "path": str(folder), "width": cfg.width}))


def verdict(share: float) -> str:
    """The same in words."""
    return (
        f"where a thing stands (above, below, left or right of the other) explains {share:.1%} of "
        f"what differs among the vectors of its colour word. Below {MIN_ROLE_SHARE:.0%}, as with "
        "random weights, an image network hardly notices it; above, the share tells no more: a few "
        "thousand documents can reach it, and more of them teach other things"
    )


def advice(cfg: DictConfig, folder: Path, share: float) -> str:
    """What to do where the encoder learnt too little; empty where it did not, or was not to."""
    if not cfg.documents or share >= MIN_ROLE_SHARE:
        return ""
    return f". Remove {folder}, then raise documents=... or set another seed=..."


@command.main("pretrain_text")
def main(cfg: DictConfig) -> None:
    """Make the encoder, and print how clearly it encodes roles."""
    arguments.whole_numbers(cfg, documents=0, seed=0, width=8)
    if not is_ours(make_command := cfg.text.get("make_command")):
        source = f"comes from {make_command}" if make_command else "needs no files"
        raise InputError(
            f"text={cfg.text.name} is not an encoder that this command makes: it {source}. Set "
            "text=t5_nano for the demo's own."
        )
    require_untrained(cfg.text.name, cfg.documents)
    folder = chosen_folder.of("folder", cfg.folder)
    is_new = pretrain(folder, cfg.documents, cfg.seed, progress(cfg.documents), cfg.width)
    what = "the encoder" if cfg.documents else "the encoder, of random weights (documents=0),"
    verb, share = "is" if is_new else "was already", role_share(cfg, folder)
    words = f"{verdict(share)}{advice(cfg, folder, share)}"
    print(f"{what} {verb} in {folder}; {words}")


if __name__ == "__main__":
    main()
