"""Which system calls the interpreter and its libraries need to serve an agent: all others fail.

The paths of calls that open files are not judged here: that is Landlock's part.
"""

import errno
import signal
import socket
import termios
from collections.abc import Iterator

from training_sandbox_worker.jail.seccomp import ALLOW, NOTIFY, Condition, Rule, refuse

OTHERWISE = refuse(errno.EPERM)
"""What happens to calls that no rule is about."""

GATE_CALL = "sched_rr_get_interval"
"""The call that a jailed process asks its listener for a descriptor with.

Nobody needs it, and the default profiles of container engines let it pass.
"""

CLONE_THREAD = 0x0001_0000

_CLONE_CHILD_SETTID = 0x0100_0000
_CLONE_CHILD_CLEARTID = 0x0020_0000
_CLONE_NEW_NAMESPACES = 0x7E02_0000
_INT = 0xFFFF_FFFF
_POINTER = 0xFFFF_FFFF_FFFF_FFFF
_SOCKET_TYPE = 0xF
_PR_NAMES = (15, 16, 0x5356_4D41)
_TCGETS2 = 0x802C_542A
_F_DUPFD_CLOEXEC = 1030
_F_GETPIPE_SZ = 1032

# libseccomp 2.5 has no names from here on. What is unknown must look as if it did not exist:
# C libraries then do without.
_NEWER_CALLS = range(450, 512)

_MEMORY = "brk mmap munmap mremap mprotect madvise msync"
_FILES = """
    open openat openat2 close close_range dup dup2 dup3
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 sendfile
    lseek fsync fdatasync
    stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2
    readlink readlinkat getdents getdents64 getcwd chdir fchdir umask
"""
_EVENTS = """
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait
    epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime
    timerfd_gettime pipe pipe2
"""
_SOCKETS = "recvfrom recvmsg recvmmsg shutdown getsockname getpeername getsockopt"
_SIGNALS = """
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
    sigaltstack pause restart_syscall alarm getitimer setitimer
"""
_PROCESS = """
    exit exit_group wait4 waitid getpid getppid gettid getpgid getpgrp getsid
    getuid geteuid getgid getegid getgroups getresuid getresgid capget
    set_tid_address set_robust_list get_robust_list rseq futex futex_waitv arch_prctl
    sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_getattr
    sched_get_priority_max sched_get_priority_min getpriority getrlimit getrusage times
"""
_SYSTEM = """
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time getrandom getcpu
    uname sysinfo
"""
# Descriptors that were sent and not received count against all processes of a user: one of them
# could keep all others from sending any (ETOOMANYREFS).
_UNTIL_SEALED = ("sendmsg", "sendmmsg", "seccomp")
_ALLOWED = " ".join((_MEMORY, _FILES, _EVENTS, _SOCKETS, _SIGNALS, _PROCESS, _SYSTEM)).split()

_FCNTL = (
    0,  # F_DUPFD
    1,  # F_GETFD
    2,  # F_SETFD
    3,  # F_GETFL
    4,  # F_SETFL
    5,  # F_GETLK; to set locks would take the kernel's memory without bound
    _F_DUPFD_CLOEXEC,
    _F_GETPIPE_SZ,
)
_IOCTL = (
    termios.FIONBIO,
    termios.FIONREAD,
    termios.FIOCLEX,
    termios.FIONCLEX,
    termios.TCGETS,
    _TCGETS2,
    termios.TIOCGWINSZ,
)


def rules(*, gated: bool) -> Iterator[Rule]:
    """The rules for a process that runs agent code.

    Args:
        gated: New processes and threads, and the gate call, are notified to the filter's listener
            (see `notifications`), instead of processes being denied and threads allowed. The
            process can send the listener to somebody, until it seals itself.
    """
    yield from (Rule(call, ALLOW) for call in _ALLOWED)
    yield from (Rule("fcntl", ALLOW, (Condition(1, _INT, command),)) for command in _FCNTL)
    yield from (Rule("ioctl", ALLOW, (Condition(1, _INT, request),)) for request in _IOCTL)
    yield from (Rule("prctl", ALLOW, (Condition(0, _INT, option),)) for option in _PR_NAMES)
    yield _reading_its_own_limits()
    yield from _sockets()
    yield from _new_tasks(gated=gated)
    if gated:
        yield Rule(GATE_CALL, NOTIFY)
        yield from (Rule(call, ALLOW) for call in _UNTIL_SEALED)
    yield from (Rule(call, refuse(errno.ENOSYS)) for call in ("clone3", *_NEWER_CALLS))


def sealing_rules() -> Iterator[Rule]:
    """The rules for a gated process that has sent its listener; all other calls are allowed."""
    return (Rule(call, OTHERWISE) for call in _UNTIL_SEALED)


def _reading_its_own_limits() -> Rule:
    new_limit_is_null = Condition(2, _POINTER, 0)
    return Rule("prlimit64", ALLOW, (Condition(0, _INT, 0), new_limit_is_null))


def _sockets() -> Iterator[Rule]:
    # A pair of datagram sockets could send to any address, which sendmsg hides from a filter.
    stream = Condition(1, _SOCKET_TYPE, socket.SOCK_STREAM)
    yield Rule("socketpair", ALLOW, (Condition(0, _INT, socket.AF_UNIX), stream))
    address_is_null = Condition(4, _POINTER, 0)
    yield Rule("sendto", ALLOW, (address_is_null,))


def _new_tasks(*, gated: bool) -> Iterator[Rule]:
    thread_flags = CLONE_THREAD | _CLONE_NEW_NAMESPACES
    thread = Condition(0, thread_flags, CLONE_THREAD)
    yield Rule("clone", NOTIFY if gated else ALLOW, (thread,))
    if gated:
        # Only as fork(3) does it: no child of the parent's, no shared memory, no namespaces.
        free = _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
        yield Rule("clone", NOTIFY, (Condition(0, _INT & ~free, signal.SIGCHLD),))
        yield Rule("fork", NOTIFY)
