"""The weights of another run, with which a new one starts: `start_from=runs/other`."""

from pathlib import Path

from imagen_lit.basics.errors import InputError
from imagen_lit.run import checkpoint, run_folder
from imagen_lit.stage.training import Stage


def give(stage: Stage, folder: Path) -> None:
    """Give a new stage the EMA of that run; its clock stays at zero."""
    there = run_folder.load_ema(folder).state_dict()
    if differing := checkpoint.differing_weights(stage.denoiser, there):
        raise InputError(
            f"start_from={folder} has another network: {len(differing)} weights differ, among "
            f"them {', '.join(differing[:3])}. Choose the same network=...; its config.yaml has it."
        )
    for denoiser in (stage.denoiser, stage.ema):
        denoiser.load_state_dict(there)
