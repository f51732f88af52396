"""Evaluate a cascade: held-out prompts are drawn and judged, and every stage gets its scores.

`scores.json` has the share that was right, for each stage of the cascade and each category, with
intervals; `results.jsonl` has the results prompt by prompt.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, pixels
from imagen_lit.basics.atomic import write_json, write_text
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_progress import DrawingProgress, Report, Step, silent
from imagen_lit.cli import command, config
from imagen_lit.run import provenance
from imagen_lit.shapes.held_out_prompts import HeldOutPrompts
from imagen_lit.text import lost_text
from imagen_lit.text.encoder import HuggingFace


def evaluate(
    cascade: Cascade,
    encoder: HuggingFace,
    prompts: HeldOutPrompts,
    folder: Path,
    batch: int,
    request: dict[str, Any],
    report: Callable[[int, int], None],
    each_step: Report = silent,
) -> dict[str, Any]:
    """The scores by stage and category, also written into the folder.

    Existing images are reused. Those of other weights stay, and so do their scores, under names
    with the digest of those weights; a folder that holds another `request` is refused.
    """
    cascade.check(encoder.fingerprint())
    source = provenance.describe(cascade.runs, encoder.fingerprint(), request)
    provenance.refuse_other_request(folder, source)
    images = folder / "images" / provenance.digest(source)
    requests = list(zip(prompts.prompts, prompts.seeds, strict=True))
    files = [image_files.paths(cascade, images, *each) for each in requests]
    to_draw = image_files.missing(cascade, source, requests, images)
    if kept := provenance.claim(folder, source, ("scores.json", "results.jsonl")):
        print(f"the evaluation of other weights stays: {', '.join(map(str, kept))}")
    before = len(requests) - len(to_draw)

    def step(each: Step) -> None:
        each_step(each._replace(done=before + each.done, total=len(requests)))

    drawing = image_files.draw(cascade, encoder, source, to_draw, images, batch, step)
    for drawn, _ in enumerate(drawing, 1):
        if drawn % batch == 0 or drawn == len(to_draw):  # the images of a batch appear together
            report(before + drawn, len(requests))
    results = {
        stage: [
            prompts.judge(number, pixels.load_png(paths[stage]))
            | {"seed": requests[number][1], "image": os.path.relpath(paths[stage], folder)}
            for number, paths in enumerate(files)
        ]
        for stage in cascade.stages
    }
    scores = {
        "provenance": source | {"n": len(requests), "interval": "Wilson, 95 %"},
        "score/alignment": {stage: prompts.score(rows) for stage, rows in results.items()},
    }
    lines = (json.dumps({"stage": name} | row) for name, rows in results.items() for row in rows)
    write_text(folder / "results.jsonl", "".join(f"{line}\n" for line in lines))
    write_json(folder / "scores.json", scores)
    return scores


def table(scores: dict[str, Any]) -> str:
    """The scores as lines of text."""
    lines = []
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
    folder = Path(cfg.out)
    encoder, prompts = config.build(cfg.text), config.build(cfg.prompts)
    lost_text.warn(encoder, prompts.prompts)
    progress = DrawingProgress("prompts drawn")
    scores = evaluate(
        config.build(cfg.cascade),
        encoder,
        prompts,
        folder,
        cfg.batch,
        request(cfg),
        progress.count,
        progress.step,
    )
    print(table(scores))
    print(f"scores are in {folder / 'scores.json'}")


if __name__ == "__main__":
    main()
