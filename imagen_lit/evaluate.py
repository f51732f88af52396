"""Evaluate a cascade, or images of any origin: print their scores, and where they are."""

import functools
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder, device, process_share, rounding
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.basics.short_form import quantity
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_progress import DrawingProgress
from imagen_lit.cascade.evaluation import SHEET, evaluate
from imagen_lit.cascade.start import Start
from imagen_lit.cli import command, config
from imagen_lit.data.prompts.source import JudgedPrompts, Prompts, PromptsWithImages
from imagen_lit.image_set.captioned_images import CaptionedImages
from imagen_lit.metrics import known_values, score_lines
from imagen_lit.metrics.image_evaluation import evaluate_images
from imagen_lit.metrics.measured import NOW, SCORES
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.metrics.sample import ALL
from imagen_lit.run import drawing_folder, run_folder
from imagen_lit.run import prompts as run_prompts
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
    return Ruler(metrics, Path(cfg.feature_folder), reference, share)


def build_prompts(cfg: DictConfig, cascade: Cascade) -> Prompts:
    """What the cascade draws. Where it starts from true small images, their captions."""
    first = next(iter(cascade.stages.values()))
    images = OmegaConf.select(cfg, "start")
    if images is None:
        return run_prompts.build(cfg.prompts, run_folder.build(Path(first.run), "data"))
    if OmegaConf.is_missing(images, "size"):
        images = OmegaConf.merge(images, {"size": first.size})
    prompts = CaptionedImages(config.build(images))
    requests = list(zip(prompts.prompts, prompts.seeds, strict=True))
    factor = first.size // (first.size_in or first.size)
    cascade.start = Start.of(requests, prompts.true_images(first.size), factor)
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


def request(cfg: DictConfig) -> dict[str, Any]:
    """The settings that determine images and scores."""
    start = OmegaConf.select(cfg, "start")
    parts = {"cascade": cfg.cascade, "prompts": cfg.prompts if start is None else start}
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
    ruler = build_ruler(cfg, share)
    if (images := OmegaConf.select(cfg, "images")) is not None:
        scores = evaluate_images(config.build(images), folder, ruler)
        if not scores:
            print("another process writes the scores")
            return
        print(
            "\n".join([*score_lines.lines(scores, scores[NOW]), f"scores are in {folder / SCORES}"])
        )
        return
    cascade: Cascade = config.build(cfg.cascade)
    cascade.compiler = cfg.compile
    cascade.require_runs()  # the first thing that a new user lacks
    prompts = build_prompts(cfg, cascade)
    encoder = config.build(cfg.text)
    lost_text.warn(encoder, prompts.prompts)
    warn_of_own_judge(ruler, encoder.fingerprint())
    progress = DrawingProgress("prompts drawn")
    scores = evaluate(
        cascade,
        encoder,
        prompts,
        folder,
        cfg.batch,
        request(cfg),
        progress.count,
        progress.step,
        share,
        ruler,
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


if __name__ == "__main__":
    main()
