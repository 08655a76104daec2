"""An exception told in one line, for the log: what, where, never a traceback."""

import traceback
from pathlib import Path

_LONGEST = 400


def one_line(error: BaseException) -> str:
    """The exception's type, its text and the innermost line that raised it."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return told[:_LONGEST] + where
