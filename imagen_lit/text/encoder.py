"""A frozen text encoder: captions to token vectors.

Contract: `encode(captions) -> (tokens [B, L, D] float32, mask [B, L] bool)`: the mask is True where
a token is real, and tokens are zero where it is not. Any Hugging Face directory works: T5, BERT and
CLIP differ only in the class that loads them and in the layer that is used, and the YAML file names
both. The demo's tiny encoder is loaded the same way.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from imagen_lit.basics import encoder_command, encoder_precision, fingerprint
from imagen_lit.basics.device import choose
from imagen_lit.basics.errors import InputError
from imagen_lit.text import learned_word
from imagen_lit.text.learned_word import WordEmbedding


class HuggingFace:
    """`load` is a class's `from_pretrained`; `layer` indexes the hidden states, -1 being the
    encoder's own output. `dtype` is the compute precision: float32 or bfloat16; T5 overflows in
    float16, which is refused. `words` are files of words that were learnt for it
    (imagen_lit/text/learned_word.py): each is one more token."""

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
        make_command: str | None = None,
        words: Sequence[str] = (),
    ) -> None:
        encoder_precision.require(name, dtype)
        if max_length < 1:
            raise InputError(
                f"text encoder {name!r}: text.max_length={max_length} is less than 1. "
                "Set text.max_length=128, for example."
            )
        self.name, self.path, self.load = name, path, load
        self.width, self.max_length, self.layer = width, max_length, layer
        self.device = choose(device)
        self.dtype = dtype
        self.words = [learned_word.read(Path(file)) for file in words]
        self.make_command = encoder_command.elsewhere(make_command, name, path)

    @cached_property
    def model(self) -> nn.Module:
        """The frozen encoder, loaded once; weights that do not fit are refused."""
        self._require_files()
        logging.disable_progress_bar()
        with self._loading("weights"):
            model, info = self.load(
                self.path,
                dtype=getattr(torch, self.dtype),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # refused below, with those that are missing
            )
        unset = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
        if unset:
            raise InputError(
                f"text encoder {self.name!r}: the weights in {self.path} do not fit "
                f"{type(model).__name__}: {unset[0]} is missing or of another size, one of "
                f"{len(unset)}. Fetch the weights that belong to config.json, or set another "
                "text.load."
            )
        self._check_settings(model.config)
        for word in self.words:
            learned_word.refuse_other_encoder(word, self._own_fingerprint())
        ids: Any = self.tokenizer.convert_tokens_to_ids([word.text for word in self.words])
        vectors = {number: w.vector for number, w in zip(ids, self.words, strict=True)}
        if vectors:
            model.set_input_embeddings(WordEmbedding(model.get_input_embeddings(), vectors))
        return model.eval().requires_grad_(False).to(self.device)

    def _check_settings(self, config: Any) -> None:
        if config.hidden_size != self.width:
            raise InputError(
                f"text encoder {self.name!r} in {self.path} has width {config.hidden_size}, "
                f"but text.width={self.width}. Set text.width={config.hidden_size}."
            )
        longest = getattr(config, "max_position_embeddings", self.max_length)
        if self.max_length > longest:
            raise InputError(
                f"text encoder {self.name!r} has positions for {longest} tokens, but "
                f"text.max_length={self.max_length}. Set text.max_length={longest} or less."
            )
        states = config.num_hidden_layers + 1  # the embedding, then one after each layer
        if not -states <= self.layer < states:
            raise InputError(
                f"text encoder {self.name!r} has {states} hidden states, but "
                f"text.layer={self.layer}. Set text.layer to {-states} … {states - 1}."
            )

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its own, loaded once."""
        self._require_files(weights=False)
        with self._loading("tokenizer"):
            tokenizer = AutoTokenizer.from_pretrained(self.path)
        for word in self.words:
            learned_word.add(tokenizer, word.text, self.name)
        return tokenizer

    @property
    def unknown_token(self) -> str | None:
        """The tokenizer's own; a vocabulary of bytes has none."""
        return self.tokenizer.unk_token

    @contextmanager
    def _loading(self, part: str) -> Iterator[None]:
        """Each format fails in its own way on a broken file; all become the same error. Weights
        that are not needed, as of a pooling layer, are not worth a report."""
        verbosity = logging.get_verbosity()
        logging.set_verbosity_error()
        try:
            yield
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            source = f"with: {self.make_command}" if self.make_command else "from its source."
            raise InputError(
                f"text encoder {self.name!r}: its {part} in {self.path} cannot be read ({reason}). "
                f"Delete a file that was cut short, then fetch it again {source}"
            ) from error
        finally:
            logging.set_verbosity(verbosity)

    def lengths(self, captions: list[str]) -> list[int]:
        """Tokens of each caption, as `encode` counts them."""
        return [min(len(ids), self.max_length) for ids in self.token_ids(captions)]

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        """Each caption's tokens, also those beyond `max_length`, which `encode` does not read."""
        return self.tokenizer(captions, verbose=False)["input_ids"]

    def pieces(self, words: list[str]) -> list[list[str]]:
        """The tokens of each word as text, without those that only mark an end."""
        ids = self.tokenizer(words, add_special_tokens=False)["input_ids"]
        return [list(self.tokenizer.convert_ids_to_tokens(each)) for each in ids]

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors [B, L, D] and mask [B, L]."""
        with torch.no_grad():
            return self.encode_with_gradient(captions)

    def encode_with_gradient(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """The same, for those who learn what the encoder reads."""
        tokens, mask = self.states(captions, True)
        return tokens.masked_fill(~mask.unsqueeze(-1), 0), mask

    def states(self, captions: list[str], padding: bool | str) -> tuple[Tensor, Tensor]:
        """What the encoder gives, also for padding: to the longest caption, or to `max_length`."""
        batch = self.tokenizer(
            captions,
            padding=padding,
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        ).to(self.device)
        model, mask = self.model, batch["attention_mask"].bool()
        out = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            output_hidden_states=self.layer != -1,
        )
        tokens = out.last_hidden_state if self.layer == -1 else out.hidden_states[self.layer]
        tokens = tokens.float()
        if not tokens.masked_fill(~mask.unsqueeze(-1), 0).isfinite().all():
            raise InputError(
                f"text encoder {self.name!r} returned non-finite numbers for {captions[:3]}…. "
                "Set text.dtype=float32 or text.dtype=bfloat16."
            )
        return tokens, mask

    def settings(self) -> dict[str, str]:
        """The part of the fingerprint that does not depend on the files."""
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
        words = {"words": learned_word.digest(self.words)} if self.words else {}
        return self._own_fingerprint() | words

    def _own_fingerprint(self) -> dict[str, str]:
        """Without the words that it was given."""
        self._require_files()
        return self.settings() | fingerprint.digests(Path(self.path))

    def missing_files(self, weights: bool = True) -> str:
        """Which files are missing and how to get them, in words; empty if none is."""
        folder = Path(self.path)
        missing = [] if (folder / "config.json").is_file() else ["config.json"]
        if not any((folder / name).is_file() for name in fingerprint.VOCABULARIES):
            missing.append(" or ".join(fingerprint.VOCABULARIES))
        if weights and not fingerprint.weight_files(folder):
            missing.append(" or ".join(fingerprint.WEIGHTS))
        if not missing:
            return ""
        cure = f"Make it with: {self.make_command}" if self.make_command else "Put the model there."
        return (
            f"text encoder {self.name!r}: the folder {self.path} lacks {', '.join(missing)} of a "
            f"Hugging Face directory. {cure}"
        )

    def _require_files(self, weights: bool = True) -> None:
        if missing := self.missing_files(weights):
            raise FileNotFoundError(missing)
