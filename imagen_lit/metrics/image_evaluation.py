"""Images of any origin, measured by the same ruler as a cascade's own: scores in a folder of their
own, whichever program drew the images."""

import warnings
from pathlib import Path
from typing import Any

from imagen_lit.basics import json_file, process_share
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.image_set import judge_files
from imagen_lit.image_set.folder import Folder
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.metrics import measured
from imagen_lit.metrics.measured import SCORES
from imagen_lit.metrics.outside_judge import JUDGE, judged
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.metrics.sample import Sample

LOCK = ".results.lock"
NAME = "images"  # in the place of a stage's


def evaluate_images(images: ImageSet, folder: Path, ruler: Ruler) -> dict[str, Any]:
    """The scores, also written into the folder, and which of them this start measured; {} where
    another process writes them. Scores of other metrics for the same images stay; those of other
    images are refused."""
    file = folder / SCORES
    provenance: dict[str, Any] = {"images": dict(images.facts()), "n": len(images)}
    earlier = json_file.read(file, "Remove it, or set another name=...") if file.exists() else {}
    if earlier and "images" not in earlier.get("provenance", {}):
        raise InputError(
            f"{folder} holds the evaluation of a cascade. Set name=... to a name for these images."
        )
    if earlier and earlier.get("provenance") != provenance:
        there = flatten(earlier.get("provenance", {}))
        raise InputError(
            f"{folder} holds the scores of other images than {getattr(images, 'root', 'these')} "
            f"({settings_diff(there, flatten(provenance))}). Set name=... to another one."
        )
    if " to " in str(provenance["images"].get("size", "")):
        warnings.warn(
            f"the images have {provenance['images']['size']}: the scores of small ones and large "
            "ones are mixed. Measure folders of one size",
            stacklevel=2,
        )
    stages = {NAME: images}
    ruler.check(stages)
    ruler.extract(stages)
    with process_share.finishing(folder / LOCK) as is_first:
        if not is_first:
            return {}
        categories = getattr(images, "categories", None)
        whole = ruler.measure(stages, categories)
        if isinstance(images, Folder) and images.prompts is not None:
            sample = Sample(images, ruler.folder, categories)
            answers = judged(folder / JUDGE, judge_files.of_folder(images), sample)
            outside = measured.of([(NAME, score) for score in answers])
            whole = measured.together(whole, outside)
        scores = {"provenance": provenance, **measured.merge(earlier, whole)}
        seeds = getattr(images, "seeds", None)
        measured.write_values(folder, whole, images.prompts, seeds, bool(earlier))
        write_json(file, scores)
    return scores | {measured.NOW: whole.rows}
