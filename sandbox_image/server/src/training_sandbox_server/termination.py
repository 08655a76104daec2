"""Why the process ends, told where Kubernetes looks for it."""

import json
import os
import sys
from pathlib import Path

TERMINATION_LOG = Path("/dev/termination-log")

EXIT_DRAINED = 0
EXIT_USAGE = os.EX_USAGE
"""64: the settings or the bound task are wrong; starting again will not help."""
EXIT_SOFTWARE = os.EX_SOFTWARE
"""70: the environment failed; a new incarnation may do better."""


def report(reason: str, message: str) -> None:
    """Write one line of JSON to stderr and, in a container, to the termination log.

    Args:
        reason: One word in CamelCase, as the conditions of the Kubernetes API have them.
        message: A sentence.
    """
    line = json.dumps({"reason": reason, "message": message}) + "\n"
    sys.stderr.write(line)
    sys.stderr.flush()
    # Not created where it is missing: only kubelet's own file is read.
    if TERMINATION_LOG.is_file() and os.access(TERMINATION_LOG, os.W_OK):
        TERMINATION_LOG.write_text(line)
