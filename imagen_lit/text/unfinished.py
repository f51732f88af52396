"""A reading that is interrupted goes on where it was: all that its next step depends on, in a file.

Law: interrupted and taken up again, it makes the same encoder, bit for bit. What was kept of
another reading (other settings) is no use to this one, and is written over.
"""

import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import torch

from imagen_lit.data.aside import aside


class Unfinished:
    """`settings` are what one reading is told from another by; `parts` have a state_dict."""

    def __init__(
        self, file: Path, settings: list[float], parts: dict[str, Any], rng: random.Random
    ) -> None:
        self.file, self.settings, self.parts, self.rng = file, settings, parts, rng

    def keep(self, steps: int) -> None:
        """Remember the state after so many steps."""
        state: dict[str, Any] = {n: part.state_dict() for n, part in self.parts.items()}
        state |= {"settings": self.settings, "steps": steps}
        state |= {"noise": torch.get_rng_state(), "draws": self.rng.getstate()}
        with aside(self.file) as handle:
            torch.save(state, handle)

    def take_up(self) -> int:
        """Put everything back as it was; how many steps are done, 0 where none were kept."""
        try:
            state = torch.load(self.file, weights_only=True)
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile):
            return 0  # none, or none of ours: it is a saving of time, and nothing else
        if state.get("settings") != self.settings:
            return 0
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["noise"])
        version, words, gauss = state["draws"]
        self.rng.setstate((version, tuple(words), gauss))
        return int(state["steps"])
