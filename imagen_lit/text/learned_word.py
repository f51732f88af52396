"""A word that a frozen encoder is taught: the vector with which it enters, and nothing else of the
encoder (textual inversion, Gal et al. 2023).

It is one more token of the tokenizer, whose input vector is not in the encoder's table but here.
Captions without the word are encoded as before, bit for bit. Its file, `words/zorp.safetensors`,
holds the vector [D], the word, and the fingerprint of the encoder that it was learnt with.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from transformers import AddedToken, PreTrainedTokenizerBase

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import settings_diff

FORMAT = "imagen_lit word 1"
VECTOR = "vector"
SETTINGS = ("encoder", "compute_dtype", "max_length", "layer")  # what a vector does not depend on


@dataclass(frozen=True)
class LearnedWord:
    """`encoder` is the fingerprint of the encoder, `origin` where the word was learnt."""

    text: str
    vector: Tensor
    encoder: Mapping[str, str]
    origin: Mapping[str, str] = field(default_factory=dict)


class WordEmbedding(nn.Module):
    """An encoder's table of input vectors, and one more vector for each id in `vectors`."""

    def __init__(self, table: nn.Module, vectors: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.table, self.ids = table, list(vectors)
        self.vectors = nn.ParameterList([nn.Parameter(each.clone()) for each in vectors.values()])

    @property
    def weight(self) -> Tensor:
        """The table's own, which transformers asks for its type and device."""
        return self.table.weight  # type: ignore[return-value]

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [B, L] -> vectors [B, L, D]."""
        is_new = [ids == number for number in self.ids]
        known = ids.masked_fill(torch.stack(is_new).any(0), 0)  # which the table may not have
        out: Tensor = self.table(known)
        for here, vector in zip(is_new, self.vectors, strict=True):
            out = torch.where(here[..., None], vector.to(out.dtype), out)
        return out


def add(tokenizer: PreTrainedTokenizerBase, word: str, encoder: str) -> None:
    """Make the word a token of its own. One that means something already is refused."""
    if not isinstance(word, str) or word != word.strip() or len(word.split()) != 1:
        raise InputError(
            f"word={word!r} is not one word, and each learnt vector is one token. Set word=zorp, "
            "for example."
        )
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
        raise InputError(
            f"word={word} is a word of the text encoder {encoder!r}, one token that means "
            "something. Set word=... to one that it spells in several, such as zorp."
        )
    # With the blank before it, as the encoder's own words have theirs; not as a part of others.
    tokenizer.add_tokens([AddedToken(word, single_word=True, lstrip=True)])


def write(file: Path, word: LearnedWord) -> None:
    """Write the file."""
    fields = {"format": FORMAT, "word": word.text}
    fields |= {f"encoder.{name}": value for name, value in word.encoder.items()}
    fields |= {f"origin.{name}": value for name, value in word.origin.items()}
    with atomic_write(file) as handle:
        handle.write(to_bytes({VECTOR: word.vector.detach().float().cpu()}, fields))


def read(file: Path) -> LearnedWord:
    """Read the file; one that is no learnt word is refused."""
    try:
        with safe_open(file, "pt") as content:
            fields: dict[str, Any] = content.metadata() or {}
            vector = content.get_tensor(VECTOR)
    except FileNotFoundError as error:
        raise InputError(
            f"there is no learnt word in {file}. Make it with python -m imagen_lit.learn_word, or "
            "take it out of text.words."
        ) from error
    except (SafetensorError, OSError) as error:
        raise _foreign(file) from error
    if fields.get("format") != FORMAT or vector.dim() != 1:
        raise _foreign(file)
    parts = [
        {k.removeprefix(part): v for k, v in fields.items() if k.startswith(part)}
        for part in ("encoder.", "origin.")
    ]
    return LearnedWord(fields["word"], vector, *parts)


def refuse_other_encoder(word: LearnedWord, encoder: Mapping[str, str]) -> None:
    """Raise unless it was learnt with an encoder of these weights and this tokenizer."""
    there, here = (
        {k: v for k, v in fields.items() if k not in SETTINGS} for fields in (word.encoder, encoder)
    )
    if difference := settings_diff(there, here):
        raise InputError(
            f"the word {word.text} was learnt with another text encoder ({difference}), whose "
            "vectors mean something else. Set text=... to that one, or learn the word again."
        )


def digest(words: Iterable[LearnedWord]) -> str:
    """What distinguishes these words, with their vectors, from others."""
    total = hashlib.sha256()
    for word in sorted(words, key=lambda each: each.text):
        total.update(word.text.encode() + b"\0" + word.vector.numpy().tobytes())
    return total.hexdigest()


def _foreign(file: Path) -> InputError:
    return InputError(
        f"{file} holds no learnt word. Name a file that python -m imagen_lit.learn_word has "
        "written, or take it out of text.words."
    )
