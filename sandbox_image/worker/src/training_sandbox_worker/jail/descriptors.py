"""Descriptors that a process inherited and must not use."""

import os
from collections.abc import Container


def replace_by_null(keep: Container[int]) -> int:
    """Let the descriptors of this process, which has one thread, refer to /dev/null.

    Their numbers stay taken: an inherited object that closes its own closes nothing else.

    Args:
        keep: Those that stay as they are.

    Returns:
        The highest number that is taken.
    """
    listed = [int(number) for number in os.listdir("/proc/self/fd")]  # noqa: PTH208 (half the time)
    # The listing names its own descriptor, closed by now: this one gets its number.
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in listed:
        if number != null and number not in keep:
            os.dup2(null, number, inheritable=False)
    os.close(null)
    return max(listed)
