"""A frozen text encoder: captions to token vectors.

Contract: `encode(captions) -> (tokens [B, L, D] float32, mask [B, L] bool)`, True where a token is
real, tokens zero where it is not. Any Hugging Face directory serves: T5, BERT and CLIP differ only
in the class that loads them and in the layer that is read, and both stand in the YAML file. The
tiny encoder of the demo goes through this same door.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

DTYPES = ("float32", "bfloat16")
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZERS = ("tokenizer.json", "spiece.model", "vocab.txt", "vocab.json")


class HuggingFace:
    """`load` is a class's `from_pretrained`; `layer` counts hidden states, -1 being the encoder's
    own output. `dtype` is what it computes in: float32 or bfloat16. T5 overflows in float16, so
    that is refused. `device` auto is the accelerator where there is one."""

    def __init__(
        self,
        name: str,
        path: str,
        load: Callable[..., nn.Module],
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
        self.name, self.path, self.load = name, path, load
        self.width, self.max_length, self.layer = width, max_length, layer
        self.device = _accelerator() if device == "auto" else device
        self.dtype, self.made_by = dtype, made_by

    @cached_property
    def model(self) -> nn.Module:
        self._require_files()
        logging.disable_progress_bar()
        model = self.load(self.path, dtype=getattr(torch, self.dtype)).eval().requires_grad_(False)
        if model.config.hidden_size != self.width:
            raise ValueError(
                f"text encoder {self.name!r} in {self.path} has width {model.config.hidden_size}, "
                f"its configuration says {self.width}: set text.width={model.config.hidden_size}"
            )
        return model.to(self.device)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        self._require_files()
        return AutoTokenizer.from_pretrained(self.path)

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

    def fingerprint(self) -> dict[str, str]:
        """What must be equal for two embeddings to be comparable; stored in every cache file."""
        self._require_files()
        here = Path(self.path)
        return {
            "encoder": self.name,
            "weights_sha256": _sha256(_weights(here)),
            "tokenizer_sha256": _sha256(_tokenizer(here)),
            "max_length": str(self.max_length),
            "layer": str(self.layer),
            "compute_dtype": self.dtype,
        }

    def _require_files(self) -> None:
        here = Path(self.path)
        missing = [] if (here / "config.json").is_file() else ["config.json"]
        if not _tokenizer(here):
            missing.append(" or ".join(TOKENIZERS))
        if not _weights(here):
            missing.append(" or ".join(WEIGHTS))
        if missing:
            cure = f"make it with: {self.made_by}" if self.made_by else "put the model there"
            raise FileNotFoundError(
                f"text encoder {self.name!r}: the folder {self.path} lacks {', '.join(missing)}; "
                f"expected a Hugging Face directory; {cure}"
            )


def _weights(here: Path) -> list[Path]:
    """The files of the first kind that is there, as transformers chooses."""
    return next((found for kind in WEIGHTS if (found := sorted(here.glob(kind)))), [])


def _tokenizer(here: Path) -> list[Path]:
    return next(([here / name] for name in TOKENIZERS if (here / name).is_file()), [])


def _accelerator() -> str:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found is not None else "cpu"


@lru_cache(maxsize=8)
def _file_sha256(path: Path, size: int, time: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sha256(files: list[Path]) -> str:
    digests = [_file_sha256(file, *_state(file)) for file in files]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _state(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
