"""Evaluate a cascade, or images of any origin: print their scores, and where they are."""

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import (
    arguments,
    chosen_folder,
    device,
    hardware,
    process_share,
    rounding,
)
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.basics.short_form import quantity
from imagen_lit.cascade import excerpt
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_progress import DrawingProgress
from imagen_lit.cascade.evaluation import SHEET, evaluate
from imagen_lit.cascade.saved_images import SavedImages
from imagen_lit.cascade.start import Start
from imagen_lit.cli import command, config, user_error
from imagen_lit.data.prompts.source import JudgedPrompts, Prompts, PromptsWithImages
from imagen_lit.image_set.captioned_images import CaptionedImages
from imagen_lit.metrics import known_values, score_lines
from imagen_lit.metrics.image_evaluation import evaluate_images
from imagen_lit.metrics.looking_progress import LookingProgress
from imagen_lit.metrics.measured import NOW, SCORES
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.metrics.sample import ALL
from imagen_lit.run import drawing_folder, run_folder
from imagen_lit.run import prompts as run_prompts
from imagen_lit.run.attempt_log import FAILED, FINISHED, STOPPED, AttemptLog
from imagen_lit.run.evaluation_facts import weights_of
from imagen_lit.run.measures_digest import measures_digest
from imagen_lit.text import lost_text


def table(scores: dict[str, Any]) -> str:
    """The scores as lines of text; where there are none, why."""
    lines = []
    if "score/alignment" not in scores:
        count = quantity(scores["provenance"]["n"], "prompt")
        is_read = any(row["metric"] == "exact" for row in scores[NOW])
        reason = "" if is_read else "; the exact reader does not know them"
        lines.append(f"{count} drawn{reason}")
    else:
        lines.append("share of images that show their whole prompt, by kind [95 % interval]:")
    for stage, categories in scores.get("score/alignment", {}).items():
        for category, row in categories.items():
            if category == "all" and len(categories) > 1:
                continue  # it is among the scores, with its protocol
            text = rounding.with_interval(row["exact"], row["interval"])
            lines.append(f"{stage:5} {category:6} {text}  n={row['n']}")
    return "\n".join([*lines, *score_lines.lines(scores, scores[NOW])])


def build_ruler(cfg: DictConfig, share: Share = ALL) -> Ruler:
    """The metrics and the reference that a config names."""

    @functools.cache
    def reference(size: int | None) -> Any:
        node = OmegaConf.select(cfg, "reference")
        if node is not None and OmegaConf.is_missing(node, "size") and size is not None:
            node = OmegaConf.merge(node, {"size": size})
        return None if node is None else config.build(node)

    metrics = {name: config.build(node) for name, node in cfg.metrics.items()}
    return Ruler(metrics, Path(cfg.feature_folder), reference, share, report=LookingProgress())


def build_prompts(cfg: DictConfig, cascade: Cascade) -> Prompts:
    """What the cascade draws. Where it starts from true small images, their captions; where it
    starts from images that are there, what the whole cascade would draw."""
    first = next(iter(cascade.stages.values()))
    images = OmegaConf.select(cfg, "start")
    if images is None:
        runs = [Path(cfg.cascade[excerpt.stages(cfg.cascade)[0]].run), Path(first.run)]
        run = next((each for each in runs if run_folder.exists(each)), runs[1])
        return run_prompts.build(cfg.prompts, run_folder.build(run, "data"))
    if OmegaConf.is_missing(images, "size"):
        images = OmegaConf.merge(images, {"size": first.size})
    prompts = CaptionedImages(config.build(images))
    requests = list(zip(prompts.prompts, prompts.seeds, strict=True))
    factor = first.size // (first.size_in or first.size)
    kernel = getattr(first.condition, "kernel", "box")
    node: Any = OmegaConf.to_container(images, resolve=True)
    true = prompts.true_images(first.size)
    cascade.start = Start.of(requests, true, factor, kernel, node)
    return prompts


def warn_of_own_judge(ruler: Ruler, fingerprint: Mapping[str, str]) -> None:
    """A network that read the prompts for the drawing likes the images that it caused."""
    for name, metric in ruler.metrics.items():
        weights = dict(metric.facts().get("extractor", {})).get("weights_sha256")
        if weights is not None and weights == fingerprint.get("weights_sha256"):
            warnings.warn(
                f"{name} looks with the weights that also encoded the prompts: it favours images "
                "drawn from them. Choose other weights for features or text_features",
                stacklevel=2,
            )


