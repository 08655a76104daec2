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
        self._loop = asyncio.get_running_loop()
        # uvloop takes no handler of this signal, which it only needs for what it starts itself.
        signal.signal(signal.SIGCHLD, self._wake_up)

    def watch(self, pid: int) -> "asyncio.Future[int]":
        """The exit code of a child (negative: the signal that ended it), when it has ended.

        Call it in the same turn of the event loop that started the child.
        """
        ended = asyncio.get_running_loop().create_future()
        self._watched[pid] = ended
        return ended

    def _wake_up(self, *_: object) -> None:
        # The handler is there for longer than the loop.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._reap)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                ended = self._watched.pop(pid, None)
                if ended is not None and not ended.done():
                    ended.set_result(os.waitstatus_to_exitcode(status))
