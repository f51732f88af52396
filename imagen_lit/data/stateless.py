"""A stream of batches that has nothing to save: Lightning asks each loader for its state."""

from typing import Any


class Stateless:
    """Its position is the run's one integer."""

    def state_dict(self) -> dict[str, Any]:
        """Empty on purpose: the position is not stored twice."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
