"""What a stage is told, made from the prompt: `cascade.sr.prompt="an oil painting of {prompt}"`
gives one small image in another style (Imagen, fig. A.12)."""

from imagen_lit.basics.errors import InputError
from imagen_lit.run import provenance

PROMPT = provenance.AS_IT_IS  # its place in a template, and the template that changes nothing


def refuse_unknown(key: str, template: str) -> None:
    """Raise if braces hold anything but `prompt`."""
    if {"{", "}"} & {*template.replace(PROMPT, "")}:
        raise InputError(
            f"{key}={template!r} has braces around something else than the word prompt. Set "
            f'{key}="an oil painting of {PROMPT}", for example; without braces every prompt gets '
            "the same text."
        )


def fill(template: str, prompt: str) -> str:
    """The prompt in its place; no text stays no text."""
    return template.replace(PROMPT, prompt) if prompt else prompt
