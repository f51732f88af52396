"""What an encoder makes of the empty caption is found beside its sidecars, or made, or refused."""

from pathlib import Path

import pytest
import torch
from tiny_run import FINGERPRINT, Encoder
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.text import empty_caption

VECTORS = torch.tensor([[0.1, -1 / 3], [2e-8, 5.0]])


class Mute(Encoder):
    """Two tokens of nothing, padded to three; `files` says whether the weights are here."""

    def __init__(self, files: bool = True) -> None:
        self.files = files

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        assert captions == [""] and self.files
        text = torch.cat([VECTORS, torch.zeros(1, 2)])
        return text[None], torch.tensor([[True, True, False]])

    def missing_files(self) -> str:
        return "" if self.files else "the folder lacks weights. Make it with: something"


def test_it_comes_from_the_file_or_from_the_encoder_to_the_bit(tmp_path: Path) -> None:
    assert torch.equal(empty_caption.find(None, Mute(), FINGERPRINT), VECTORS)
    empty_caption.write(tmp_path, Mute())
    assert torch.equal(empty_caption.find(tmp_path, Mute(files=False), FINGERPRINT), VECTORS)


@pytest.mark.parametrize("has_other_file", [False, True])
def test_without_either_a_training_is_told_what_to_do(tmp_path: Path, has_other_file: bool) -> None:
    if has_other_file:
        empty_caption.write(tmp_path, Mute())
    with pytest.raises(InputError, match=r"empty caption.*embed_text where .*; or set stage/null_"):
        empty_caption.find(tmp_path, Mute(files=False), {"encoder": "another"})
