"""One caption for each of so many images of COCO, from its file of captions: the prompts of the
paper's FID-30K and of its raters' photographs (Saharia et al. 2022, § 3).

The paper does not say which 30,000 it drew. Here the choice is a hash: of an image's captions the
one with the lowest hash of (choice_seed, image, caption) stands for it, and the images come in the
order of their own hashes. So it is the same for everyone, in whatever order the file lists them,
and fewer are the first of more.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from imagen_lit.basics import arguments, json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.data.prompts import prompt_rows
from imagen_lit.data.prompts.prompt_list import PromptList

# The words of Table 2 of the paper, as it prints them: `children`, for one, is none of them.
PEOPLE = (
    "man men woman women person people child adult adults boy boys girl girls guy lady ladies "
    "someone toddler player workers spectators"
).split()
HAS_PEOPLE = re.compile(rf"\b({'|'.join(PEOPLE)})\b", re.IGNORECASE)
ADVICE = "Set prompts.path=... to a file of COCO's captions, such as captions_val2014.json."


class CocoCaptions(PromptList):
    """The first `count` captions, null for all. `ids` are those of their images, and end the names
    of the files: COCO_val2014_000000391895.jpg is 391895. `without_people` leaves out captions that
    name people, as the second half of the paper's Table 2 does: the others stay the same."""

    def __init__(
        self,
        path: str,
        count: int | None = 30_000,
        without_people: bool = False,
        choice_seed: int = 0,
        seed: int = 0,
        seeds_per_prompt: int = 1,
    ) -> None:
        arguments.whole_number("prompts.choice_seed", choice_seed, 0)
        file = prompt_rows.require_file(path, "a file of COCO's captions")
        if file.suffix.lower() in (*prompt_rows.SUFFIXES, ".txt"):
            kind = "file" if file.suffix.lower() == ".txt" else "table prompts.column=..."
            raise InputError(
                f"{path} is of another format than COCO's captions, which are one .json file. "
                f"Choose data/prompts={kind} for such prompts. {ADVICE}"
            )
        annotations = json_file.read(file, ADVICE).get("annotations")
        if not isinstance(annotations, list) or not annotations:
            raise InputError(f"{path} has no list of annotations. {ADVICE}")
        lowest: dict[int, tuple[str, str]] = {}  # by image: the caption of the lowest hash
        for number, annotation in enumerate(annotations, 1):
            image, caption_id, caption = _parts(path, number, annotation)
            candidate = _hash(choice_seed, image, caption_id), caption
            lowest[image] = min(lowest.get(image, candidate), candidate)
        images = sorted(lowest, key=lambda image: (_hash(choice_seed, image), image))
        if arguments.switch("prompts.without_people", without_people):
            images = [image for image in images if not HAS_PEOPLE.search(lowest[image][1])]
        if count is not None and len(images) < arguments.whole_number("prompts.count", count, 1):
            raise InputError(
                f"{path} has captions of {len(images):,} such images, fewer than "
                f"prompts.count={count}. Set prompts.count=null for all of them."
            )
        prompts = [lowest[image][1] for image in images]
        super().__init__(file, prompts, count, seed, seeds_per_prompt, ids=images)


def _parts(path: str, number: int, annotation: Any) -> tuple[int, int, str]:
    entry = annotation if isinstance(annotation, Mapping) else {}
    image, own, caption = (entry.get(name) for name in ("image_id", "id", "caption"))
    if type(image) is int and type(own) is int and isinstance(caption, str) and caption.strip():
        return image, own, caption
    raise InputError(
        f"annotation {number:,} of {path} lacks image_id, id or caption, as those of boxes do. "
        f"{ADVICE}"
    )


def _hash(*numbers: int) -> str:
    return hashlib.sha256(" ".join(map(str, numbers)).encode()).hexdigest()
