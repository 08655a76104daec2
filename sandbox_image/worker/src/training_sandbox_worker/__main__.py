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
    arguments = parser.parse_args()
    name: str = arguments.environment
    control_fd: int = arguments.control_fd
    os.set_inheritable(control_fd, False)
    return zygote.run(name, socket.socket(fileno=control_fd), os.getppid())


if __name__ == "__main__":
    sys.exit(main())
