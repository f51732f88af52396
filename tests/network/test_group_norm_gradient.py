"""The gradient of a norm's weight, in the shape where a compiled one was wrong without a word.

PyTorch's issue 140913: 256 images, 64x64, four channels a group, bf16, where a sum over the batch
is split and its halves were not added up. The gradient is known in closed form: with the plain norm
n of x and the gradient g of the output, that of the weight is the sum of g n, that of the bias the
sum of g.
"""

import pytest
import torch
from torch import Tensor

from imagen_lit.network.layers import group_norm

IMAGES, EDGE, GROUP = 256, 64, 4


def gradients(channels: int, edge: int, compiler: str | None) -> list[Tensor]:
    """Relative errors of the gradients of weight and bias, bf16 against float64."""
    g = torch.Generator().manual_seed(0)
    norm = group_norm(channels, GROUP)
    assert channels // norm.num_groups == GROUP
    shape = IMAGES, channels, edge, edge
    x, other = (torch.randn(shape, generator=g).bfloat16() for _ in range(2))
    x, other = (t.to(memory_format=torch.channels_last) for t in (x, other))
    forward = torch.compile(norm, backend=compiler) if compiler else norm
    with torch.autocast("cpu", torch.bfloat16):
        output = forward(x.requires_grad_())
    output.backward(other.to(output.dtype))
    groups = x.detach().double().unflatten(1, (norm.num_groups, GROUP))
    variance, mean = torch.var_mean(groups, (2, 3, 4), correction=0, keepdim=True)
    plain = ((groups - mean) / (variance + norm.eps).sqrt()).flatten(1, 2)
    exact = (other.double() * plain).sum((0, 2, 3)), other.double().sum((0, 2, 3))
    found = norm.weight.grad, norm.bias.grad
    return [(a - b).norm() / b.norm() for a, b in zip(found, exact, strict=True)]


@pytest.mark.parametrize("compiler", [None, "aot_eager"])
def test_a_norm_of_many_images_has_the_right_weight_gradient(compiler: str | None) -> None:
    torch.compiler.reset()
    for channels, edge in ((8, EDGE), (128, EDGE // 8)):  # as many pixels; as many channels
        assert max(gradients(channels, edge, compiler)) < 0.01
