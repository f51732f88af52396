"""The weights of another run, or of a stage in any other form (imagen_lit/run/saved_stage.py), with
which a new one starts: `start_from=runs/other`."""

from collections.abc import Mapping
from pathlib import Path

from imagen_lit.basics.errors import InputError
from imagen_lit.network import adapters
from imagen_lit.run import checkpoint, saved_stage
from imagen_lit.run.encoder_difference import HARMLESS, encoder_difference
from imagen_lit.stage.null_text import Encoded
from imagen_lit.stage.training import Stage


def give(stage: Stage, folder: Path | None, encoder: Mapping[str, str]) -> None:
    """Give a new stage the EMA of that run, with whatever adapters it has merged; the stage's own
    adapters still change nothing, and its clock stays at zero. `encoder` is the fingerprint of the
    one that it will read. The empty caption is the new stage's where that one has none."""
    if folder is None:
        if stage.denoiser.frozen_names:
            raise InputError(
                "stage.denoiser.adapters change a trained network, and none is named. "
                "Set start_from=runs/base, for example."
            )
        return
    saved = saved_stage.of(folder).denoiser(None)
    there = adapters.merged(saved)
    refuse_other_encoder("start_from", folder, encoder)
    if isinstance(saved.null_text, Encoded) and saved.null_text.is_empty:  # DeepFloyd IF's files
        own = stage.denoiser.state_dict().items()
        there |= {name: each for name, each in own if name.startswith("null_text.")}
    start = adapters.with_base(stage.denoiser, there)
    if differing := checkpoint.differing_weights(stage.denoiser, start):
        raise InputError(
            f"start_from={folder} has another network: {len(differing)} weights differ, among "
            f"them {', '.join(differing[:3])}. Choose the same network=...; its config.yaml has it."
        )
    for denoiser in (stage.denoiser, stage.ema):
        denoiser.load_state_dict(start)


def keep_frozen(stage: Stage, folder: Path) -> None:
    """Write the weights that the run will not change into its folder, once for all checkpoints."""
    if names := stage.denoiser.frozen_names:
        weights = stage.denoiser.state_dict()
        checkpoint.write_frozen(folder, {name: weights[name] for name in names})


def refuse_other_encoder(key: str, folder: Path, encoder: Mapping[str, str]) -> None:
    """Raise if that run, which this setting names, reads another encoder's vectors."""
    saved = saved_stage.of(folder)
    recorded = saved.text_fingerprint()
    difference = (
        saved.text_difference(dict(encoder))  # of DeepFloyd IF, whose files name no encoder
        if recorded is None
        else encoder_difference(recorded, encoder, HARMLESS)
    )
    if difference:
        raise InputError(
            f"{key}={folder} was trained with another text encoder ({difference}), so its network "
            "would misread every caption. Set text=... as it was trained, and embed the captions "
            "with it; or name another run."
        )
