"""The contrastive loss is that of the paper, and a caption is never wrong for its own twin."""

import math

import numpy as np
import pytest
import torch

from imagen_lit.contrastive.contrastive_loss import pair_losses, same_captions
from imagen_lit.contrastive.two_towers import Shape, TwoTowers

CAPTIONS = torch.tensor([[1, 2, 0], [1, 3, 0], [1, 2, 0], [1, 2, 4], [1, 3, 0]])


def features(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(5, 8, generator=g).double(), torch.randn(5, 8, generator=g).double()


def by_definition(images: np.ndarray, texts: np.ndarray, scale: float, captions: list) -> list:
    """Pair by pair, with sums of exponentials."""

    def similarity(image: np.ndarray, text: np.ndarray) -> float:
        cosine = image @ text / math.sqrt((image @ image) * (text @ text))
        return math.exp(scale * cosine)

    losses = []
    for i, caption in enumerate(captions):
        rivals = [j for j, other in enumerate(captions) if j == i or other != caption]
        own = similarity(images[i], texts[i])
        finds_text = -math.log(own / sum(similarity(images[i], texts[j]) for j in rivals))
        finds_image = -math.log(own / sum(similarity(images[j], texts[i]) for j in rivals))
        losses.append((finds_text + finds_image) / 2)
    return losses


@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
def test_the_loss_is_its_definition(scale: float) -> None:
    images, texts = features()
    exact = torch.tensor(scale, dtype=torch.float64)
    ours = pair_losses(images, texts, exact, same_captions(CAPTIONS))
    truth = by_definition(images.numpy(), texts.numpy(), scale, CAPTIONS.tolist())
    np.testing.assert_allclose(ours.numpy(), truth, rtol=1e-9)


def test_a_permutation_of_the_batch_permutes_the_losses() -> None:
    (images, texts), order = features(), torch.tensor([3, 0, 4, 2, 1])
    scale = torch.tensor(10.0)
    losses = pair_losses(images, texts, scale, same_captions(CAPTIONS))
    permuted = pair_losses(images[order], texts[order], scale, same_captions(CAPTIONS[order]))
    torch.testing.assert_close(permuted, losses[order], rtol=1e-12, atol=0)


def test_pairs_of_one_caption_do_not_push_each_other_away() -> None:
    images, texts = (each.requires_grad_() for each in features())
    losses = pair_losses(images, texts, torch.tensor(10.0), same_captions(CAPTIONS))
    for gradient in torch.autograd.grad(losses[0], (images, texts)):
        moves = gradient.abs().sum(1) > 0
        assert moves.tolist() == [True, True, False, True, True], "2 has the caption of 0"


def test_only_captions_of_equal_tokens_are_one() -> None:
    assert same_captions(CAPTIONS).nonzero().tolist() == [
        *([0, 0], [0, 2], [1, 1], [1, 4], [2, 0], [2, 2], [3, 3], [4, 1], [4, 4]),
    ]


def test_the_scale_is_clipped_so_that_it_can_fall_again() -> None:
    model = TwoTowers(Shape(16, 8, 8, 1, 300, 8))
    assert model.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        model.log_scale.fill_(9.0)
    model.limit_scale()
    assert model.scale.item() == pytest.approx(100.0)
    model.scale.backward()
    assert model.log_scale.grad is not None and model.log_scale.grad > 0
