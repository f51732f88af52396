"""A model in a Hugging Face folder on this disk: loaded whole, or refused in a sentence."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.utils import logging

from imagen_lit.basics import encoder_command, fingerprint
from imagen_lit.basics.errors import InputError


class ModelFolder:
    """`make_command` fetches the folder; messages print it where the folder is missing. Of each of
    `needs`, one file has to be there."""

    def __init__(
        self,
        name: str,
        path: str,
        make_command: str | None,
        needs: Sequence[Sequence[str]] = (("config.json",), fingerprint.WEIGHTS),
    ) -> None:
        self.name, self.path, self.needs = name, Path(path), needs
        command = encoder_command.elsewhere(make_command, name, path)
        self.source = f"Fetch it with: {command}" if command else "Fetch it from its source."

    def digests(self) -> dict[str, str]:
        """sha256 of all files there that decide what the model does."""
        self.require_files()
        return fingerprint.digests(self.path)

    def load(self, kind: Any, device: torch.device) -> Any:
        """The model, in float32 and frozen; weights that leave a part of it unset are refused."""
        logging.disable_progress_bar()
        with self.reading("model"):
            model, info = kind.from_pretrained(
                self.path,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # refused below, with those that are missing
            )
        unset = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
        if unset:
            raise InputError(
                f"{self.name}: the weights in {self.path} do not fit {kind.__name__}: {unset[0]} "
                f"is missing or of another size, one of {len(unset)}. {self.source}"
            )
        assert isinstance(model, nn.Module)
        return model.eval().requires_grad_(False).to(device)

    @contextmanager
    def reading(self, part: str) -> Iterator[None]:
        """Each format fails in its own way on a broken file; all become the same error, and so does
        a file that is not there."""
        self.require_files()
        try:
            yield
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise InputError(
                f"{self.name}: its {part} in {self.path} cannot be read ({reason}). Delete a file "
                f"that was cut short. {self.source}"
            ) from error

    def require_files(self) -> None:
        """Raise if a file is missing without which there is no model."""
        missing = [
            " or ".join(names)
            for names in self.needs
            if not any(file.is_file() for name in names for file in self.path.glob(name))
        ]
        if missing:
            raise InputError(
                f"{self.name}: the folder {self.path} lacks {', '.join(missing)} of a Hugging Face "
                f"directory. {self.source}"
            )

    def require_width(self, width: int, true: int) -> None:
        """Raise if the setting names another width than the model has."""
        if width != true:
            raise InputError(
                f"{self.name} in {self.path} has width {true}, but width={width}. Set width={true}."
            )
