"""Weights that take a second to make, made once."""

import made_weights
import pytest


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A file of made weights in the layout of the FID's, and its sha256."""
    file = tmp_path_factory.mktemp("inception") / "made.pth"
    return str(file), made_weights.save(made_weights.state(made_weights.inception_shapes()), file)
