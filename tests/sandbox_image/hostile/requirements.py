"""What an attack needs of the machine to work where nothing holds it."""

import ctypes
import os
import sys
from pathlib import Path


def lacking(needs: tuple[str, ...], directory: Path) -> list[str]:
    """The needs that this machine does not meet.

    Args:
        needs: Of a case.
        directory: Where its files are.
    """
    return [need for need in needs if not _MET[need](directory)]


def _has_calls_of_32_bits(_: Path) -> bool:
    if os.uname().machine != "x86_64":
        return False
    enabled = Path("/sys/kernel/debug/x86/ia32")
    return not enabled.exists() and Path("/proc/sys/abi/vsyscall32").exists()


def _can_mark_files(directory: Path) -> bool:
    probe = directory / "marked"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def _has_file_handles(directory: Path) -> bool:
    handle = ctypes.create_string_buffer((128).to_bytes(4, sys.byteorder), 136)
    mount = ctypes.c_int()
    library = ctypes.CDLL(None)
    path = os.fsencode(directory)
    return library.name_to_handle_at(-100, path, handle, ctypes.byref(mount), 0) == 0


def _has_keyrings(_: Path) -> bool:
    number = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine, -1)
    return ctypes.CDLL(None).syscall(number, 0, ctypes.c_long(-4), 1) >= 0


def _has_io_uring(_: Path) -> bool:
    disabled = Path("/proc/sys/kernel/io_uring_disabled")
    return disabled.exists() and disabled.read_text().strip() == "0"


def _has_namespaces(_: Path) -> bool:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(0x1000_0000) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 or os.getuid() == 0


_MET = {
    "root": lambda _: os.getuid() == 0,
    "x86_64": lambda _: os.uname().machine == "x86_64",
    "two processors": lambda _: len(os.sched_getaffinity(0)) > 1,
    "calls of 32 bits": _has_calls_of_32_bits,
    "extended attributes": _can_mark_files,
    "file handles": _has_file_handles,
    "keyrings": _has_keyrings,
    "io_uring": _has_io_uring,
    "namespaces": _has_namespaces,
}
