"""A hint at what a misspelt name may have been."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """` (did you mean a or b?)` for a misspelt name, or nothing when none is close. A name may be
    dotted, as keys are, or end with `@<place>`, as groups may."""
    last = {name: name.rpartition(".")[2] for name in names}
    close = [name for name in last if name.partition("@")[0] == word]  # where a group is used
    close += _closest(word, last)
    ends = difflib.get_close_matches(word.rpartition(".")[2], last.values(), n=3, cutoff=0.8)
    close += [name for name in last if last[name] in ends]
    close = [name for name in dict.fromkeys(close) if name != word]
    return f" (did you mean {' or '.join(close[:3])}?)" if close else ""


def _closest(word: str, names: Iterable[str]) -> list[str]:
    """The close names; if one is much closer than the others, that one alone."""
    close = difflib.get_close_matches(word, names, n=3)
    ratio = {name: difflib.SequenceMatcher(None, word, name).ratio() for name in close}
    return [name for name in close if ratio[name] > max(ratio.values()) - 0.1]
