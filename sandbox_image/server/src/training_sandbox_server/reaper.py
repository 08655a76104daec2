"""Waiting for child processes, also for those that this process did not start.

In a container the server is process 1: every orphan becomes its child and must be waited for.
"""

import asyncio
import contextlib
import os
import signal


class ChildReaper:
    """Reaps every child as it ends; only one may exist in a process."""

    def __init__(self) -> None:
        self._watched: dict[int, asyncio.Future[int]] = {}
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def watch(self, pid: int) -> "asyncio.Future[int]":
        """The exit code of a child (negative: the signal that ended it), when it has ended.

        Call it in the same turn of the event loop that started the child.
        """
        ended = asyncio.get_running_loop().create_future()
        self._watched[pid] = ended
        return ended

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                ended = self._watched.pop(pid, None)
                if ended is not None and not ended.done():
                    ended.set_result(os.waitstatus_to_exitcode(status))
