"""Whether a text cache was made with the encoder that a run asks for."""

from collections.abc import Mapping

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import settings_diff
from imagen_lit.text.text_encoder import TextEncoder


def check_cache(
    text: str, cache: Mapping[str, str], encoder: TextEncoder, hash_files: bool
) -> None:
    """Raise unless the fingerprint `cache` is the encoder's.

    Training reads only the cache, so the encoder's files may be on another machine. If they are
    here and `hash_files` is set, they are compared too, which takes a while.
    """
    read_files = hash_files and not encoder.missing_files()
    expected = encoder.fingerprint() if read_files else encoder.settings()
    keys = [key for key in expected if cache.get(key) != expected[key]]
    if keys:
        raise InputError(
            f"the text embeddings {text} were made with another encoder than text=... names "
            f"({settings_diff(cache, expected, keys)}). Set text.* to that encoder, or embed the "
            "captions again."
        )
