"""Errors in words, for the person who typed the command.

The message says what was found, what is allowed and what to do:
`data.crop=300 is larger than data.size=256. Set data.crop=256 or less.`
Any module raises them; the command prints the message and exits with 1
(imagen_lit/cli/user_error.py). Any other exception, except an OSError, is a bug and keeps its
traceback.
"""


class UserError(Exception):
    """An error whose message is complete without a traceback."""


class InputError(UserError, ValueError):
    """What was typed, or what a file holds, cannot be used."""


class RunError(UserError, RuntimeError):
    """The input is fine, but the work cannot continue."""
