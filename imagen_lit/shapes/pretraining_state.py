"""The state of an interrupted pretraining: everything its next step depends on, in a file.

Law: interrupted and resumed, it makes the same encoder, bit for bit. The state of a pretraining
with other settings cannot be used, and is overwritten.
"""

import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import torch

from imagen_lit.basics.atomic import atomic_write


class PretrainingState:
    """`settings` identify a pretraining; `parts` have a state_dict."""

    def __init__(
        self, file: Path, settings: list[float], parts: dict[str, Any], rng: random.Random
    ) -> None:
        self.file, self.settings, self.parts, self.rng = file, settings, parts, rng

    def save(self, steps: int) -> None:
        """Write the state after so many steps."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {"settings": self.settings, "steps": steps}
        state |= {"torch_rng": torch.get_rng_state(), "python_rng": self.rng.getstate()}
        with atomic_write(self.file) as handle:
            torch.save(state, handle)

    def resume(self) -> int:
        """Restore everything; return how many steps are done, 0 without a usable file."""
        try:
            state = torch.load(self.file, weights_only=True)
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile):
            return 0  # no file, or not ours; the state only saves time
        if state.get("settings") != self.settings:
            return 0
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["torch_rng"])
        version, words, gauss = state["python_rng"]
        self.rng.setstate((version, tuple(words), gauss))
        return int(state["steps"])
