"""How a person speaks to `ablate`, in words that Hydra takes: `text_encoder status` is
`ablation=text_encoder do=status`, and settings of other commands (`train.data.shards=…`,
`evaluate.metrics=[kid]`) are collected in `changes=[…]`, because they are no keys of this one.
"""

import re
from collections.abc import Sequence

from imagen_lit.cli import flags, override

COMMAND = "ablate"
KEYS = ("ablation", "do")  # of the first bare word, and of the second
SCALE = "scale="  # in Hydra's eyes a choice of the group conf/scale/, which is that of experiments
OTHERS = ("train", "evaluate", "settings", "data", "figures", "arms", "only")


def expand(command: str, words: Sequence[str]) -> list[str]:
    """The same words for any other command."""
    if command != COMMAND:
        return list(words)
    settings, changes, keys = [], [], list(KEYS)
    words = flags.expand(words)  # which puts flags, with what belongs to them, last
    first = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    for word in words[:first]:
        if re.match(rf"~?({'|'.join(OTHERS)})\.", word):
            changes.append(word)
        elif word.startswith(SCALE):
            settings.append(f"at_{word}")
        elif keys and re.fullmatch(r"\w+", word):
            settings.append(f"{keys.pop(0)}={word}")
        else:
            settings.append(word)
    if changes:
        settings.append(override.word("changes", changes))
    return [*settings, *words[first:]]
