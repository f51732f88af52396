"""Whether two text encoders mean the same, by their fingerprints.

Words that an encoder was taught later (imagen_lit/text/learned_word.py) leave all other captions as
they were: they are no difference to a run that was trained without them.
"""

from collections.abc import Collection, Mapping

from imagen_lit.basics.settings_diff import settings_diff

WORDS = "words"  # the field of a fingerprint that they have
HARMLESS = ("encoder", "compute_dtype", "max_length", WORDS)  # to what a vector means


def encoder_difference(
    recorded: Mapping[str, str], fingerprint: Mapping[str, str], apart_from: Collection[str] = ()
) -> str:
    """The fields of the recorded encoder that differ from these, in words; empty if none do."""
    ignored = {*apart_from} if WORDS in recorded else {*apart_from, WORDS}
    there, here = (
        {name: value for name, value in fields.items() if name not in ignored}
        for fields in (recorded, fingerprint)
    )
    return settings_diff(there, here)
