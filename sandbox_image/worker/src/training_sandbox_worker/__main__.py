"""`python -m training_sandbox_worker`: the zygote, started by the server."""

import argparse
import os
import socket
import sys

from training_sandbox_worker import zygote


def main() -> int:
    """Parse the arguments and run the zygote; returns the exit status."""
    parser = argparse.ArgumentParser(prog="training_sandbox_worker", description=__doc__)
    parser.add_argument("--environment", required=True, metavar="NAME", help="or module:Class")
    parser.add_argument("--control-fd", required=True, type=int, metavar="N")
    parser.add_argument("--memory-mb", type=int, default=1024, help="an episode's own memory")
    parser.add_argument("--no-jail", action="store_true", help="confine nothing")
    arguments = parser.parse_args()
    name: str = arguments.environment
    control_fd: int = arguments.control_fd
    os.set_inheritable(control_fd, False)
    memory_mb: int = arguments.memory_mb
    no_jail: bool = arguments.no_jail
    return zygote.run(
        name,
        socket.socket(fileno=control_fd),
        os.getppid(),
        memory_bytes=memory_mb << 20,
        jailed=not no_jail,
    )


if __name__ == "__main__":
    sys.exit(main())
