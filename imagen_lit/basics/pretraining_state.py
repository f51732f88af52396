"""The state of an interrupted pretraining: everything its next step depends on, in a file.

Law: interrupted and resumed, it makes the same encoder, bit for bit. The state of a pretraining
with other settings is refused, not overwritten.
"""

import pickle
import random
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import differing_keys, settings_diff

DAMAGED = (  # or foreign: what reading such a file raises
    *(OSError, EOFError, RuntimeError, LookupError, ValueError, TypeError, AttributeError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)


class PretrainingState:
    """`settings` identify a pretraining, and a person can type those that are `typed`; `parts` have
    a state_dict; `rng` is the generator that it draws from, beside torch's."""

    def __init__(
        self,
        file: Path,
        settings: Mapping[str, Any],
        typed: Collection[str],
        parts: Mapping[str, Any],
        rng: random.Random | None = None,
    ) -> None:
        self.file, self.settings, self.typed, self.parts = file, dict(settings), typed, parts
        self.rng = rng

    def save(self, steps: int) -> None:
        """Write the state after so many steps."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {"settings": self.settings, "steps": steps}
        state["torch_rng"] = torch.get_rng_state()
        if self.rng is not None:
            state["python_rng"] = self.rng.getstate()
        with atomic_write(self.file) as handle:
            torch.save(state, handle)

    def resume(self) -> int:
        """Restore everything; return how many steps are done, 0 without a file that can be read."""
        if not self.file.exists():
            return 0
        state = self._read()
        if state is None:
            warnings.warn(
                f"{self.file} cannot be read as an unfinished encoder of this version: the encoder "
                "is begun anew.",
                stacklevel=2,
            )
            return 0
        self._refuse_other(state["settings"])
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["torch_rng"])
        if self.rng is not None:
            version, words, gauss = state["python_rng"]
            self.rng.setstate((version, tuple(words), gauss))
        return int(state["steps"])

    def _read(self) -> dict[str, Any] | None:
        try:
            state = torch.load(self.file, weights_only=True)
        except DAMAGED:
            return None  # damaged, or not ours; the state only saves time
        is_ours = isinstance(state, dict) and isinstance(state.get("settings"), dict)
        return state if is_ours else None

    def _refuse_other(self, settings: dict[str, Any]) -> None:
        keys = differing_keys(settings, self.settings)
        if not keys:
            return
        same = " ".join(f"{key}={settings.get(key)}" for key in keys)
        advice = (
            "Remove it to begin anew."
            if {*keys} - {*self.typed}
            else (f"Set {same} to continue it, or remove it to begin anew.")
        )
        difference = settings_diff(settings, self.settings, keys)
        raise InputError(
            f"{self.file} is an unfinished encoder with other settings ({difference}). {advice}"
        )
