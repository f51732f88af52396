"""How the images in a folder were drawn, so that images drawn differently are never mixed up.

`provenance.json` beside them holds two kinds of facts. What was requested (recipes, prompts, the
encoder): a start that requests something else is refused. And which weights drew them: those of a
run that has been trained further since draw into a folder of their own, named after `digest`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.basics import json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.run import evaluation_facts

FILE = evaluation_facts.PROVENANCE
WEIGHTS = "weights"
START = "start_from"  # images that were there, and what drew them (imagen_lit/cascade)
AS_IT_IS = "{prompt}"  # the wording of a prompt (imagen_lit/cascade/prompt_template.py)
ADVICE = "Restore it from a copy, remove the folder, or choose another."


def describe(
    weights: Mapping[str, Any], text: Mapping[str, str], request: Mapping[str, Any]
) -> dict[str, Any]:
    """What is requested, with which text encoder, and which weights draw it (`run_folder.weights`,
    by stage)."""
    return {**request, "text": dict(text), WEIGHTS: dict(weights)}


def wording(stage: Mapping[str, Any]) -> dict[str, str]:
    """How a stage words its prompts, where it does not take them as they are."""
    return {} if stage.get("prompt", AS_IT_IS) == AS_IT_IS else {"prompt": stage["prompt"]}


def reference(stage: Mapping[str, Any]) -> dict[str, Any]:
    """What its guidance leads away from, where that is not the network itself without text: another
    text, and facts of the weights of another network."""
    negative, guide = stage.get("negative"), stage.get("guide") or {}
    own = {} if negative is None else {"negative": negative}
    return own | ({"guide": dict(guide)} if "digest" in guide else {})


def refuse_other_request(folder: Path, provenance: dict[str, Any]) -> None:
    """Raise if the folder holds images of another request; a record alone claims nothing."""
    there = recorded(folder)
    if there is None or _has_only_records(folder):
        return
    if difference := settings_diff(_request(there), _request(provenance)):
        raise InputError(
            f"{folder} holds images that were drawn with other settings ({difference}). Set those, "
            "choose another folder (name=... for evaluate, runs=... for demo), or remove this one."
        )


def refuse_other_files(folder: Path, results: Sequence[str]) -> None:
    """Raise if a folder without a record holds files that `results` would take the place of."""
    foreign = [name for name in results if (folder / name).exists()]
    if foreign and not (folder / FILE).exists():
        raise InputError(
            f"{folder} holds {', '.join(foreign)} without {FILE}, so they are of another origin "
            "and would be lost. Choose another folder with name=..., or move them away."
        )


def digest(provenance: Mapping[str, Any]) -> str:
    """A short name for all that decides an image but its prompt and seed: weights, settings and
    recipe of every stage, and the text encoder."""
    drawing = {
        name: provenance["cascade"][name] | weights for name, weights in provenance[WEIGHTS].items()
    }
    stages = [
        (
            name,
            each["digest"],
            each.get("settings"),
            each["recipe"],
            *wording(each).values(),
            *_without_address(reference(each)),
        )
        for name, each in (_lower(provenance) | drawing).items()
    ]
    facts = json.dumps(_with_whole_numbers([stages, provenance["text"]]), sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def claim(folder: Path, provenance: dict[str, Any], results: Sequence[str]) -> list[Path]:
    """Record the provenance in the folder; what other weights left there stays, under new names.

    These weights' `results` (names of files) and their record get their digest into the name. The
    record is renamed last, so that after a kill in between the next start finishes the work.
    Returns the results that were renamed.
    """
    before = recorded(folder)
    earlier = []
    if before is not None and before != provenance and not _has_only_records(folder):
        old = digest(before)
        there = [folder / name for name in results if (folder / name).exists()]
        earlier = [file.rename(file.with_stem(f"{file.stem}_{old}")) for file in there]
        record = folder / FILE
        record.rename(record.with_stem(f"{record.stem}_{old}"))
    write_json(folder / FILE, provenance)
    return earlier


def _without_address(reference: Mapping[str, Any]) -> list[Any]:
    """Nothing for the usual reference, so that names from before there were others stay."""
    facts = {key: value for key, value in flatten(dict(reference)).items() if key != "guide.run"}
    return [facts] if facts else []


def _with_whole_numbers(node: Any) -> Any:
    """3.0 as 3: the same request, whichever of them was typed."""
    if isinstance(node, dict):
        return {key: _with_whole_numbers(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_with_whole_numbers(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


def _has_only_records(folder: Path) -> bool:
    """Whether nothing was drawn here: an interrupted start leaves its record, and its lock."""
    stem = Path(FILE).stem
    files = (file.name for file in folder.rglob("*") if file.is_file())
    drawn = (name for name in files if not name.startswith("."))
    return all(name.startswith(stem) and name.endswith(".json") for name in drawn)


def recorded(folder: Path) -> dict[str, Any] | None:
    """What a folder says that drew its images; None if it does not."""
    file = folder / FILE
    try:
        record = json_file.read(file, ADVICE)
    except FileNotFoundError:  # also where another process is just setting it aside
        return None
    try:
        digest(record)
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file} is damaged: it does not say what drew these images. {ADVICE}"
        ) from error
    prompts = record.get("prompts", {})
    if isinstance(prompts, dict) and str(prompts.get("_target_")).endswith(".HeldOutPrompts"):
        prompts.setdefault("seeds_per_prompt", 1)  # what the records before this key mean
    return record


def _request(provenance: dict[str, Any]) -> dict[str, Any]:
    """Without the weights, nor the number of images by which they were chosen, without a
    wording of prompts that changes nothing, without the address of a run that drew what was
    there, and without where this version has the class of a stage, which is the same for all."""
    settings = flatten({k: v for k, v in provenance.items() if k != WEIGHTS})
    stages = provenance[WEIGHTS]
    left_out = {f"cascade.{each}.{key}" for each in stages for key in ("images", "_target_")}
    for stage in provenance[WEIGHTS]:
        if not wording(provenance["cascade"][stage]):
            left_out.add(f"cascade.{stage}.prompt")
        left_out |= _usual_reference(stage, provenance["cascade"][stage])
    left_out |= {f"{START}.cascade.{stage}.run" for stage in _lower(provenance)}
    return {key: value for key, value in settings.items() if key not in left_out}


def _usual_reference(name: str, stage: Mapping[str, Any]) -> set[str]:
    """The keys of a stage that choose no other reference of guidance; and the number of images by
    which a guide's weights were chosen."""
    guide = dict(stage.get("guide") or {})
    is_usual = (guide.get("run"), guide.get("images")) == (None, None)
    keys = [f"guide.{key}" for key in guide if is_usual or key == "images"]
    keys += ["negative"] if stage.get("negative") is None else []
    return {f"cascade.{name}.{key}" for key in keys}


def _lower(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The stages whose images were there."""
    return dict(provenance.get(START, {}).get("cascade", {}))
