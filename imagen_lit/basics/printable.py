"""Text from files and their names, fit for a terminal: no escape sequence, no half a letter."""

MARK = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text with a mark for every character that cannot be shown in a line."""
    text = text.encode(errors="replace").decode()
    return "".join(letter if letter.isprintable() else MARK for letter in text)
