"""Prompts that a seed makes anew from the grammars, so that a suite can be a moving target.

Prompt n is of ability n mod 11 and of the next difficulty in every round, so that any first part is
balanced and the refreshed S and M begin the refreshed L. Each is far (near_duplicate.py) from all
frozen ones, from those before it and from the public sets (public_sets.py).
"""

from imagen_lit.basics.errors import InputError
from imagen_lit.suites import public_sets
from imagen_lit.suites.grammar import grammar
from imagen_lit.suites.near_duplicate import TOO_NEAR, Neighbours
from imagen_lit.suites.suite import read
from imagen_lit.suites.suite_prompt import ABILITIES, DIFFICULTIES, SuitePrompt

ATTEMPTS = 300  # draws for one prompt before the grammar counts as used up


def fresh_prompts(count: int, seed: int) -> list[SuitePrompt]:
    """`count` prompts; the same ones for the same seed, and others for another."""
    others = Neighbours()
    for prompt in read("L"):
        remember(others, prompt)
    prompts = []
    for number in range(count):
        ability = list(ABILITIES)[number % len(ABILITIES)]
        turn = number // len(ABILITIES)
        identity = f"{ability}-r{seed}-{turn + 1:03d}"
        difficulty = DIFFICULTIES[turn % len(DIFFICULTIES)]
        prompts.append(fresh_prompt(others, ability, difficulty, identity, identity))
    return prompts


def fresh_prompt(
    others: Neighbours, ability: str, difficulty: int, seed: str, identity: str
) -> SuitePrompt:
    """The first draw from the grammar that is far from all others, which it joins."""
    for attempt in range(ATTEMPTS):
        prompt = grammar(ability).draw(difficulty, f"{seed}/{attempt}", identity)
        texts = {prompt.prompt, prompt.meant}
        is_near = any(others.nearest(text)[0] >= TOO_NEAR for text in texts)
        if not is_near and not any(public_sets.is_near(text) for text in texts):
            remember(others, prompt)
            return prompt
    raise InputError(
        f"the grammar of {ability} has no further prompt of difficulty {difficulty} far from all "
        "others. Set prompts.count lower."
    )


def remember(others: Neighbours, prompt: SuitePrompt) -> None:
    """Add a prompt as it stands and as it is meant."""
    for text in dict.fromkeys((prompt.prompt, prompt.meant)):
        others.add(text)
