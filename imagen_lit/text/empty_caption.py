"""What an encoder makes of the empty caption, in a file beside the sidecars of its captions: for
trainings with the null text `Encoded`, which need the encoder no more than others do."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from imagen_lit.basics import json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.text.text_encoder import TextEncoder

FILE = "empty_caption.json"  # the encoder's fingerprint, and a row of numbers for each token


def write(folder: Path, encoder: TextEncoder) -> None:
    """Write the file, unless it is there."""
    if not (folder / FILE).exists():
        rows = _encode(encoder).tolist()
        write_json(folder / FILE, {"encoder": encoder.fingerprint(), "vectors": rows})


def find(folder: Path | None, encoder: TextEncoder, fingerprint: Mapping[str, str]) -> Tensor:
    """The vectors [T, D]: those in the folder, or else of the run's encoder, whose fingerprint the
    sidecars have; refused where neither is there."""
    file = None if folder is None else folder / FILE
    if file is not None and file.exists():
        content = json_file.read(file, "Remove it, and embed the captions again.")
        if content.get("encoder") == dict(fingerprint) and content.get("vectors"):
            return torch.tensor(content["vectors"])
    if missing := encoder.missing_files():
        raise InputError(
            f"the null text is the encoded empty caption, and {file or 'no folder'} does not hold "
            f"it; {missing} Type python -m imagen_lit.embed_text where the encoder is, which adds "
            "that file; or set stage/null_text@stage.condition.null_text=masked_zeros."
        )
    return _encode(encoder)


def _encode(encoder: TextEncoder) -> Tensor:
    vectors, mask = encoder.encode([""])
    return vectors[0][mask[0]].cpu()
