"""Where images are drawn: a loaded cascade, its text encoder, and the folder that takes them.

    drawing, work = desk.begin(request)   refuses what cannot be drawn
    desk.draw(drawing, work)              draws it; the drawing has the events

An image is drawn as `sample` draws it alone, with the same pixels and the same facts in its file.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import settings_diff
from imagen_lit.cascade import image_files, recipe_form
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.picture_edit import PictureEdit
from imagen_lit.cli import config
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.diffusion.sampler import Heun
from imagen_lit.run import provenance
from imagen_lit.stage.recipe import Recipe
from imagen_lit.text import lost_text, word_tokens
from imagen_lit.text.text_encoder import TextEncoder
from imagen_lit.workbench.drawing import Drawing
from imagen_lit.workbench.history import PAINTED, Entry, History
from imagen_lit.workbench.inpainting import Inpainting
from imagen_lit.workbench.observed_cascade import ObservedCascade
from imagen_lit.workbench.request import Request

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """What is to be drawn: `node` describes the cascade with the request's recipes."""

    request: Request
    node: dict[str, Any]
    inpainting: Inpainting | None

    def recipes(self) -> dict[str, Recipe]:
        """Of each stage."""
        return {name: recipe_form.build(self.node[name]["recipe"]) for name in self.request.recipes}


