"""A folder that a command makes an encoder in, once: with the same settings it is used as it is,
and one that was made with others is refused, never overwritten.

Beside the folder lie, until the encoder is finished, the state that an interrupted pretraining
resumes from, and the lock that lets one process at a time work on it.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagen_lit.basics import chosen_folder, file_lock, json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import settings_diff

SETTINGS = "pretraining.json"  # beside the encoder: what it was pretrained with


@dataclass(frozen=True)
class EncoderFolder:
    """`settings` are those that a person types and that decide the encoder; `command` makes it;
    `in_config` are the settings that its config.json knows too, with their names there."""

    folder: Path
    settings: Mapping[str, Any]
    command: str
    in_config: Mapping[str, str]

    @property
    def unfinished(self) -> Path:
        """The file of an interrupted pretraining's state."""
        return self.folder.with_name(f"{self.folder.name}.unfinished")

    def is_finished(self) -> bool:
        """Whether the encoder is there; one with other settings is refused."""
        if not (self.folder / "config.json").is_file():
            return False
        self.refuse_other()
        return True

    def refuse_other(self) -> None:
        """Raise if the encoder there was pretrained with other settings, as far as is recorded."""
        advice = "Restore it from a copy, or remove the folder to have the encoder made again."
        known = json_file.read(self.folder / "config.json", advice)
        record = {key: known.get(name) for key, name in self.in_config.items()}
        if (self.folder / SETTINGS).exists():
            record = json_file.read(self.folder / SETTINGS, advice)
        else:
            warnings.warn(
                f"{self.folder} does not record how its encoder was pretrained. It is used as it "
                "is; remove the folder to have it made again.",
                stacklevel=2,
            )
        keys = [key for key, value in record.items() if value != self.settings.get(key)]
        if keys:
            same = " ".join(f"{key}={record[key]}" for key in keys)
            difference = settings_diff(record, self.settings, keys)
            raise InputError(
                f"the encoder in {self.folder} was pretrained with other settings ({difference}). "
                f"Set {same} to use it, or remove the folder to have it made again."
            )

    def refuse_other_place(self) -> None:
        """Raise, before the work, if the encoder could not be put there at its end."""
        chosen_folder.require_writable("folder", self.folder, self.folder)
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise InputError(
                f"folder={self.folder} holds other files, and an encoder needs a folder of its "
                "own. Set folder=encoders/mine, for example."
            )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One process at a time pretrains an encoder."""
        file = self.folder.with_name(f"{self.folder.name}.lock")
        advice = (
            "Let it finish, then type the same again: its encoder is used. For a second encoder, "
            f"type {self.command} folder=... with another folder."
        )
        with file_lock.exclusive(file, f"pretraining the encoder {self.folder}", advice):
            try:
                yield
            finally:
                file.unlink(missing_ok=True)

    def finish(self) -> None:
        """Record, beside an encoder that was just written, its settings; forget the state."""
        write_json(self.folder / SETTINGS, dict(self.settings))
        self.unfinished.unlink(missing_ok=True)
