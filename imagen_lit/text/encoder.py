"""A frozen text encoder: captions to token vectors.

Contract: `encode(captions) -> (tokens [B, L, D] float32, mask [B, L] bool)`, True where a token is
real, tokens zero where it is not. Any Hugging Face directory serves: T5, BERT and CLIP differ only
in the class that loads them and in the layer that is read, and both stand in the YAML file. The
tiny encoder of the demo goes through this same door.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from imagen_lit.text import fingerprint

DTYPES = ("float32", "bfloat16")


class HuggingFace:
    """`load` is a class's `from_pretrained`; `layer` counts hidden states, -1 being the encoder's
    own output. `dtype` is what it computes in: float32 or bfloat16. T5 overflows in float16, so
    that is refused. `device` auto is the accelerator where there is one."""

    def __init__(
        self,
        name: str,
        path: str,
        load: Callable[..., Any],
        width: int,
        max_length: int = 128,
        layer: int = -1,
        device: str = "auto",
        dtype: str = "float32",
        made_by: str | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(
                f"text encoder {name!r}: found dtype={dtype}, expected one of {', '.join(DTYPES)} "
                "(float16 overflows in T5)"
            )
        if max_length < 1:
            raise ValueError(
                f"text encoder {name!r}: found max_length={max_length}, expected >= 1: type "
                "text.max_length=128"
            )
        self.name, self.path, self.load = name, path, load
        self.width, self.max_length, self.layer = width, max_length, layer
        self.device = _accelerator() if device == "auto" else device
        self.dtype, self.made_by = dtype, made_by

    @cached_property
    def model(self) -> nn.Module:
        self._require_files()
        logging.disable_progress_bar()
        with self._reading("weights"):
            model, found = self.load(
                self.path,
                dtype=getattr(torch, self.dtype),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # named below, with those that are missing
            )
        unset = sorted({*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])})
        if unset:
            raise ValueError(
                f"text encoder {self.name!r}: the weights in {self.path} do not fit "
                f"{type(model).__name__}: {unset[0]} is missing or of another size, one of "
                f"{len(unset)}; bring the weights that belong to config.json, or another load"
            )
        if model.config.hidden_size != self.width:
            raise ValueError(
                f"text encoder {self.name!r} in {self.path} has width {model.config.hidden_size}, "
                f"its configuration says {self.width}: set text.width={model.config.hidden_size}"
            )
        longest = getattr(model.config, "max_position_embeddings", self.max_length)
        if self.max_length > longest:
            raise ValueError(
                f"text encoder {self.name!r} has positions for {longest} tokens, and "
                f"max_length={self.max_length}: set text.max_length={longest}"
            )
        return model.eval().requires_grad_(False).to(self.device)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        self._require_files(weights=False)
        with self._reading("tokenizer"):
            return AutoTokenizer.from_pretrained(self.path)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Each format fails in its own way on a file that is broken; all mean the same."""
        try:
            yield
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(
                f"text encoder {self.name!r}: its {what} in {self.path} cannot be read "
                f"({said}); if a file was cut short, delete it, and bring it anew: "
                f"{self.made_by or 'from where it came'}"
            ) from error

    def lengths(self, captions: list[str]) -> list[int]:
        """Tokens of each caption, as `encode` will count them."""
        ids = self.tokenizer(captions, truncation=True, max_length=self.max_length)["input_ids"]
        return [len(tokens) for tokens in ids]

    @torch.inference_mode()
    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        batch = self.tokenizer(
            captions,
            padding=True,
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        ).to(self.device)
        out = self.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            output_hidden_states=self.layer != -1,
        )
        tokens = out.last_hidden_state if self.layer == -1 else out.hidden_states[self.layer]
        mask = batch["attention_mask"].bool()
        if not tokens[mask].isfinite().all():
            raise ValueError(
                f"text encoder {self.name!r} answered with non-finite numbers for {captions[:3]}…: "
                "run it in float32 or bfloat16, never in float16"
            )
        return tokens.float() * mask.unsqueeze(-1), mask

    def settings(self) -> dict[str, str]:
        """The part of the fingerprint that is known without the files."""
        load = getattr(self.load, "func", self.load)  # the class, of a partial or a bound method
        return {
            "encoder": self.name,
            "class": getattr(load, "__self__", load).__name__,
            "max_length": str(self.max_length),
            "layer": str(self.layer),
            "compute_dtype": self.dtype,
        }

    def fingerprint(self) -> dict[str, str]:
        """What must be equal for two embeddings to be comparable; stored in every cache file."""
        self._require_files()
        return self.settings() | fingerprint.of(Path(self.path))

    def lacks(self, weights: bool = True) -> str:
        """What is not there, and what brings it, in words; empty where all is."""
        here = Path(self.path)
        missing = [] if (here / "config.json").is_file() else ["config.json"]
        if not any((here / name).is_file() for name in fingerprint.VOCABULARIES):
            missing.append(" or ".join(fingerprint.VOCABULARIES))
        if weights and not fingerprint.weights(here):
            missing.append(" or ".join(fingerprint.WEIGHTS))
        cure = f"make it with: {self.made_by}" if self.made_by else "put the model there"
        return (
            f"text encoder {self.name!r}: the folder {self.path} lacks {', '.join(missing)}; "
            f"expected a Hugging Face directory; {cure}"
            if missing
            else ""
        )

    def _require_files(self, weights: bool = True) -> None:
        if lacks := self.lacks(weights):
            raise FileNotFoundError(lacks)


def _accelerator() -> str:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found is not None else "cpu"