class Desk:
    """`node` describes the cascade, with its usual recipes; `typed` are the words by which the
    command chose it. The weights are those of the start, whatever is trained meanwhile."""

    def __init__(
        self, node: Node, encoder: TextEncoder, folder: Path, typed: Sequence[str] = ()
    ) -> None:
        self.node, self.encoder, self.typed = node, encoder, typed
        self.cascade: Cascade = config.build(dict(node))
        self.fingerprint = encoder.fingerprint()
        self.cascade.check(self.fingerprint)
        self.weights = self.cascade.weights
        self.cascade.load_weights()
        self.usual = {
            name: recipe_form.settings(node[name]["recipe"]) for name in self.cascade.stages
        }
        self.history = History(folder, list(self.cascade.stages)[-1])
        self._drawings = 0

    @property
    def size(self) -> int:
        """The edge of the images of the last stage."""
        return list(self.cascade.stages.values())[-1].size

    def begin(self, request: Request) -> tuple[Drawing, Work]:
        """A drawing that has not begun, and what is to be drawn; refused in words if it cannot."""
        inpainting = None
        if (paint := request.paint) is not None:
            picture = self.history.entry(paint.picture).image()
            inpainting = Inpainting(picture, paint.hole, Jumps(paint.length, paint.times))
        return self._begin(request, inpainting)

    def again(self, number: str, looks: bool = False) -> tuple[Drawing, Work]:
        """The same for an image of the history; refused if it was drawn by other weights."""
        entry = self.history.entry(number)
        if difference := self.difference(entry):
            raise InputError(difference)
        facts, inpainting = entry.facts, None
        if image_files.EDIT in facts:
            inpainting = Inpainting(*entry.painted(), Jumps(**facts[image_files.EDIT]["jumps"]))
        request = Request(facts["prompt"], facts["seed"], self.recipes(entry), looks)
        return self._begin(request, inpainting)

    def _begin(self, request: Request, inpainting: Inpainting | None) -> tuple[Drawing, Work]:
        names = list(self.cascade.stages)
        if not request.recipes or list(request.recipes) != names[: len(request.recipes)]:
            raise InputError(
                f"there are recipes of {', '.join(request.recipes) or 'no stage'}, and the stages "
                f"are {', '.join(names)}. Reload the page."
            )
        if inpainting is not None:
            inpainting.refuse_other_size(self.size)
        work = Work(request, recipe_form.of_cascade(self.node, request.recipes), inpainting)
        work.recipes()
        words = word_tokens.of(self.encoder, request.prompt)
        drawing = Drawing(self._drawings, words)
        self._drawings += 1
        drawing.add(
            "begin",
            words=[each.word for each in words],
            notes=self._notes(request.prompt),
            command=self.command(request) if inpainting is None else None,
        )
        return drawing, work

    def draw(self, drawing: Drawing, work: Work) -> None:
        """Draw the image and put it into the history; one that is there already stays, and is
        compared. One at a time: the stages are shared."""
        request, node = work.request, work.node
        stages = {name: self.cascade.stages[name] for name in request.recipes}
        for name, recipe in work.recipes().items():
            stages[name].recipe = recipe
        weights = {name: self.weights[name] for name in stages}
        source = provenance.describe(weights, self.fingerprint, {"cascade": node})
        folder, edit = self.history.folder / provenance.digest(source), None
        if (inpainting := work.inpainting) is not None:
            folder = folder / PAINTED / inpainting.digest()
            edit = PictureEdit(inpainting.edits(self.cascade), inpainting.facts())
            inpainting.save(folder)
        for name, stage in stages.items():
            steps = stage.steps(edit.stages.get(name) if edit else None)
            is_twice = isinstance(stage.recipe.sampler, Heun)  # at each step but the last
            drawing.evaluations[name] = 2 * steps - 1 if is_twice else steps
        cascade = ObservedCascade(stages, drawing, request.looks)
        cascade.edit = edit
        place = request.prompt, request.seed
        image_files.missing(cascade, source, [place], folder)
        files = image_files.paths(cascade, folder, *place)
        before = {name: pixels.load_png(file) for name, file in files.items() if file.exists()}
        shape = DrawingPass.of(self.encoder, [request.prompt], 1, cascade.templates)
        for _ in image_files.draw(
            cascade, self.encoder, source, [place], folder, shape, drawing.step
        ):
            pass
        name = list(files)[-1]
        same = np.array_equal(before[name], drawing.images[name]) if name in before else None
        drawing.add("done", entry=self.history.number(files[name]), same=same)

    def recipes(self, entry: Entry) -> dict[str, dict[str, Any]]:
        """The settings that its file names."""
        return {
            name: recipe_form.settings(each["recipe"])
            for name, each in entry.facts["cascade"].items()
        }

    def difference(self, entry: Entry) -> str:
        """Why an image cannot be drawn again here, in a sentence; empty if it can."""
        stages = entry.facts["cascade"]
        if list(stages) != list(self.cascade.stages)[: len(stages)]:
            return (
                f"it was drawn by the stages {', '.join(stages)}, and here are "
                f"{', '.join(self.cascade.stages)}. Start the page with its cascade."
            )
        for name, each in stages.items():
            here = self.weights[name]
            if any(each.get(key) != here[key] for key in ("digest", "settings")):
                return (
                    f"other weights of stage {name} drew it (after {each.get('images_seen')} "
                    f"images; here are those after {here['images_seen']}). Start the page with "
                    f"cascade.{name}.run=... or cascade.{name}.images=... that drew it."
                )
            if provenance.wording(each) != provenance.wording(self.node[name]):
                return f"stage {name} worded its prompt otherwise. Set cascade.{name}.prompt=..."
        if difference := settings_diff(dict(entry.facts["text"]), dict(self.fingerprint)):
            return f"another text encoder read its prompt ({difference}). Set text=..."
        known = {"prompt", "seed", "stage", "cascade", "text", "versions", "rounding"}
        known |= {image_files.THRESHOLD_HITS, image_files.EDIT}
        if more := sorted({*entry.facts} - known):
            return f"it was not drawn from its prompt alone, but from its {more[0]}. Use sample."
        try:
            self.recipes(entry)
        except InputError as error:
            return str(error)
        return ""

    def command(self, request: Request) -> str:
        """What to type for the same image."""
        words = [f"prompts={json.dumps([request.prompt], ensure_ascii=False)}", *self.typed]
        words.append(f"seed={request.seed}")
        for name, settings in request.recipes.items():
            words += recipe_form.words(name, settings, self.usual[name])
        return f"python -m imagen_lit.sample {shlex.join(words)}"

    def _notes(self, prompt: str) -> list[str]:
        """What the encoder loses of the prompt."""
        notes, encoder = [], self.encoder
        if len(encoder.token_ids([prompt])[0]) > encoder.max_length:
            lost = lost_text.words_beyond(encoder, prompt)
            notes.append(
                f"The prompt is longer than the {encoder.max_length} tokens that the text encoder "
                f"{encoder.name} reads. This is lost: “{lost}”"
            )
        if unknown := sorted(lost_text.unknown_words(encoder, [prompt])):
            notes.append(f"The text encoder does not know: {', '.join(unknown[:10])}")
        return notes
