"""A word of a grammar, which takes its article or its plural where a template asks for it."""

from collections.abc import Mapping

ARTICLE_AN = ("hour", "honest", "heir")  # begin with a silent h
ARTICLE_A = ("uni", "use", "usu", "uku", "ute", "eu", "ewe", "one", "once")  # sound "yoo" or "w"
HISS = ("s", "x", "z", "ch", "sh")


class Word:
    """A word, or some words, with further fields: `{beast}` is its text, `{beast:a}` has the
    indefinite article, `{beast:s}` is the plural; `{beast:A}`, `{beast:S}` and `{beast:C}` (the
    text itself) begin a sentence. `{beast.gloss}` is a field, which takes the same letters."""

    def __init__(self, text: str, fields: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.fields = dict(fields or {})

    def __getattr__(self, name: str) -> "Word":
        try:
            return Word(self.__dict__["fields"][name])
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('text')!r} has no field {name}") from None

    def __format__(self, letter: str) -> str:
        match letter:
            case "":
                return self.text
            case "a":
                return with_article(self.text)
            case "s":
                return self.fields.get("plural") or plural(self.text)
            case "C":
                return capital(self.text)
            case _:
                return capital(format(self, letter.lower()))


def capital(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def with_article(text: str) -> str:
    """`an owl`, `a unicycle`: by the sound of the first word."""
    start = text.lower()
    vowel = start.startswith(ARTICLE_AN) or (
        start[0] in "aeiou" and not start.startswith(ARTICLE_A)
    )
    return f"{'an' if vowel else 'a'} {text}"


def plural(text: str) -> str:
    """The regular plural of the last word; a word with another one carries it as a field."""
    if text.endswith(HISS):
        return f"{text}es"
    if text.endswith("y") and text[-2] not in "aeiou":
        return f"{text[:-1]}ies"
    return f"{text}s"
