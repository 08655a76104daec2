"""`kubectl port-forward` as a context manager."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def port_forward(namespace: str, pod: str, port: int = 8000) -> Iterator[str]:
    """Forwards a free local port to the pod's and gives its address."""
    process = subprocess.Popen(
        ["kubectl", "port-forward", "--namespace", namespace, f"pod/{pod}", f":{port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        # Forwarding from 127.0.0.1:40123 -> 8000
        line = process.stdout.readline()
        yield f"http://127.0.0.1:{line.split(':')[1].split()[0]}"
    finally:
        process.kill()
        process.wait()
