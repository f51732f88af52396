"""The learning rate as a share of its peak, a function of the images seen: it rises over the first
`warmup` images and falls linearly to zero over the last share `cooldown` of all."""

from dataclasses import dataclass

from imagen_lit.basics import arguments


@dataclass(frozen=True)
class LearningRate:
    """`images` are all that the stage will see."""

    images: int
    warmup: int
    cooldown: float

    def __post_init__(self) -> None:
        arguments.whole_number("stage.images", self.images, 1)
        arguments.whole_number("stage.warmup", self.warmup, 0)
        arguments.fraction("stage.cooldown", self.cooldown)

    def factor(self, images_seen: int) -> float:
        """From 0 to 1."""
        rise = images_seen / self.warmup if self.warmup else 1.0
        cooldown = self.cooldown * self.images
        fall = (self.images - images_seen) / cooldown if cooldown else 1.0
        return max(0.0, min(1.0, rise, fall))
