"""Where images are drawn: a loaded cascade, its text encoder, and the folder that takes them.

    drawing, work = desk.begin(request)   refuses what cannot be drawn
    desk.draw(drawing, work)              draws it; the drawing has the events

An image is drawn as `sample` draws it alone, with the same pixels and the same facts in its file.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import image_files, recipe_form
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.picture_edit import EDIT, LATER
from imagen_lit.cli import config
from imagen_lit.diffusion.sampler import Heun
from imagen_lit.editing import edit_record
from imagen_lit.editing.edit_record import Given
from imagen_lit.editing.picture import HALF, Picture
from imagen_lit.run import provenance
from imagen_lit.stage.recipe import Recipe
from imagen_lit.text import lost_text, word_tokens
from imagen_lit.text.text_encoder import TextEncoder
from imagen_lit.workbench import entry_difference
from imagen_lit.workbench.drawing import Drawing
from imagen_lit.workbench.history import MASK, PAINTED, PICTURE, Entry, History
from imagen_lit.workbench.observed_cascade import ObservedCascade
from imagen_lit.workbench.request import Paint, Request

REPAINT, JUMPS = "imagen_lit.editing.repaint.Repaint", "imagen_lit.diffusion.jumps.Jumps"
Node = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """What is to be drawn: `node` describes the cascade with the request's recipes, `given` is what
    it is drawn from, on the canvas of the last of the stages `canvas`."""

    request: Request
    node: dict[str, Any]
    given: Given | None
    canvas: tuple[str, ...]

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
        given = None
        if (paint := request.paint) is not None:
            given = self._painted(paint, self.history.entry(paint.picture).image())
        return self._begin(request, given, list(self.cascade.stages))

    def again(self, number: str, looks: bool = False) -> tuple[Drawing, Work]:
        """The same for an image of the history; refused if it was drawn by other weights."""
        entry = self.history.entry(number)
        if difference := self.difference(entry):
            raise InputError(difference)
        facts, given = entry.facts, None
        stages = [*facts["cascade"], *entry_difference.later(facts)]
        if EDIT in facts:
            cascade = self._part(stages)
            given = edit_record.read(facts[EDIT], "it", cascade, *entry.painted())
        request = Request(facts["prompt"], facts["seed"], self.recipes(entry), looks)
        return self._begin(request, given, stages)

    def _painted(self, paint: Paint, image: np.ndarray) -> Given:
        """The picture with the painted part as its hole."""
        for name, array in (("picture", image), ("mask", paint.hole)):
            height, width = array.shape[:2]
            if (height, width) != (self.size, self.size):
                raise InputError(
                    f"the {name} has {width} x {height} pixels, and the last stage draws "
                    f"{self.size} x {self.size}. Choose an image of the history, and paint on that."
                )
        jumps = {"_target_": JUMPS, "length": paint.length, "times": paint.times}
        settings = {"_target_": REPAINT, "strength": 1.0, "jumps": jumps}
        picture = Picture(image, paint.hole >= HALF)
        return Given(picture, config.build(settings), settings, {})

    def _part(self, names: Sequence[str]) -> Cascade:
        return Cascade(**{name: self.cascade.stages[name] for name in names})

    def _begin(
        self, request: Request, given: Given | None, canvas: Sequence[str]
    ) -> tuple[Drawing, Work]:
        names = list(self.cascade.stages)
        if not request.recipes or list(request.recipes) != names[: len(request.recipes)]:
            raise InputError(
                f"there are recipes of {', '.join(request.recipes) or 'no stage'}, and the stages "
                f"are {', '.join(names)}. Reload the page."
            )
        node = recipe_form.of_cascade(self.node, request.recipes)
        work = Work(request, node, given, tuple(canvas))
        work.recipes()
        words = word_tokens.of(self.encoder, request.prompt)
        drawing = Drawing(self._drawings, words)
        self._drawings += 1
        drawing.add(
            "begin",
            words=[each.word for each in words],
            notes=self._notes(request.prompt),
            command=self.command(request) if given is None else None,
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
        folder = self.history.folder / provenance.digest(source)
        place = request.prompt, request.seed
        canvas = self._part(work.canvas)
        if work.given is not None:
            folder = folder / PAINTED / _digest(work.given)
            self._given(work, folder).give(canvas, [place])
        edit = canvas.edit
        for name, stage in stages.items():
            steps = stage.steps(edit.stages.get(name) if edit else None)
            is_twice = isinstance(stage.recipe.sampler, Heun)  # at each step but the last
            drawing.evaluations[name] = 2 * steps - 1 if is_twice else steps
        cascade = ObservedCascade(stages, drawing, request.looks)
        cascade.edit, cascade.start = edit, canvas.start
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

    def _given(self, work: Work, folder: Path) -> Given:
        """What the work draws from, which is in the folder afterwards, and said to be there."""
        given, place = work.given, (work.request.prompt, work.request.seed)
        assert given is not None
        arrays = {PICTURE: given.picture.image}
        if given.picture.hole is not None:
            arrays[MASK] = given.picture.hole.astype(np.uint8) * 255
        for name, array in arrays.items():
            if not (folder / name).exists():
                pixels.save_png(Image.fromarray(array), folder / name)
        mask = folder / MASK if MASK in arrays else None
        source = provenance.describe(self.weights, self.fingerprint, {"cascade": self.node})
        known = image_files.facts(self._part(work.canvas), source, work.canvas[-1], place)
        later = {name: known["cascade"][name] for name in work.canvas[len(work.request.recipes) :]}
        origin = edit_record.origin(folder / PICTURE, mask) | ({LATER: later} if later else {})
        return replace(given, origin=origin)

    def recipes(self, entry: Entry) -> dict[str, dict[str, Any]]:
        """The settings that its file names."""
        return {
            name: recipe_form.settings(each["recipe"])
            for name, each in entry.facts["cascade"].items()
        }

    def difference(self, entry: Entry) -> str:
        """Why an image cannot be drawn again here, in a sentence; empty if it can."""
        return entry_difference.difference(entry.facts, self.node, self.weights, self.fingerprint)

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


def _digest(given: Given) -> str:
    """A short name for all that decides an image besides its cascade."""
    facts = json.dumps(given.facts, sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:12]
