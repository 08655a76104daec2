"""System calls that the filter denies, by their numbers: whatever a library may call them."""

import ctypes
import errno
import mmap
import os
import signal

import pytest

from training_sandbox_worker.jail import seccomp

libc = ctypes.CDLL(None, use_errno=True)
X32_GETPID = 0x4000_0000 + 39
CLONE_VM = 0x100
CLONE_PARENT = 0x8000
CLONE_NEWPID = 0x2000_0000
only_x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")

# Arguments that do no harm: without a jail these calls fail by another error, or do nothing.
CALLS = {
    "acct": (-1,),
    "add_key": (-1, -1, -1, 0, 0),
    "bpf": (-1, 0, 0),
    "chroot": (-1,),
    "delete_module": (-1, 0),
    "execveat": (-1, -1, 0, 0, 0),
    "fallocate": (-1, 0, 0, 0),
    "fanotify_init": (-1, 0),
    "fsopen": (-1, -1),
    "ftruncate": (-1, 0),
    "inotify_init1": (-1,),
    "io_setup": (0, 0),
    "io_uring_setup": (0, 0),
    "ioprio_set": (-1, 0, 0),
    "kcmp": (-1, -1, -1, 0, 0),
    "keyctl": (-1, 0, 0, 0, 0),
    "landlock_create_ruleset": (0, 0, -1),
    "membarrier": (-1, 0, 0),
    "mincore": (-1, 0, 0),
    "mknodat": (-1, -1, 0, 0),
    "mlockall": (0,),
    "mount": (-1, -1, -1, 0, 0),
    "move_mount": (-1, -1, -1, -1, 0),
    "mq_open": (-1, 0, 0, 0),
    "msgget": (0x7E57, 0),
    "name_to_handle_at": (-1, -1, -1, -1, 0),
    "open_by_handle_at": (-1, -1, 0),
    "open_tree": (-1, -1, 0),
    "perf_event_open": (-1, 0, 0, 0, 0),
    "personality": (0xFFFF_FFFF,),
    "pidfd_getfd": (-1, 0, 0),
    "pidfd_send_signal": (-1, 0, 0, 0),
    "pivot_root": (-1, -1),
    "process_madvise": (-1, 0, 0, 0, 0),
    "process_vm_writev": (-1, 0, 0, 0, 0, 0),
    "request_key": (-1, -1, -1, 0),
    "sched_rr_get_interval": (-1, 0),
    "sched_setattr": (0, 0, 0),
    "sched_setparam": (0, 0),
    "sched_setscheduler": (0, -1, 0),
    "seccomp": (-1, 0, 0),
    "semget": (0x7E57, 0, 0),
    "setgroups": (-1, 0),
    "setns": (-1, 0),
    "setxattr": (-1, -1, 0, 0, 0),
    "shmget": (0x7E57, 0, 0),
    "splice": (-1, 0, -1, 0, 0, 0),
    "swapon": (-1, 0),
    "tgkill": (-1, -1, 0),
    "timer_create": (-1, 0, 0),
    "tkill": (-1, 0),
    "truncate": (-1, 0),
    "umount2": (-1, 0),
    "unshare": (0,),
    "userfaultfd": (-1,),
    "vmsplice": (-1, 0, 0, 0),
}


def errno_of(call, arguments):
    words = [ctypes.c_long(word) for word in arguments]
    result = libc.syscall(ctypes.c_long(seccomp.call_number(call)), *words)
    return ctypes.get_errno() if result < 0 else 0


@pytest.mark.parametrize("call", CALLS)
def test_a_system_call_is_denied(call, in_jail):
    assert in_jail(lambda: errno_of(call, CALLS[call])).returned == errno.EPERM


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel denies some of them to users")
@pytest.mark.parametrize("call", CALLS)
def test_a_denied_system_call_is_not_denied_without_a_jail(call, in_child):
    assert in_child(lambda: errno_of(call, CALLS[call])).returned != errno.EPERM


@pytest.mark.parametrize("number", [435, 450, 463, 511], ids=lambda number: f"call{number}")
def test_calls_that_libraries_can_do_without_do_not_exist(number, in_jail):
    """clone3 (435), whose flags a filter cannot see, and whatever is newer than the list."""

    def _call():
        libc.syscall(ctypes.c_long(number), 0, 0, 0, 0)
        return ctypes.get_errno()

    assert in_jail(_call).returned == errno.ENOSYS


@only_x86_64
def test_a_call_by_the_numbers_of_another_architecture_kills(in_jail, in_child):
    def _getpid_of_i386():
        code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20; int 0x80; ret
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        return ctypes.CFUNCTYPE(ctypes.c_int)(address)() != 0

    assert in_jail(_getpid_of_i386).killed_by == signal.SIGSYS
    assert in_child(_getpid_of_i386).killed_by != signal.SIGSYS


@only_x86_64
def test_a_call_by_the_numbers_of_x32_kills(in_jail):
    assert in_jail(lambda: libc.syscall(ctypes.c_long(X32_GETPID))).killed_by == signal.SIGSYS


@pytest.mark.parametrize(
    "flags",
    [
        signal.SIGCHLD | CLONE_PARENT,
        signal.SIGCHLD | CLONE_VM,
        signal.SIGCHLD | CLONE_NEWPID,
        signal.SIGKILL,
    ],
    ids=hex,
)
def test_no_process_is_started_by_unusual_flags(flags, in_jail):
    def _clone():
        number = ctypes.c_long(seccomp.call_number("clone"))
        if libc.syscall(number, ctypes.c_long(flags), 0, 0, 0, 0) == 0:
            os._exit(0)
        return ctypes.get_errno()

    assert in_jail(_clone).returned == errno.EPERM
