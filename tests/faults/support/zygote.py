"""A process that has imported the operator, and forks one whenever it is told to.

An operator is so started in a few milliseconds instead of a second, as a process of its own that
can be killed like any other. Reads a JSON object a line; writes `started PID` and `ended PID CODE`,
where the code is minus the signal that has ended it. Its children end with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any

from training_sandbox_operator.__main__ import main


def serve() -> None:
    children: set[int] = set()

    def reap(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                children.discard(pid)
                code = os.waitstatus_to_exitcode(status)
                os.write(1, f"ended {pid} {code}\n".encode())

    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        # Its end is not to be told of before its start.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            _become_operator(request)
        children.add(pid)
        os.write(1, f"started {pid}\n".encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _become_operator(request: dict[str, Any]) -> None:
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(request["environment"])
    status = 70
    try:
        status = main(request["arguments"])
    except SystemExit as error:
        status = int(str(error.code or 0))
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve()
