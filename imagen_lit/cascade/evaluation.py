"""An evaluation of a cascade: its stages draw prompts, metrics give each stage its scores, and an
exact judge does where it knows the prompts.

`scores.json` has the scores with their intervals and protocols; `results.jsonl` the judge's results
prompt by prompt. `sheet.png` shows the first images, each with the true one below it where there is
one, and its prompt.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics import (
    json_file,
    pixels,
    png_metadata,
)
from imagen_lit.basics.atomic import write_json, write_text
from imagen_lit.basics.process_share import Share, finishing, working
from imagen_lit.basics.short_form import quantity
from imagen_lit.cascade import image_files, judged_scores
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import Report, Step, silent
from imagen_lit.cascade.drawn_images import DrawnImages
from imagen_lit.data.prompts.prompt_sheet import prompt_sheet
from imagen_lit.data.prompts.source import (
    CategorisedPrompts,
    DescribedPrompts,
    JudgedPrompts,
    Prompts,
)
from imagen_lit.evaluation.score import Score
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.judge_files import JudgeRow
from imagen_lit.metrics import measured
from imagen_lit.metrics.outside_judge import JUDGE, judged
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.metrics.sample import ALL, Sample
from imagen_lit.run import evaluation_facts, provenance
from imagen_lit.run.evaluation_facts import SHEET
from imagen_lit.text.text_encoder import TextEncoder

RESULTS = ("scores.json", "results.jsonl", SHEET, measured.VALUES)
NO_RULER = Ruler({}, Path())
LOCK = ".results.lock"  # held by the process that claims the folder or writes the results
SHOWN = 512  # images on the sheet, at most
SHEET_KEY = "evaluation"  # of what the sheet's file says of itself


def evaluate(
    cascade: Cascade,
    encoder: TextEncoder,
    prompts: Prompts,
    folder: Path,
    batch: int,
    request: dict[str, Any],
    report: Callable[[int, int], None],
    each_step: Report = silent,
    share: Share = ALL,
    ruler: Ruler = NO_RULER,
    begin: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """The scores by stage and category, also written into the folder, and which of them this start
    measured. Of several processes, which
    draw a share each, the one that finds all images there writes them; the others return {}.

    Existing images are reused. Those of other weights stay, and so do their scores, under names
    with the digest of those weights; a folder that holds another `request` is refused. `begin` is
    called when nothing is left to refuse.
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
    shown, seeds = zip(*requests, strict=True)
    stages = {
        name: DrawnImages([each[name] for each in files], shown, seeds, stage.size, drawer)
        for name, stage in cascade.stages.items()
    }
    start = cascade.start.image_set(requests) if cascade.start else None
    ruler.check(stages, start)  # before images are drawn of which nothing can be measured
    begin()
    own, lacking = share.of(requests), set(image_files.missing(cascade, source, requests, images))
    to_draw = [each for each in own if each in lacking]
    if to_draw:
        cascade.load_weights()
    if share.rank == 0:
        with finishing(folder / LOCK) as is_first:
            if is_first:
                _claim(folder, source)
    before = len(own) - len(to_draw)

    def step(each: Step) -> None:
        each_step(each._replace(done=before + each.done, total=len(own)))

    shape = DrawingPass.of(encoder, prompts.prompts, batch, cascade.templates)
    drawing = image_files.draw(cascade, encoder, source, to_draw, images, shape, step)
    with working(folder, share) if to_draw else nullcontext():
        for drawn, _ in enumerate(drawing, 1):
            if drawn % shape.width == 0 or drawn == len(to_draw):  # a pass appears together
                report(before + drawn, len(own))
    if not image_files.are_complete(cascade, requests, images):
        return {}
    ruler.extract(stages, start)
    with finishing(folder / LOCK) as is_first:
        if not is_first:
            return {}
        _claim(folder, source)  # if this process came before the first, who does that
        return _results(prompts, folder, source, stages, start, ruler)


def _claim(folder: Path, source: dict[str, Any]) -> None:
    if earlier := provenance.claim(folder, source, RESULTS):
        print(f"the evaluation of other weights stays: {', '.join(map(str, earlier))}")


def _results(
    prompts: Prompts,
    folder: Path,
    source: dict[str, Any],
    stages: Mapping[str, DrawnImages],
    start: ImageSet | None,
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
        scores["provenance"]["interval"] = "95 %"
        scores[evaluation_facts.SCORES] = {s: prompts.score(r) for s, r in results.items()}
    categories = prompts.categories if isinstance(prompts, CategorisedPrompts) else None
    is_read_anyway = "exact" in ruler.metrics
    exact = judged_scores.rows({} if is_read_anyway else stages, results, categories)
    seen = ruler.measure(stages, categories, start)
    outside = measured.of(_outside(prompts, folder / JUDGE, stages, ruler.folder, categories))
    whole = measured.together(exact, seen, outside)
    earlier = _earlier(folder)
    scores |= measured.merge(earlier, whole)
    scores[image_files.THRESHOLD_HITS] = {
        stage: hits for stage, drawn in stages.items() if (hits := _threshold_hits(drawn.files))
    }
    largest = list(stages.values())[-1]
    title = f"evaluation with {quantity(len(largest), 'prompt')}"
    texts = png_metadata.texts({SHEET_KEY: scores["provenance"]}, title)
    shown = np.stack([largest.image(number) for number in range(min(len(largest), SHOWN))])
    pixels.save_png(prompt_sheet(prompts, shown), folder / SHEET, texts)
    lines = (json.dumps({"stage": name} | row) for name, rows in results.items() for row in rows)
    write_text(folder / "results.jsonl", "".join(f"{line}\n" for line in lines))
    measured.write_values(folder, whole, prompts.prompts, prompts.seeds, bool(earlier))
    write_json(folder / "scores.json", scores)
    return scores | {measured.NOW: whole.rows}


def _outside(
    prompts: Prompts,
    folder: Path,
    stages: Mapping[str, DrawnImages],
    features: Path,
    categories: Sequence[str | None] | None,
) -> list[tuple[str, Score]]:
    """What judges outside have said of each stage's images, which are put before them."""
    count = len(prompts.prompts)
    questions = [entry.question for entry in getattr(prompts, "entries", [])] or [None] * count
    metadata = prompts.metadata if isinstance(prompts, DescribedPrompts) else [None] * count
    known = list(zip(categories or [None] * count, questions, metadata, strict=True))
    scores = []
    for stage, drawn in stages.items():
        images = zip(drawn.files, drawn.prompts, drawn.seeds, known, strict=True)
        rows = [JudgeRow(file, text, seed, *rest) for file, text, seed, rest in images]
        sample = Sample(drawn, features, categories)
        scores += [(stage, score) for score in judged(folder / stage, rows, sample)]
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
