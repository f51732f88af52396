"""Why scores of several evaluations share no protocol, a line for each reason: the scores that it
keeps apart, and what differs, in the words of who evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from imagen_lit.basics.settings_diff import differing_keys, flatten, plain_value

SHOWN = 4  # facts that differ, with their values; of more, the number
WORDS = {"sample.count": "images", "sample.size": "pixels"}  # after the values


class ProtocolGap(NamedTuple):
    """A score that two evaluations have, each with the facts of its own protocol."""

    metric: str
    first: str
    its: Mapping[str, Any]
    other: str
    others: Mapping[str, Any]

    @property
    def reason(self) -> str:
        """What differs, and the names of both."""
        its, others = flatten(dict(self.its)), flatten(dict(self.others))
        keys = differing_keys(its, others)
        named = [key for key in keys if key != "sample.prompts"]
        named.sort(key=lambda key: (key not in WORDS, key.count("."), key))
        words = []
        for key in named[:SHOWN]:
            values = [plain_value(each, key).strip("'") for each in (its, others)]
            if key in WORDS:
                words.append(
                    f"{values[0]} {WORDS[key]} in {self.first}, {values[1]} in {self.other}"
                )
            else:
                words.append(f"{key} is {values[0]} in {self.first}, {values[1]} in {self.other}")
        if len(named) > SHOWN:
            words.append(f"{len(named) - SHOWN} facts more")
        if "sample.prompts" in keys:
            words.append("other prompts")
        return "; ".join(words)


def lines(scores: Sequence[ProtocolGap]) -> Iterator[str]:
    """A line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for score in scores:
        by_reason.setdefault(score.reason, []).append(score.metric)
    for reason, metrics in by_reason.items():
        verb = "is" if len(metrics) == 1 else "are"
        yield f"{', '.join(metrics)} {verb} left out: {reason}"
