"""Why an image of the history cannot be drawn again here, in a sentence: other stages, weights,
wordings, texts or networks to lead away from, or another text encoder."""

import json
from collections.abc import Mapping
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import settings_diff
from imagen_lit.cascade import image_files, recipe_form
from imagen_lit.cascade.picture_edit import EDIT, LATER, ORIGIN
from imagen_lit.run import provenance
from imagen_lit.workbench.history import NEEDED

Facts = Mapping[str, Any]
KNOWN = {*NEEDED, "versions", "rounding", image_files.THRESHOLD_HITS, EDIT}


def difference(facts: Facts, node: Facts, weights: Facts, text: Facts) -> str:
    """Between what an image's file says, and the cascade of this node, with these weights by stage
    and the text encoder of this fingerprint; empty if there is none."""
    stages = facts["cascade"]
    if image_files.BETWEEN in facts:
        return (
            "it lies between two prompts. Type python -m imagen_lit.sample from=... with its file."
        )
    if more := sorted({*facts} - KNOWN):
        return (
            f"it was not drawn from its prompt alone, but from its {more[0]}. Type python -m "
            "imagen_lit.sample from=... with its file."
        )
    names = [*stages, *later(facts)]
    if names != list(weights)[: len(names)]:
        return (
            f"it was drawn by the stages {', '.join(names)}, and here are {', '.join(weights)}. "
            "Start the page with its cascade."
        )
    for name, each in stages.items():
        if sentence := _other_stage(name, each, {**node[name], **weights[name]}):
            return sentence
    if differing := settings_diff(dict(facts["text"]), dict(text)):
        return f"another text encoder read its prompt ({differing}). Set text=..."
    try:
        for each in stages.values():
            recipe_form.settings(each["recipe"])
    except InputError as error:
        return str(error)
    return ""


def later(facts: Facts) -> list[str]:
    """The stages beyond that of an edited image, through which the given picture was made small."""
    edit = facts.get(EDIT)
    origin = edit.get(ORIGIN) if isinstance(edit, dict) else None
    stages = origin.get(LATER) if isinstance(origin, dict) else None
    return list(stages) if isinstance(stages, dict) else []


def _other_stage(name: str, there: Facts, here: Facts) -> str:
    if any(there.get(key) != here[key] for key in ("digest", "settings")):
        return (
            f"other weights of stage {name} drew it (after {there.get('images_seen')} images; here "
            f"are those after {here['images_seen']}). Start the page with cascade.{name}.run=... "
            f"or cascade.{name}.images=... that drew it."
        )
    if provenance.wording(there) != provenance.wording(here):
        return f"stage {name} worded its prompt otherwise. Set cascade.{name}.prompt=..."
    references = [provenance.reference(each) for each in (there, here)]
    texts = [each.get("negative") for each in references]
    if texts[0] != texts[1]:
        words = [json.dumps(each, ensure_ascii=False) for each in texts]
        return (
            f"stage {name} was led away from the text {words[0]}, and here from {words[1]}. Start "
            f"the page with cascade.{name}.negative=... that drew it."
        )
    guides = [each.get("guide", {}) for each in references]
    if any(guides[0].get(key) != guides[1].get(key) for key in ("digest", "settings")):
        words = [_network(each) for each in guides]
        return (
            f"stage {name} was led away from {words[0]}, and here from {words[1]}. Start the page "
            f"with cascade.{name}.guide.run=... and cascade.{name}.guide.images=... that drew it."
        )
    return ""


def _network(guide: Facts) -> str:
    if not guide:
        return "no other network"
    return f"{guide.get('run')} after {guide.get('images_seen')} images"
