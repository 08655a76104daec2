"""The clock of the zygote, made ready for the clocks of worlds.

A world stops time at its task's date. The first freezer of a process has to look through every
module for functions that tell the time, which takes 11 ms and writes to the pages of all modules,
so that a fork has copies of them. Under a freezer that lets time pass it has already been done, and
the freezer of a world only says what time it is.
"""

from datetime import UTC, datetime

import freezegun


def let_worlds_stop_it() -> None:
    """Replace the functions that tell the time, in all modules and for good; time goes on."""
    now = datetime.now(UTC).replace(tzinfo=None)
    freezegun.freeze_time(now, tick=True).start()
