"""Weights that training does not change, because adapters are trained beside them: a checkpoint
leaves them out, and says which (imagen_lit/run/checkpoint.py joins them from a file of their own).

The denoiser and its EMA have the same: an average of equal numbers is that number.
"""

from typing import Any

from imagen_lit.stage.denoiser import Denoiser

FROZEN = "frozen"  # the key of their names


def leave_out(checkpoint: dict[str, Any], denoiser: Denoiser) -> None:
    """Take them out of a checkpoint, if there are any."""
    names = [f"{part}.{name}" for part in ("denoiser", "ema") for name in denoiser.frozen_names]
    for name in names:
        checkpoint["state_dict"].pop(name, None)  # only the first rank of several has them
    if names:
        checkpoint[FROZEN] = names
