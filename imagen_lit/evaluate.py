"""Evaluate a cascade, whose stages draw prompts, or images of any origin: metrics give each stage
its scores, and an exact judge where it knows the prompts.

`scores.json` has the scores with their intervals and protocols; `results.jsonl` the judge's results
prompt by prompt. `sheet.png` shows each image, the true one below it where there is one, and its
prompt.
"""

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import (
    arguments,
    chosen_folder,
    device,
    json_file,
    pixels,
    png_metadata,
    process_share,
)
from imagen_lit.basics.atomic import write_json, write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share, finishing
from imagen_lit.basics.short_form import quantity
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import DrawingProgress, Report, Step, silent
from imagen_lit.cascade.drawn_images import DrawnImages
from imagen_lit.cli import command, config
from imagen_lit.data.prompts.prompt_sheet import prompt_sheet
from imagen_lit.data.prompts.source import (
    CategorisedPrompts,
    JudgedPrompts,
    Prompts,
    PromptsWithImages,
)
from imagen_lit.metrics import known_values, score_lines
from imagen_lit.metrics.image_evaluation import evaluate_images
from imagen_lit.metrics.ruler import Ruler, merge
from imagen_lit.run import drawing_folder, provenance, run_folder
from imagen_lit.run import prompts as run_prompts
from imagen_lit.run.evaluation_facts import SHEET
from imagen_lit.text import lost_text
from imagen_lit.text.encoder import HuggingFace

RESULTS = ("scores.json", "results.jsonl", SHEET)
NO_RULER = Ruler({}, Path())
LOCK = ".results.lock"  # held by the process that claims the folder or writes the results
ALL = Share()
SHEET_KEY = "evaluation"  # of what the sheet's file says of itself


def evaluate(
    cascade: Cascade,
    encoder: HuggingFace,
    prompts: Prompts,
    folder: Path,
    batch: int,
    request: dict[str, Any],
    report: Callable[[int, int], None],
    each_step: Report = silent,
    share: Share = ALL,
    ruler: Ruler = NO_RULER,
) -> dict[str, Any]:
    """The scores by stage and category, also written into the folder. Of several processes, which
    draw a share each, the one that finds all images there writes them; the others return {}.

    Existing images are reused. Those of other weights stay, and so do their scores, under names
    with the digest of those weights; a folder that holds another `request` is refused.
    """
    cascade.check(encoder.fingerprint())
    if not isinstance(prompts, JudgedPrompts):  # their settings do not say which prompts they are
        digest = hashlib.sha256(json.dumps(prompts.prompts).encode()).hexdigest()
        request = request | {"prompts_sha256": digest}
    source = provenance.describe(cascade.weights, encoder.fingerprint(), request)
    provenance.refuse_other_request(folder, source)
    provenance.refuse_other_files(folder, RESULTS)
    png_metadata.refuse_other_file(folder / SHEET, SHEET_KEY, "sheet of an evaluation")
    drawer = provenance.digest(source)
    images = folder / "images" / drawer
    requests = list(zip(prompts.prompts, prompts.seeds, strict=True))
    files = [image_files.paths(cascade, images, *each) for each in requests]
    own, lacking = share.of(requests), set(image_files.missing(cascade, source, requests, images))
    to_draw = [each for each in own if each in lacking]
    if to_draw:
        cascade.load()
    if share.rank == 0:
        with finishing(folder / LOCK) as is_first:
            if is_first:
                _claim(folder, source)
    before = len(own) - len(to_draw)

    def step(each: Step) -> None:
        each_step(each._replace(done=before + each.done, total=len(own)))

    shape = DrawingPass.of(encoder, prompts.prompts, batch)
    drawing = image_files.draw(cascade, encoder, source, to_draw, images, shape, step)
    for drawn, _ in enumerate(drawing, 1):
        if drawn % shape.width == 0 or drawn == len(to_draw):  # those of a pass appear together
            report(before + drawn, len(own))
    if not image_files.are_complete(cascade, requests, images):
        return {}
    shown, seeds = zip(*requests, strict=True)
    stages = {
        name: DrawnImages([each[name] for each in files], shown, seeds, stage.size, drawer)
        for name, stage in cascade.stages.items()
    }
    ruler.extract(stages)
    with finishing(folder / LOCK) as is_first:
        if not is_first:
            return {}
        _claim(folder, source)  # if this process came before the first, who does that
        return _results(prompts, folder, source, stages, ruler)


