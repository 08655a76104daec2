"""SIGTERM, which is how Kubernetes, systemd and schedulers end a program."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

TERMINATED_EXIT_STATUS = 128 + signal.SIGTERM


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the program, as Ctrl-C does, instead of killing it on the spot.

    Only where nobody decided otherwise: in the main thread, and when the signal still has its
    default effect. A forked child gets the default effect back.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    process = os.getpid()

    def unwind(signum: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        raise SystemExit(TERMINATED_EXIT_STATUS)

    signal.signal(signal.SIGTERM, unwind)
