"""Check a new machine, in less than ten minutes: whether it trains and draws the paper's stages as
the CPU does, and how fast.

Each check has its own truth, and a row of the table: ok, wrong, slow or skipped, and what to do.
The tiny sizes run on any device, the real ones on an accelerator.
"""

import datetime
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf

from imagen_lit import build_shards, embed_text, pretrain_text, train
from imagen_lit.basics import device, hardware, json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.cli import command, config
from imagen_lit.machine_check import (
    arithmetic,
    finding,
    group_norm_check,
    sharding_check,
    stage_checks,
)
from imagen_lit.machine_check.finding import OK, SKIPPED, WRONG, Finding
from imagen_lit.machine_check.stage_checks import Case
from imagen_lit.run import checkpoint

ACCELERATORS = ("cuda", "xpu", "mps")  # on which the real sizes are tried
STAGES = ("base64", "sr256", "sr1024")  # the paper's
UNET = ["channels=[32,64]", "blocks=[1,1]", "attention=[false,true]", "text_channels=32"]
EFFICIENT = ["first_channels=16", "channels=[16,32]", "blocks=[1,1]", "skips=[1,1]", "heads=2"]
TINY = {"base64": UNET, "sr256": EFFICIENT, "sr1024": EFFICIENT}
TINY_SIZE = {"base64": 16, "sr256": 32, "sr1024": 32}
SMALLER = ["network=unet_300m"]  # the real base that is compiled: the compiler takes minutes too
REAL_IMAGES, TINY_IMAGES = 8, 2
RESUMED = ["data.batch_size=8", "data.validation=16", "logger=files", "callbacks=default"]
RESUMED += ["network.channels=[16,32]", "network.blocks=[1,1]", "network.attention=[false,true]"]
RESUMED += ["network.head_width=16", "stage.warmup=0", "stage.cooldown=0"]
RESUMED += ["callbacks.checkpoint.every=16"]


def checks(cfg: DictConfig, where: torch.device) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """(name, check), the quick ones first, each on its own."""
    yield "matrix products", partial(arithmetic.products, where)
    yield "noise", partial(arithmetic.random_numbers, where)
    for name in STAGES:
        yield f"{name}, tiny: trains", _tiny(stage_checks.learns_alike, name, where)
        yield f"{name}, tiny: draws", _tiny(stage_checks.draws_alike, name, where)
        yield f"{name}, tiny: bf16", _tiny(stage_checks.half_is_enough, name, where)
        compiled = _tiny(stage_checks.learns_alike_compiled, name, where)
        yield f"{name}, tiny: compiled", _compiled(cfg, where, compiled)
    is_real = where.type in ACCELERATORS
    shape = group_norm_check.REAL if is_real else group_norm_check.TINY
    norm = partial(group_norm_check.gradient_is_right, where, shape)
    yield "compiled GroupNorm", _compiled(cfg, where, norm)
    yield "exact resume", partial(_resumes_exactly, cfg)
    yield "FSDP2", partial(sharding_check.shards_alike, where)
    yield "FSDP2: bf16", partial(sharding_check.half_shards_alike, where)
    yield "DDP: micro-batches", partial(sharding_check.copies_alike, where)
    for name in STAGES:
        draws = _real(stage_checks.draws_fast, where, name)
        yield f"{name}, real: draws", draws if is_real else _skipped("no accelerator")
        trains = _real(stage_checks.trains_fast, where, name)
        yield f"{name}, real: trains", trains if is_real else _skipped("no accelerator")
    faster = _real(stage_checks.compiled_is_faster, where, "base64", SMALLER)
    fast = _compiled(cfg, where, faster) if is_real else _skipped("no accelerator")
    yield "base64 of 300M: compiled", fast


def case(name: str, is_tiny: bool, words: Sequence[str] = ()) -> Case:
    """A paper stage as `train` composes it, at a tiny or its real size."""
    overrides = [f"stage={name}", *words]
    if is_tiny:
        size, small = TINY_SIZE[name], ["head_width=16", "embedding=64", *TINY[name]]
        overrides += [f"network.{word}" for word in small]
        overrides += ["text.width=64", f"data.size={size}", "data.crop=null"]
    cfg = config.compose("bench", overrides)  # a training and its recipe
    return Case(
        make=lambda: config.build(cfg.stage),
        recipe=config.build(cfg.recipe),
        edge=cfg.data.crop or cfg.data.size,
        size=cfg.data.size,
        text_width=cfg.text.width,
        images=TINY_IMAGES if is_tiny else REAL_IMAGES,
    )


def _skipped(reason: str) -> Callable[[], Finding]:
    return lambda: Finding(SKIPPED, reason)


