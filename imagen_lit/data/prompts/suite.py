"""Prompts of the suites of our own writing: frozen ones, or those that a seed makes anew."""

from lightning import LightningDataModule

from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.errors import InputError
from imagen_lit.suites import suite
from imagen_lit.suites.refresh import fresh_prompts


class SuitePrompts:
    """The suite `name`, S, M or L, or as many prompts refreshed by a seed; the first `count` of
    them. Each is drawn from `seeds_per_prompt` seeds in a row, the first from `seed`. `entries` has
    what a rater looks for, and `suite` what a result cites."""

    def __init__(
        self,
        name: str = "S",
        refresh: int | None = None,
        count: int | None = None,
        seed: int = 0,
        seeds_per_prompt: int = 1,
    ) -> None:
        size = suite.COUNTS[suite.check(name)]
        limit = size if count is None else whole_number("prompts.count", count, 1)
        if limit > size:
            raise InputError(
                f"prompts.count={count} is more than the {size} prompts of {name}. Set a larger "
                "prompts.name=L, or prompts.count=null for all."
            )
        if refresh is None:
            prompts, part = suite.read(name)[:limit], "frozen"
        else:
            prompts = fresh_prompts(limit, whole_number("prompts.refresh", refresh, 0))
            part = f"refreshed by {refresh}"
        repeats = whole_number("prompts.seeds_per_prompt", seeds_per_prompt, 1)
        first = whole_number("prompts.seed", seed, 0)
        self.entries = [prompt for prompt in prompts for _ in range(repeats)]
        self.prompts = [prompt.prompt for prompt in self.entries]
        self.ids = [prompt.id for prompt in self.entries]
        self.categories = [prompt.ability for prompt in self.entries]
        self.seeds = list(range(first, first + len(self.entries)))
        self.suite = {
            "suite": name,
            "version": suite.VERSION,
            "part": part,
            "count": len(prompts),
            "digest": suite.digest(prompts),
        }

    def of(self, data: LightningDataModule) -> "SuitePrompts":
        """The same for all data."""
        return self
