"""Before a stage is trained: what it will take, what is missing, and which command makes it.

The commands come in the order in which they have to be typed. Whether existing data fit together is
checked when they are opened.
"""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, encoder_command, hardware
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.data import sidecar, transform
from imagen_lit.data.shard_files.index_cache import meta_folder
from imagen_lit.run import estimate, meta_device, run_folder
from imagen_lit.run.trainer import GPU, device_count, no_accelerator, wants_accelerator
from imagen_lit.stage.fsdp import FullySharded
from imagen_lit.stage.training import Stage

SMALLER = 32  # the micro-batch that the screen gives as an example

_print = rank_zero_only(print)


def require(cfg: DictConfig) -> estimate.Work:
    """Print what this run will take, and raise if something is missing."""
    result, missing = inspect(cfg, full=wants_accelerator(cfg))
    if missing:
        more = f" (and {len(missing) - 1} more, listed above in order)" if missing[1:] else ""
        raise InputError(f"{missing[0]}{more}")
    return result


def inspect(cfg: DictConfig, full: bool) -> tuple[estimate.Work, list[str]]:
    """Print the whole screen, or one line; the work, and a sentence for each missing thing."""
    folder = run_folder.locate(cfg.runs, cfg.name)
    arguments.whole_numbers(cfg, seed=0)
    for part in ("data", "text", "stage"):  # whose values the estimate reads before they are built
        config.check(OmegaConf.to_container(cfg[part], resolve=True), part)
    transform.refuse_size(cfg.data.size)
    transform.refuse_crop(cfg.data.crop, cfg.data.size)
    shards = None if OmegaConf.is_missing(cfg.data, "shards") else str(cfg.data.shards)
    with torch.device("meta"):
        stage: Stage = config.build(cfg.stage)
        stage.configure_optimizers()  # which may refuse its settings only now
    edge = cfg.data.crop or cfg.data.size
    _refuse_beyond_memory(cfg, edge)
    refuse_slow_compiler(cfg)
    facts = stage, cfg.data.batch_size, edge, cfg.text.width
    result: estimate.Work
    crop = f" (squares of {edge} from them)" if cfg.data.crop else ""
    title = f"{cfg.name}: {cfg.data.size}x{cfg.data.size}{crop}, text of {cfg.text.name}"
    if full:
        result = estimate.estimate(*facts)
        probe = estimate.read_probe(folder)
        captions, devices = estimate.count_captions(shards), _devices(cfg, stage, edge)
        lines = [title, *result.lines(cfg.text.width, probe, captions, devices)]
    else:
        result = estimate.work(*facts)
        lines = [f"{title}; {result.brief()}"]
    if cfg.notice:
        lines.append(str(cfg.notice))
    missing = missing_for(cfg, draws_previews(cfg))
    if full or len(missing) > 1:
        lines += [f"missing {number}  {each}" for number, each in enumerate(missing, 1)]
    _print("\n".join(lines))
    return result, missing


def draws_previews(cfg: DictConfig) -> bool:
    """Whether prompts are encoded during training; all other text comes from the cache."""
    return "preview" in (cfg.callbacks or {})


def missing_for(cfg: DictConfig, previews: bool = False) -> list[str]:
    """`missing` for a command's config."""
    shards = None if OmegaConf.is_missing(cfg.data, "shards") else str(cfg.data.shards)
    folder = cfg.text.get("path", "")  # an encoder without files has none
    return missing(
        shards,
        str(cfg.data.text),
        folder,
        encoder_command.elsewhere(cfg.text.get("make_command"), cfg.text.name, folder),
        cfg.trainer.accelerator,
        previews,
        lambda: _own_precision(cfg.text),
    )


def _own_precision(text: DictConfig) -> str:
    """What has to be typed for it, where the encoder computes in another than it usually does."""
    own, usual = text.get("dtype"), None
    if text.name in config.options("text"):
        usual = config.compose("embed_text", [f"text={text.name}"]).text.get("dtype")
    return "" if own == usual else f" text.dtype={own}"


def missing(
    shards: str | None,
    text: str,
    encoder: str,
    make_command: str | None,
    accelerator: str,
    previews: bool = False,
    precision: Callable[[], str] = str,
) -> list[str]:
    """A sentence for each missing thing. `shards` and `text` as `data.loader.Data` takes them;
    `encoder` is the folder of the weights, `make_command` makes them, `precision` says what else to
    type for the text, if it is missing."""
    data = _missing_data(shards, text, encoder, make_command, previews, precision)
    return [*data, *_missing_accelerator(accelerator)]


