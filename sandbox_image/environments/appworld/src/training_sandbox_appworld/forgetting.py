"""Forgets a world: what AppWorld and IPython keep of it in the process."""

import builtins
import contextlib
import faulthandler
import gc
import random
import signal
import sys
from collections.abc import Generator

from training_sandbox_appworld import library
from training_sandbox_appworld.databases import Databases


@contextlib.contextmanager
def forgotten_afterwards(databases: Databases) -> Generator[None]:
    """Leave the process as if no world had been in it, but for what was imported and compiled.

    Args:
        databases: The world's.
    """
    excepthook, displayhook, system_exit = sys.excepthook, sys.displayhook, builtins.SystemExit
    random_state = random.getstate()
    try:
        yield
    finally:
        databases.restore()
        _forget_world()
        # An agent's `raise SystemExit` must not end its process, so AppWorld makes it an ordinary
        # exception, for the whole process and for good.
        builtins.SystemExit = system_exit
        sys.excepthook, sys.displayhook = excepthook, displayhook
        random.setstate(random_state)
        sys.modules.pop("evaluation", None)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.disable()
        gc.collect()


def _forget_world() -> None:
    """Let time pass again, and drop the state; the APIs stay, as they were built."""
    requester = library.module("requester").Requester
    clients = requester.clients
    library.module("environment").AppWorld.close_all()
    requester.clients = clients
    library.module("apps.model_lib").ModelHashHandler.reset()
