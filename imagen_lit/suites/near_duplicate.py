"""When two prompts are the same prompt in other words.

Prompts are compared as sets of content words: lower case, without accents, punctuation, function
words, "photo of" and the plural's s, so that order, numerals and small rewording hide no copy. The
measure is Jaccard's index, shared words by all words. `TOO_NEAR` is 0.6: of a prompt of n content
words, a copy with one word exchanged scores (n - 1) / (n + 1), which reaches 0.6 from n = 4 on; two
prompts that share a frame but name other things stay below it.
"""

import re
import unicodedata
from collections import Counter, defaultdict

TOO_NEAR = 0.6
FUNCTION_WORDS = frozenset(
    "a an and are as at be been being but by can could do does each for from had has have he "
    "her hers him his i image in into is it its me my of off on one onto or our out over "
    "photo photograph picture please she so some that the their them then there these they "
    "this those to up was we were what which while who whose will with would you your".split()
)
NUMBERS = dict(
    zip(
        "two three four five six seven eight nine ten eleven twelve".split(),
        map(str, range(2, 13)),
        strict=True,
    )
)


def content_words(text: str) -> list[str]:
    """The content words in order; if there are no others, the function words."""
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    tokens = re.findall(r"[a-z0-9]+", re.sub(r"'s\b|'", "", plain))
    content = [token for token in tokens if token not in FUNCTION_WORDS]
    return [_stem(token) for token in content or tokens]


def similarity(one: str, other: str) -> float:
    """Jaccard's index of the two sets of content words, from 0 to 1."""
    a, b = set(content_words(one)), set(content_words(other))
    return len(a & b) / len(a | b) if a | b else 1.0


class Neighbours:
    """Prompts by their content words, to find the most similar one without trying all."""

    def __init__(self, texts: list[str] | None = None) -> None:
        self.texts: list[str] = []
        self._sizes: list[int] = []
        self._holders: dict[str, list[int]] = defaultdict(list)
        for text in texts or []:
            self.add(text)

    def add(self, text: str) -> None:
        """Remember a prompt."""
        words = set(content_words(text))
        for word in words:
            self._holders[word].append(len(self.texts))
        self.texts.append(text)
        self._sizes.append(len(words))

    def nearest(self, text: str) -> tuple[float, str]:
        """The highest similarity to a prompt that was added, and that prompt; 0 and "" if none
        shares a word."""
        words = set(content_words(text))
        shared = Counter(number for word in words for number in self._holders.get(word, ()))
        best = max(
            ((n / (len(words) + self._sizes[i] - n), -i) for i, n in shared.items()),
            default=(0.0, 1),
        )
        return (best[0], self.texts[-best[1]]) if best[0] else (0.0, "")


def _stem(token: str) -> str:
    """Without the plural's s, and numbers as digits."""
    if token.endswith("ies") and len(token) > 4:
        return f"{token[:-3]}y"
    if token.endswith("s") and not token.endswith(("ss", "us", "is")) and len(token) > 3:
        return token[:-1]
    return NUMBERS.get(token, token)