def _claim(folder: Path, source: dict[str, Any]) -> None:
    if earlier := provenance.claim(folder, source, RESULTS):
        print(f"the evaluation of other weights stays: {', '.join(map(str, earlier))}")


def _results(
    prompts: Prompts,
    folder: Path,
    source: dict[str, Any],
    stages: Mapping[str, DrawnImages],
    ruler: Ruler,
) -> dict[str, Any]:
    """Judge and measure the images of all prompts, and write the results."""
    results = {
        stage: [
            _result(prompts, number, file)
            | {"seed": prompts.seeds[number], "image": os.path.relpath(file, folder)}
            for number, file in enumerate(drawn.files)
        ]
        for stage, drawn in stages.items()
    }
    scores: dict[str, Any] = {"provenance": source | {"n": len(prompts.prompts)}}
    if isinstance(prompts, JudgedPrompts):
        scores["provenance"]["interval"] = "Wilson, 95 %"
        scores["score/alignment"] = {stage: prompts.score(r) for stage, r in results.items()}
    categories = prompts.categories if isinstance(prompts, CategorisedPrompts) else None
    rows, protocols = ruler.measure(stages, categories)
    scores |= merge(_earlier(folder), rows, protocols)
    scores[image_files.THRESHOLD_HITS] = {
        stage: hits for stage, drawn in stages.items() if (hits := _threshold_hits(drawn.files))
    }
    largest = list(stages.values())[-1]
    title = f"evaluation with {quantity(len(largest), 'prompt')}"
    texts = png_metadata.texts({SHEET_KEY: scores["provenance"]}, title)
    shown = np.stack([largest.image(number) for number in range(len(largest))])
    pixels.save_png(prompt_sheet(prompts, shown), folder / SHEET, texts)
    lines = (json.dumps({"stage": name} | row) for name, rows in results.items() for row in rows)
    write_text(folder / "results.jsonl", "".join(f"{line}\n" for line in lines))
    write_json(folder / "scores.json", scores)
    return scores


def _earlier(folder: Path) -> dict[str, Any]:
    """The scores that are there of the same images; those of other weights have other names."""
    file = folder / RESULTS[0]
    return json_file.read(file, "Remove it.") if file.exists() else {}


def _threshold_hits(files: Sequence[Path]) -> list[float]:
    """The share of values beyond [-1, 1] at each evaluation of the network, over all images."""
    hits = image_files.threshold_hits(files)
    return np.mean(hits, axis=0).tolist() if hits else []


def _result(prompts: Prompts, number: int, image: Path) -> dict[str, Any]:
    if isinstance(prompts, JudgedPrompts):
        return prompts.judge(number, pixels.load_png(image))
    return {"prompt": prompts.prompts[number]}


def table(scores: dict[str, Any]) -> str:
    """The scores as lines of text; where there are none, why."""
    lines = []
    if "score/alignment" not in scores:
        count = quantity(scores["provenance"]["n"], "prompt")
        lines.append(f"{count} drawn; no exact judge knows them (metrics=... measures images)")
    else:
        lines.append("share of images that show their whole prompt, by kind [95 % interval]:")
    for stage, categories in scores.get("score/alignment", {}).items():
        for category, row in categories.items():
            low, high = row["interval"]
            lines.append(
                f"{stage:5} {category:6} {row['exact']:.3f}  [{low:.3f}, {high:.3f}]  n={row['n']}"
            )
    return "\n".join([*lines, *score_lines.lines(scores["scores"])])


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


def request(cfg: DictConfig) -> dict[str, Any]:
    """The settings that determine images and scores."""
    parts = {"cascade": cfg.cascade, "prompts": cfg.prompts}
    return {name: OmegaConf.to_container(part, resolve=True) for name, part in parts.items()}


@command.main("evaluate")
def main(cfg: DictConfig) -> None:
    """Print the scores, and where they are."""
    if cfg.verify:
        print(known_values.verify())
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
        print("\n".join([*score_lines.lines(scores["scores"]), f"scores are in {folder}"]))
        return
    cascade: Cascade = config.build(cfg.cascade)
    cascade.compiler = cfg.compile
    cascade.require_runs()  # the first thing that a new user lacks
    first = next(iter(cascade.runs.values()))
    prompts = run_prompts.build(cfg.prompts, run_folder.build(first, "data"))
    encoder = config.build(cfg.text)
    lost_text.warn(encoder, prompts.prompts)
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
        print(f"the images{below}: {folder / SHEET}\nwhat drew them: {file}")


if __name__ == "__main__":
    main()