def _tiny(check: Callable[..., Finding], name: str, where: torch.device) -> Callable[..., Finding]:
    return lambda **more: check(case(name, is_tiny=True), where, **more)


def _real(
    check: Callable[..., Finding], where: torch.device, name: str, words: Sequence[str] = ()
) -> Callable[..., Finding]:
    """The check of a real size, which would take hours on a CPU."""

    def at_real_size(**more: Any) -> Finding:
        if where.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(where)
        return check(case(name, False, words), where, **more)

    return at_real_size


def _compiled(
    cfg: DictConfig, where: torch.device, check: Callable[..., Finding]
) -> Callable[[], Finding]:
    """The check of a compiler, if there is one for the device."""
    if cfg.compile is None:
        return _skipped("compile=null")
    if where.type not in (*ACCELERATORS, "cpu"):
        return _skipped(f"torch.compile has no backend for {where.type}")
    return partial(check, backend=cfg.compile)


def _resumes_exactly(cfg: DictConfig) -> Finding:
    """Weights of a run that was stopped and went on, against those of one that was not: by the
    commands themselves, on a small world of shapes."""
    with (
        tempfile.TemporaryDirectory(prefix="imagen_lit_check_") as name,
        redirect_stdout(StringIO()),
    ):
        home = Path(name)
        encoder, shards = f"text.path={home}/t5", f"{home}/shapes"
        pretrain_text.main(config.compose("pretrain_text", ["documents=0", encoder]))
        words = ["source.count=40", "per_shard=40", "workers=0", f"folder={shards}"]
        build_shards.main(config.compose("build_shards", words))
        words = [encoder, f"shards={shards}", f"device={cfg.device}"]
        embed_text.main(config.compose("embed_text", words))
        words = [encoder, f"data.shards={shards}", f"runs={home}/runs", f"device={cfg.device}"]
        words += [*RESUMED, *cfg.train]

        def weights(run: str, *images: int) -> list[torch.Tensor]:
            for each in images:
                settings = [*words, f"name={run}", f"stage.images={each}"]
                train.main(config.compose("train", settings))
            newest = checkpoint.saved(home / "runs" / run)[-1]
            return list(checkpoint.read(newest)["state_dict"].values())

        whole = weights("whole", 32)
        if _are_equal(whole, weights("stopped", 16, 32)):
            return Finding(OK, "stopped and resumed: the same weights, bit for bit")
        if not _are_equal(whole, weights("again", 32)):
            return Finding(
                finding.SLOW, "two runs without a stop differ: this device does not repeat itself",
                "Training is right, but nothing can be reproduced to the last bit here.",
            )  # fmt: skip
    advice = "A stop changes what is learnt: send the JSON file with an issue."
    return Finding(WRONG, "a resumed run has other weights", advice)


def _are_equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _chosen(only: Any, names: list[str]) -> list[str]:
    """The names of the checks to run: all, or those that hold one of these words."""
    if only is None:
        return names
    if not isinstance(only, ListConfig) or not all(type(word) is str for word in only):
        raise InputError(f"only={only} is not a list of words. Set only=[tiny,FSDP2], for example.")
    chosen = [name for name in names if any(word in name for word in only)]
    if not chosen:
        raise InputError(f"only={only} names no check. Name one of: {'; '.join(names)}.")
    return chosen


@command.main("gpu_check")
def main(cfg: DictConfig) -> None:
    """Run every check, print the table, and leave the JSON; exit with 1 if anything is wrong."""
    where, file = device.choose(cfg.device), json_file.writable("json", cfg.json)
    if not isinstance(cfg.train, ListConfig):
        raise InputError(f"train={cfg.train} is not a list of settings. Set train=[], for example.")
    device.allow_tf32(False)  # float32 is compared with the CPU's
    planned = dict(checks(cfg, where))
    names = _chosen(cfg.only, list(planned))
    progress, findings = Counter("checks"), list[Finding]()
    progress.start(0, len(names))
    for name in names:
        findings.append(finding.look(name, planned[name]))
        progress(len(findings), len(names), note=name)
    print(f"{hardware.name(where)}, torch {torch.__version__}")
    print("\n".join(finding.table(findings)))
    if file is not None:
        write_json(file, _plain(cfg, where, findings))
        print(f"to send with an issue: {file}")
    if any(each.verdict == WRONG for each in findings):
        sys.exit(1)


def _plain(cfg: DictConfig, where: torch.device, findings: list[Finding]) -> dict[str, Any]:
    return {
        "device": hardware.name(where),
        "devices": torch.accelerator.device_count(),
        "threads": torch.get_num_threads(),
        "versions": hardware.versions(),
        "settings": OmegaConf.to_container(cfg, resolve=True),
        "checked_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "findings": [vars(each) for each in findings],
    }


if __name__ == "__main__":
    main()
