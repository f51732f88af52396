"""Images that are numbered one by one, of which some are missing."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePath

NUMBER = re.compile(r"\D*(\d+)\D*")


def warn_of_gaps(root: Path, files: Sequence[str]) -> None:
    """Say which numbers are missing between the first and the last, where each name has one number
    and the row begins with 0 or 1. Numbers that most of the row lacks are no row: they are those of
    a data set, such as COCO's."""
    matches = [NUMBER.fullmatch(PurePath(file).stem) for file in files]
    there = {int(match[1]) for match in matches if match}
    if len(there) < len(files) or min(there) > 1:
        return
    missing = (
        sorted({*range(min(there), max(there))} - there) if max(there) < 2 * len(there) else []
    )
    if missing:
        more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
        warnings.warn(
            f"the images below {root} are numbered, and {', '.join(map(str, missing[:5]))}{more} "
            f"{'is' if len(missing) == 1 else 'are'} missing: the {len(files):,} that are there "
            "are measured",
            stacklevel=2,
        )
