"""An event loop in a thread of its own, for callers that have none or are inside one."""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from training_sandbox._exceptions import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

UNWIND_SECONDS = 30.0


class LoopThread:
    """Runs coroutines for any number of threads; starts with the first of them."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._portal: BlockingPortal | None = None
        self._finalizer: weakref.finalize[[BlockingPortal], LoopThread] | None = None
        self._process = os.getpid()

    @property
    def is_inherited(self) -> bool:
        """Whether this process got it by a fork, which leaves the thread behind."""
        return os.getpid() != self._process

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what the coroutine returns.

        When the waiting thread is interrupted (Ctrl-C), the coroutine is cancelled, and what it
        cleans up is waited for; a second interruption does not wait.

        Raises:
            InvalidRequest: in a process that was forked off.
        """
        if self.is_inherited:
            raise InvalidRequest(
                "this sandbox belongs to the process that this one was forked from: use "
                "TrainingSandbox.attach(name) or endpoint= here"
            )
        finished = threading.Event()

        async def tracked() -> T:
            try:
                return await call()
            finally:
                finished.set()

        future = self._started().start_task_soon(tracked)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
                finished.wait(UNWIND_SECONDS)
            raise

    def stop(self) -> None:
        """End the thread, which must be idle; it starts again with the next call."""
        with self._starting:
            if self._finalizer:
                self._finalizer()
            self._portal = self._finalizer = None

    def _started(self) -> BlockingPortal:
        with self._starting:
            if self._portal is None:
                started: Future[BlockingPortal] = Future()
                # A daemon: the end of the program does not wait for it.
                threading.Thread(
                    target=_run_loop, args=(started,), name="training-sandbox", daemon=True
                ).start()
                self._portal = started.result()
                self._finalizer = weakref.finalize(self, _stop_loop, self._portal)
                self._finalizer.atexit = False
            return self._portal


def _run_loop(started: Future[BlockingPortal]) -> None:
    async def serve() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()

    anyio.run(serve)


def _stop_loop(portal: BlockingPortal) -> None:
    portal.start_task_soon(portal.stop, True)
