"""What a text encoder may compute in, and the arms of an ablation in one of them."""

from imagen_lit.basics.errors import InputError

DTYPES = ("float32", "bfloat16")


def require(name: str, dtype: str) -> None:
    """Raise unless the encoder of this name may compute in it."""
    if dtype not in DTYPES:
        raise InputError(
            f"text encoder {name!r}: text.dtype={dtype} is not one of {', '.join(DTYPES)} "
            "(float16 overflows in T5). Set text.dtype=float32, for example."
        )
