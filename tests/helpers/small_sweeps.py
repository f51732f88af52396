"""Two sweeps of a user's own: over encoders of `train`, and over guidance and thresholds of
`evaluate`."""

from pathlib import Path

HEAD = "# @package _global_\n# Question · Do its members run?\n"
ENCODERS = """
defaults:
  - override /scale: demo
  - _self_
name: sweep/encoders/${text.name}
hydra: {mode: MULTIRUN, sweeper: {params: {text: "t5_nano,t5_nano_16"}}}
"""
GUIDANCE = """
defaults:
  - /diffusion/threshold@thresholds.static: static
  - /diffusion/threshold@thresholds.dynamic: dynamic
  - override /cascade: demo_base
  - _self_
name: sweep/guidance/weight-${weight}_threshold-${threshold}
weight: 1
threshold: dynamic
cascade:
  base: {recipe: {guidance: {weight: "${weight}"}, threshold: "${thresholds.${threshold}}"}}
hydra: {mode: MULTIRUN, sweeper: {params: {weight: "1,3", threshold: "static,dynamic"}}}
"""


def write(home: Path) -> None:
    """Into the folder in which the commands start."""
    (home / "sweeps").mkdir(exist_ok=True)
    (home / "sweeps/encoders.yaml").write_text(HEAD + ENCODERS)
    (home / "sweeps/guidance.yaml").write_text(HEAD + GUIDANCE)
