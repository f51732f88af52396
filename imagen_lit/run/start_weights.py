"""The weights of another run, or of a stage in any other form (imagen_lit/run/saved_stage.py), with
which a new one starts: `start_from=runs/other`."""

from pathlib import Path

from imagen_lit.basics.errors import InputError
from imagen_lit.run import checkpoint, saved_stage
from imagen_lit.stage.null_text import Encoded
from imagen_lit.stage.training import Stage


def give(stage: Stage, folder: Path) -> None:
    """Give a new stage the EMA of that run; its clock stays at zero. The empty caption is the new
    stage's where that one has none."""
    saved = saved_stage.of(folder).denoiser(None)
    there = saved.state_dict()
    if isinstance(saved.null_text, Encoded) and saved.null_text.is_empty:  # DeepFloyd IF's files
        own = stage.denoiser.state_dict().items()
        there |= {name: each for name, each in own if name.startswith("null_text.")}
    if differing := checkpoint.differing_weights(stage.denoiser, there):
        raise InputError(
            f"start_from={folder} has another network: {len(differing)} weights differ, among "
            f"them {', '.join(differing[:3])}. Choose the same network=...; its config.yaml has it."
        )
    for denoiser in (stage.denoiser, stage.ema):
        denoiser.load_state_dict(there)
