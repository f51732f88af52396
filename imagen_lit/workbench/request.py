"""What a page asks for, as it comes over the network: checked before anything is drawn."""

import base64
import binascii
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError

LONGEST = 10_000  # letters of a prompt
MOST_JUMPS = 20
PREFIX = "data:image/png;base64,"


@dataclass(frozen=True)
class Paint:
    """A picture of which a part is drawn anew, by its number in the history: `hole`, uint8 [H, W],
    is 255 there and 0 elsewhere; each stretch of `length` steps is walked `times` times
    (imagen_lit/diffusion/jumps.py)."""

    picture: str
    hole: np.ndarray
    times: int = 4  # both as conf/editing/inpaint.yaml
    length: int = 4

    @classmethod
    def of(cls, body: Any) -> "Paint":
        """From JSON, with the hole as an address that holds a PNG."""
        if not isinstance(body, dict) or type(body.get("picture")) is not str:
            raise InputError("there is no picture below the mask. Choose one of the history.")
        times, length = body.get("times", cls.times), body.get("length", cls.length)
        for name, value in (("times", times), ("length", length)):
            if arguments.whole_number(name, value, 1) > MOST_JUMPS:
                raise InputError(f"{name}={value} is above {MOST_JUMPS}. Set it lower.")
        hole = _hole(body.get("mask"))
        if not hole.any():
            raise InputError("nothing is painted. Paint over what shall be drawn anew.")
        return cls(body["picture"], hole, times, length)


@dataclass(frozen=True)
class Request:
    """An image to be drawn: `recipes` has the settings of each stage
    (imagen_lit/cascade/recipe_form.py); `looks`: somebody wants to see the attention."""

    prompt: str
    seed: int
    recipes: Mapping[str, Mapping[str, Any]]
    looks: bool = False
    paint: Paint | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Request":
        """From JSON."""
        prompt, recipes = body.get("prompt"), body.get("recipes")
        if type(prompt) is not str or not prompt.strip():
            raise InputError("the prompt is empty. Type what the image shall show.")
        if len(prompt) > LONGEST or any("\ud800" <= letter <= "\udfff" for letter in prompt):
            raise InputError(f"the prompt has more than {LONGEST:,} letters. Type a shorter one.")
        if not isinstance(recipes, dict) or not all(isinstance(e, dict) for e in recipes.values()):
            raise InputError("there is no recipe. Open the page again.")
        seed = arguments.whole_number("seed", body.get("seed"), 0)
        paint = Paint.of(body["paint"]) if body.get("paint") is not None else None
        return cls(prompt, seed, recipes, body.get("looks") is True, paint)


def _hole(address: Any) -> np.ndarray:
    """A mask as the page sends it: drawn anew where it is light."""
    text = address if type(address) is str and address.startswith(PREFIX) else PREFIX
    try:
        content = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            grey = np.asarray(image.convert("L"))
    except (ValueError, OSError, SyntaxError, binascii.Error, Image.DecompressionBombError):
        raise InputError("the mask is no PNG. Paint it again.") from None
    return ((grey >= 128) * 255).astype(np.uint8)
