"""A feature depends on its own image or text alone."""

import pytest
import torch

from imagen_lit.contrastive.image_tower import ImageTower
from imagen_lit.contrastive.text_tower import TextTower, last_states
from imagen_lit.contrastive.two_towers import Shape, TwoTowers


@pytest.mark.parametrize("size", [16, 32, 64])
def test_an_image_has_the_same_feature_in_any_batch(size: int) -> None:
    torch.manual_seed(0)
    tower, images = ImageTower(size, 12, 20), torch.rand(5, 3, size, size) * 2 - 1
    together = tower(images)
    assert together.shape == (5, 20)
    for n in range(5):
        torch.testing.assert_close(tower(images[n : n + 1])[0], together[n], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together[0], tower(images.flip(-1))[0], atol=1e-3), (
        "left is not right"
    )


def test_a_text_has_the_same_states_beside_longer_ones() -> None:
    torch.manual_seed(0)
    tower = TextTower(40, 12, 48, 2)
    ids, length = torch.randint(1, 40, (3, 12)), 5
    mask = torch.arange(12) < torch.tensor([[length], [12], [7]])
    together = tower(ids, mask)
    alone = tower(ids[:1, :length], mask[:1, :length])
    torch.testing.assert_close(together[0, :length], alone[0], rtol=1e-4, atol=1e-5)
    assert not together[~mask].any(), "padding is zero"
    assert torch.equal(last_states(together, mask)[0], together[0, length - 1])
    assert torch.equal(last_states(together, mask)[1], together[1, -1])


def test_the_order_of_words_matters() -> None:
    torch.manual_seed(0)
    model, mask = TwoTowers(Shape(16, 8, 32, 1, 40, 12)), torch.ones(1, 4).bool()
    there, back = torch.tensor([[1, 5, 6, 2]]), torch.tensor([[1, 6, 5, 2]])
    one, other = model.text_features(there, mask), model.text_features(back, mask)
    assert (one - other).norm() > 1e-3 * one.norm()


def test_sizes_that_cannot_be_halved_to_the_end_are_refused() -> None:
    with pytest.raises(ValueError, match=r"size=48 is none of 16, 32.*Set size=64"):
        ImageTower(48, 8, 8)
