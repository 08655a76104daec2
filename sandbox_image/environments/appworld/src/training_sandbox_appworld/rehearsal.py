"""Plays a task in the zygote before any fork, so that its episodes need not import or compile.

A world cannot be used twice: whatever an episode leaves in the process reaches the next one. So the
rehearsal only reads, and everything that AppWorld keeps in the process is thrown away after it. An
episode in a fork of the process then is the same as one in a process of its own.
"""

import builtins
import faulthandler
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from training_sandbox_appworld import library
from training_sandbox_worker.environment import Environment, EpisodeContext

_SECONDS_FOR_THREADS_TO_END = 10.0

_READ_EVERYTHING = """```python
accounts = {a['account_name']: a['password'] for a in apis.supervisor.show_account_passwords()}
profile = apis.supervisor.show_profile()
print(apis.api_docs.show_app_descriptions())
for app, password in accounts.items():
    username = profile['phone_number' if app == 'phone' else 'email']
    token = apis[app].login(username=username, password=password)['access_token']
    print(apis[app].show_account(access_token=token))
    print(apis.api_docs.show_api_descriptions(app_name=app))
```"""

_COMPLETE = "```python\napis.supervisor.complete_task()\n```"


def rehearse(environment: Environment, task_id: str) -> None:
    """Open, play and evaluate a task in this process, and forget it.

    Raises:
        RuntimeError: Threads of the world did not end.
    """
    with TemporaryDirectory(prefix="rehearsal-") as directory, _forgotten_afterwards():
        context = EpisodeContext("rehearsal", task_id, {}, Path(directory))
        episode = environment.open(context)
        episode.initial_messages()
        for content in (_READ_EVERYTHING, _COMPLETE):
            episode.step({"role": "assistant", "content": content})
        episode.close()
        environment.evaluate(context, sparse=False)


@contextmanager
def _forgotten_afterwards() -> Generator[None]:
    directory, excepthook = Path.cwd(), sys.excepthook
    system_exit, display = builtins.SystemExit, sys.displayhook
    ipython_directory = os.environ.get("IPYTHONDIR")
    try:
        yield
    finally:
        os.chdir(directory)
        _forget_worlds()
        # What AppWorld and IPython leave: an agent's `raise SystemExit` must not end its process,
        # so AppWorld makes it an ordinary exception, for the whole process and for good.
        builtins.SystemExit = system_exit
        sys.excepthook, sys.displayhook = excepthook, display
        sys.modules.pop("evaluation", None)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.disable()
        os.environ.pop("IPYTHONDIR", None)
        if ipython_directory is not None:
            os.environ["IPYTHONDIR"] = ipython_directory
        gc.collect()
        _wait_for_threads()


def _forget_worlds() -> None:
    """Close every database and drop every cache that has a handle or an episode's state in it."""
    library.module("environment").AppWorld.close_all()
    model_lib = library.module("apps.model_lib")
    model_lib.CachedDBHandler.reset()
    model_lib.ModelHashHandler.reset()
    caches: list[Callable[..., object]] = [
        model_lib.get_cached_db_engine,
        # An open handle of a base database must not be shared by two processes.
        model_lib.get_direct_cached_sqlite3_connection,
    ]
    for cached in caches:
        cached.cache_clear()  # type: ignore[attr-defined]


def _wait_for_threads() -> None:
    """The threads of AppWorld's test client end a moment after it is closed."""
    end = time.monotonic() + _SECONDS_FOR_THREADS_TO_END
    while threading.active_count() > 1:
        if time.monotonic() > end:
            names = ", ".join(thread.name for thread in threading.enumerate())
            raise RuntimeError(f"threads are left after the rehearsal: {names}")
        time.sleep(0.01)
