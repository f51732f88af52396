"""Evaluate a cascade: prompts are drawn, and every stage gets its scores where they can be judged.

`scores.json` has the share that was right, for each stage of the cascade and each category, with
intervals; `results.jsonl` has the results prompt by prompt. Prompts without an exact judge get no
score. `sheet.png` shows each image, the true one below it where there is one, and its prompt.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder, device, pixels, png_metadata, process_share
from imagen_lit.basics.atomic import write_json, write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share, finishing
from imagen_lit.basics.short_form import quantity
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import DrawingProgress, Report, Step, silent
from imagen_lit.cli import command, config
from imagen_lit.data.prompts.prompt_sheet import prompt_sheet
from imagen_lit.data.prompts.source import JudgedPrompts, Prompts, PromptsWithImages
from imagen_lit.run import drawing_folder, provenance, run_folder
from imagen_lit.run import prompts as run_prompts
from imagen_lit.run.evaluation_facts import SHEET
from imagen_lit.text import lost_text
from imagen_lit.text.encoder import HuggingFace

RESULTS = ("scores.json", "results.jsonl", SHEET)
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
    images = folder / "images" / provenance.digest(source)
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
    with finishing(folder / LOCK) as is_first:
        if not is_first:
            return {}
        _claim(folder, source)  # if this process came before the first, who does that
        return _results(cascade, prompts, folder, source, files)


def _claim(folder: Path, source: dict[str, Any]) -> None:
    if earlier := provenance.claim(folder, source, RESULTS):
        print(f"the evaluation of other weights stays: {', '.join(map(str, earlier))}")


def _results(
    cascade: Cascade,
    prompts: Prompts,
    folder: Path,
    source: dict[str, Any],
    files: list[dict[str, Path]],
) -> dict[str, Any]:
    """Judge the images of all prompts, and write the results."""
    results = {
        stage: [
            _result(prompts, number, paths[stage])
            | {"seed": prompts.seeds[number], "image": os.path.relpath(paths[stage], folder)}
            for number, paths in enumerate(files)
        ]
        for stage in cascade.stages
    }
    scores: dict[str, Any] = {"provenance": source | {"n": len(files)}}
    if isinstance(prompts, JudgedPrompts):
        scores["provenance"]["interval"] = "Wilson, 95 %"
        scores["score/alignment"] = {stage: prompts.score(r) for stage, r in results.items()}
    largest = np.stack([pixels.load_png(list(paths.values())[-1]) for paths in files])
    title = f"evaluation with {quantity(len(files), 'prompt')}"
    texts = png_metadata.texts({SHEET_KEY: scores["provenance"]}, title)
    pixels.save_png(prompt_sheet(prompts, largest), folder / SHEET, texts)
    lines = (json.dumps({"stage": name} | row) for name, rows in results.items() for row in rows)
    write_text(folder / "results.jsonl", "".join(f"{line}\n" for line in lines))
    write_json(folder / "scores.json", scores)
    return scores


def _result(prompts: Prompts, number: int, image: Path) -> dict[str, Any]:
    if isinstance(prompts, JudgedPrompts):
        return prompts.judge(number, pixels.load_png(image))
    return {"prompt": prompts.prompts[number]}


def table(scores: dict[str, Any]) -> str:
    """The scores as lines of text; where there are none, why."""
    if "score/alignment" not in scores:
        return (
            f"{quantity(scores['provenance']['n'], 'prompt')} drawn; not scored: no exact judge "
            "knows these prompts, and FID and CLIP scores are not part of this version"
        )
    lines = ["share of images that show their whole prompt, by kind of prompt [95 % interval]:"]
    for stage, categories in scores["score/alignment"].items():
        for category, row in categories.items():
            low, high = row["interval"]
            lines.append(
                f"{stage:5} {category:6} {row['exact']:.3f}  [{low:.3f}, {high:.3f}]  n={row['n']}"
            )
    return "\n".join(lines)


def request(cfg: DictConfig) -> dict[str, Any]:
    """The settings that determine images and scores."""
    parts = {"cascade": cfg.cascade, "prompts": cfg.prompts}
    return {name: OmegaConf.to_container(part, resolve=True) for name, part in parts.items()}


@command.main("evaluate")
def main(cfg: DictConfig) -> None:
    """Print the scores, and where they are."""
    arguments.whole_numbers(cfg, batch=1)
    run_folder.locate(cfg.runs, cfg.name)  # a name that leads elsewhere is refused
    share, cfg.device = process_share.here(), process_share.own_device(cfg.device)
    device.allow_tf32(cfg.tf32)
    folder = arguments.path("out", cfg.out)
    chosen_folder.require_writable("out", cfg.out, folder)
    if run_folder.exists(folder):
        raise InputError(f"{folder} is the folder of a run. Set name=... to a name of its own.")
    drawing_folder.refuse_taken(folder, cfg.runs)
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
