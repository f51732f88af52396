"""The weights that an observer sees are those that the layer attends with, and looking changes no
bit."""

import pytest
import torch
from torch import Tensor, nn

from imagen_lit.network import attention, text_weights
from imagen_lit.network.attention import SelfTextAttention, SelfThenTextAttention, TextAttention

LAYERS = [SelfTextAttention, TextAttention, SelfThenTextAttention]


def layer(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    made = kind(32, 12, 16)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def inputs(batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    mask = torch.ones(batch, 5, dtype=torch.bool)
    mask[1, 3:] = False
    return torch.randn(batch, 32, 4, 4), torch.randn(batch, 5, 12), mask


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("is_read_before", [False, True])
def test_looking_changes_no_bit_and_ends(kind: type[nn.Module], is_read_before: bool) -> None:
    made, (x, text, mask), seen = layer(kind), inputs(), []
    reading = made.read(text, mask) if is_read_before else None
    before = made(x, text, mask, reading)
    with text_weights.observed(made, seen.append):
        assert torch.equal(made(x, text, mask, reading), before)
    made(x, text, mask, reading)
    assert len(seen) == 1 and seen[0].shape == (2, 5)
    assert torch.equal(seen[0][1, 3:], torch.zeros(2)), "no weight on what is masked"
    assert (seen[0] >= 0).all() and (seen[0].sum(1) < 1).all()


@pytest.mark.parametrize("kind", [SelfTextAttention, TextAttention])
def test_the_weights_are_what_the_layer_multiplies_values_by(
    kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With values that are the unit vectors, attention's output is its weights."""
    made, (x, text, mask) = layer(kind), inputs()
    seen, attend = [], attention.attend

    def with_unit_values(query: Tensor, key: Tensor, value: Tensor, visible: Tensor) -> Tensor:
        unit = torch.eye(key.shape[2]).expand(*key.shape[:2], -1, -1)
        seen.append(attend(query, key, unit, visible)[..., -5:].mean((1, 2)))
        return attend(query, key, value, visible)

    monkeypatch.setattr(attention, "attend", with_unit_values)
    made(x, text, mask)
    torch.testing.assert_close(text_weights.weights(made, x, text, mask), seen[0])
