"""Privileges that a process gives up for good."""

import struct

from training_sandbox_worker import libc

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x2008_0522
_CAPABILITIES_OF_NONE = bytes(24)

_THIS_PROCESS = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)

_set_no_new_privileges = libc.prepare("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
_set_capabilities = libc.prepare(
    "capset", libc.buffer(_THIS_PROCESS), libc.buffer(_CAPABILITIES_OF_NONE)
)


def no_new_privileges() -> None:
    """Let no program that is executed gain privileges; Landlock and seccomp ask for it.

    Raises:
        OSError: The kernel refused.
    """
    _set_no_new_privileges()


def drop_capabilities() -> None:
    """Give up what root may do beyond what every user may.

    Raises:
        OSError: The kernel refused.
    """
    _set_capabilities()
