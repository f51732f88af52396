"""One meaning of a setting for every command."""

import pytest

from imagen_lit.cli import config


@pytest.mark.parametrize(
    ("words", "precision"),
    [
        ([], "32-true"),
        (["precision=bf16-mixed"], "bf16-mixed"),
        (["trainer=gpu"], "bf16-mixed"),
        (["trainer=ddp", "precision=32-true"], "32-true"),
        (["trainer.precision=bf16-mixed"], "bf16-mixed"),
    ],
)
def test_precision_means_the_same_to_a_training_as_to_a_drawing(
    words: list[str], precision: str
) -> None:
    for name in ("train", "bench"):
        assert config.compose(name, words).trainer.precision == precision
    own = [word for word in words if word.startswith("precision")]
    assert config.compose("sample", own).precision in (precision, "32-true")