def _missing_data(
    shards: str | None,
    text: str,
    encoder: str,
    make_command: str | None,
    previews: bool,
    precision: Callable[[], str],
) -> Iterator[str]:
    if shards is not None and re.match(r"[\w+.-]+:|.*\.tar$", shards):
        return  # addresses of tars, not a folder; opening them reports what is missing
    folder = Path(shards or "<folder>")
    meta = meta_folder(folder)
    if not any(folder.glob("*.tar")) and (meta / "manifest.json").is_file():
        yield (
            f"the shards of {folder} are gone, but {meta} still describes them. Restore them, or "
            f"delete {meta} and build them again (docs/data.md)."
        )
    elif not any(folder.glob("*.tar")) and (near := _near(folder)):
        yield f"there are no shards in {folder}; did you mean {near}? Set data.shards={near}."
        return
    elif not any(folder.glob("*.tar")):
        what = "no shards are named" if shards is None else f"there are no shards in {folder}"
        then = ", then add data.shards=<folder>" if shards is None else ""
        yield (
            f"{what}. Make them of your own images (docs/own_images.md) or of emoji "
            f"(docs/emoji.md){then}. Type python -m imagen_lit.build_shards folder={folder} for "
            "the demo's."
        )
    cache = sidecar.find_folder(folder, text)
    is_cached = any(cache.glob("*.safetensors"))
    has_weights = make_command is None or (Path(encoder) / "config.json").is_file()
    if not has_weights and (previews or not is_cached):
        less = ", or callbacks=default to train without previews" if is_cached else ""
        yield f"the weights of the text encoder are not in {encoder}. Type {make_command}{less}."
    if not is_cached:
        line = sidecar.command(folder, cache) + precision()
        yield f"there are no text embeddings in {cache}. Type {line}."


def _near(folder: Path) -> Path | None:
    """A folder of shards beside this one whose name is nearly the same."""
    names = [path.parent.name for path in folder.parent.glob("*/*.tar")]
    close = get_close_matches(folder.name, names, n=1)
    return folder.with_name(close[0]) if close else None


def _missing_accelerator(accelerator: str) -> Iterator[str]:
    if accelerator in GPU and not torch.accelerator.is_available():
        yield no_accelerator(accelerator)


def _refuse_beyond_memory(cfg: DictConfig, edge: int) -> None:
    """Raise if this machine cannot even hold the images of a forward pass, as float32."""
    _, size = _spread(cfg)
    image, memory = 3 * edge**2 * 4, hardware.memory()
    if size * image <= memory:
        return
    key = "micro_batch_size" if size == cfg.data.get("micro_batch_size") else "batch_size"
    raise InputError(
        f"data.{key}={cfg.data[key]} puts {size:,} images of {edge}x{edge} into one forward pass, "
        f"{size * image / 2**30:,.0f} GiB before the network has begun; this machine has "
        f"{memory / 2**30:,.0f} GiB, at most {memory // image:,} of them. Set "
        f"data.micro_batch_size={SMALLER}, for example: the updates stay the same."
    )


def refuse_slow_compiler(cfg: DictConfig) -> None:
    """Raise for what the compiler of CPUs does not end in a time that anyone would wait."""
    is_bf16 = str(cfg.trainer.precision).startswith("bf16")
    if cfg.compile == "inductor" and is_bf16 and not wants_accelerator(cfg):
        raise InputError(
            f"compile=inductor with trainer.precision={cfg.trainer.precision} compiles for more "
            "than five minutes on a CPU before the first update. Set compile=null, or "
            "trainer.precision=32-true."
        )


def _spread(cfg: DictConfig) -> tuple[int, int]:
    """On how many devices the run is, and the images of a forward pass on each."""
    count = device_count(cfg)
    per_device = -(-cfg.data.batch_size // count)
    return count, min(per_device, cfg.data.get("micro_batch_size") or per_device)


def _devices(cfg: DictConfig, stage: Stage, edge: int) -> estimate.Devices:
    """How the config spreads the run over devices."""

    def peak(images: int) -> int:
        return meta_device.peak_bytes(stage, images, edge, cfg.text.width)

    count, size = _spread(cfg)
    strategy = cfg.trainer.get("strategy")
    target = strategy.get("_target_") if OmegaConf.is_dict(strategy) else None
    sharded = target == f"{FullySharded.__module__}.{FullySharded.__name__}"
    smaller = (SMALLER, peak(SMALLER)) if size > SMALLER else None
    return estimate.Devices(count, sharded, size, peak(size), smaller)