def warn_of_weak_judge(ruler: Ruler) -> None:
    """Say which metrics look with a network that says of itself that it learnt too little."""
    for name, metric in ruler.metrics.items():
        if words := getattr(getattr(metric, "extractor", None), "weakness", ""):
            warnings.warn(
                f"{name} says hardly anything with this judge: {words}. Pretrain it for longer, or "
                "choose other text_features",
                stacklevel=2,
            )


def request(cfg: DictConfig) -> dict[str, Any]:
    """The settings that determine images and scores."""
    start = OmegaConf.select(cfg, "start")
    cascade = excerpt.excerpt(cfg)
    parts = {"cascade": cascade, "prompts": cfg.prompts if start is None else start}
    return {name: OmegaConf.to_container(part, resolve=True) for name, part in parts.items()}


@command.main("evaluate")
def main(cfg: DictConfig) -> None:
    """Print the scores, and where they are."""
    if cfg.verify:
        print(known_values.verify([tuple(each) for each in cfg.published]))
    arguments.whole_numbers(cfg, batch=1)
    run_folder.locate(cfg.runs, cfg.name)  # a name that leads elsewhere is refused
    share, cfg.device = process_share.here(), process_share.own_device(cfg.device)
    device.allow_tf32(cfg.tf32)
    folder = arguments.path("out", cfg.out)
    chosen_folder.require_writable("out", cfg.out, folder)
    if run_folder.exists(folder):
        raise InputError(f"{folder} is the folder of a run. Set name=... to a name of its own.")
    drawing_folder.refuse_taken(folder, cfg.runs)
    with _recorded(folder, cfg, share) as begin:
        _evaluate(cfg, folder, build_ruler(cfg, share), share, begin)


@contextmanager
def _recorded(folder: Path, cfg: DictConfig, share: Share) -> Iterator[Callable[[], None]]:
    """Keep attempts.jsonl, in the first of the processes that share the work."""
    log, state, error = AttemptLog(folder), STOPPED, ""
    try:
        yield log.begin if share.rank == 0 else _nothing
        state = FINISHED
    except Exception as problem:
        state, error = FAILED, user_error.sentence(problem, list) or repr(problem)
        raise
    finally:
        if log.has_begun:
            measures = measures_digest(OmegaConf.to_container(cfg, resolve=False))  # type: ignore[arg-type]
            name = hardware.name(device.choose(cfg.device))
            by = {"device": name, "devices": share.processes}
            log.end(state, error, **by, measures=measures, weights=weights_of(folder))


def _evaluate(
    cfg: DictConfig, folder: Path, ruler: Ruler, share: Share, begin: Callable[[], None]
) -> None:
    """Draw, measure and print. `begin` is called when nothing is left to refuse."""
    warn_of_weak_judge(ruler)
    if (images := OmegaConf.select(cfg, "images")) is not None:
        begin()
        scores = evaluate_images(config.build(images), folder, ruler)
        if not scores:
            print("another process writes the scores")
            return
        print(
            "\n".join([*score_lines.lines(scores, scores[NOW]), f"scores are in {folder / SCORES}"])
        )
        return
    cascade: Cascade = config.build(excerpt.excerpt(cfg))
    cascade.compiler = cfg.compile
    cascade.require_runs()  # the first thing that a new user lacks
    prompts = build_prompts(cfg, cascade)
    described = request(cfg)
    if saved := excerpt.saved(cfg):
        requests = list(zip(prompts.prompts, prompts.seeds, strict=True))
        cascade.start = SavedImages.of(*saved, requests)
        described |= cascade.start.described()
    encoder = config.build(cfg.text)
    lost_text.warn(encoder, cascade.texts(prompts.prompts))
    warn_of_own_judge(ruler, encoder.fingerprint())
    progress = DrawingProgress("prompts drawn")
    scores = evaluate(
        cascade,
        encoder,
        prompts,
        folder,
        cfg.batch,
        described,
        progress.count,
        progress.step,
        share,
        ruler,
        begin,
    )
    if not scores:
        print("this process's images are drawn; the last process to end judges and shows them all")
        return
    print(table(scores))
    file = folder / "scores.json"
    if isinstance(prompts, JudgedPrompts):
        print(f"scores are in {file}\nthe images: {folder / SHEET}")
    else:
        below = ", each above the true one" if isinstance(prompts, PromptsWithImages) else ""
        print(f"the images{below}: {folder / SHEET}\nscores and what drew them: {file}")


def _nothing() -> None:
    """Another process keeps the record."""


if __name__ == "__main__":
    main()
