"""What agent code may try: each attempt works without a jail and is a PermissionError within."""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

libc = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534
F_SETSIG = 10
SIOCGIFCONF = 0x8912
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ESCAPES = []


def escape(attempt):
    """Add an attempt, which is given a file that no jail names."""
    ESCAPES.append(pytest.param(attempt, id=attempt.__name__))
    return attempt


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@escape
def read_a_file(secret):
    return secret.read_text()


@escape
def read_a_file_by_another_name(secret):
    os.chdir(secret.parent)
    return Path("secret").read_text()


@escape
def read_the_users(secret):
    return Path("/etc/passwd").read_text()


@escape
def list_a_folder(secret):
    return os.listdir(secret.parent)


@escape
def list_the_parents_descriptors(secret):
    return os.listdir(f"/proc/{os.getppid()}/fd")


@escape
def list_its_own_process(secret):
    return os.listdir("/proc/self")


@escape
def read_the_parents_environment(secret):
    return Path(f"/proc/{os.getppid()}/environ").read_bytes()[:1]


@escape
def read_the_parents_memory(secret):
    return os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY)


@escape
def write_a_file(secret):
    return secret.write_text("lie")


@escape
def empty_a_file(secret):
    return os.open(secret, os.O_RDONLY | os.O_TRUNC)


@escape
def make_a_file(secret):
    return (secret.parent / "new").write_text("")


@escape
def make_a_file_in_shared_memory(secret):
    file = Path(f"/dev/shm/jail-test-{os.getpid()}")
    file.write_text("")
    file.unlink()


@escape
def make_an_unnamed_file(secret):
    return os.open(secret.parent, os.O_TMPFILE | os.O_RDWR)


@escape
def make_a_folder(secret):
    (secret.parent / "new").mkdir()


@escape
def remove_a_file(secret):
    secret.unlink()


@escape
def rename_a_file(secret):
    secret.rename(secret.parent / "renamed")


@escape
def link_a_file(secret):
    (secret.parent / "link").hardlink_to(secret)


@escape
def link_to_a_file(secret):
    (secret.parent / "link").symlink_to(secret)


@escape
def make_a_fifo(secret):
    os.mkfifo(secret.parent / "fifo")


@escape
def change_a_mode(secret):
    secret.chmod(0o600)


@escape
def change_the_owner(secret):
    os.chown(secret, os.getuid(), os.getgid())


@escape
def change_the_time_of_a_file(secret):
    os.utime(secret)


@escape
def lock_a_file(secret):
    with open(sys.executable, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)


@escape
def replace_itself_by_a_program(secret):
    try:
        os.execv("/nonexistent", ["nonexistent"])
    except FileNotFoundError:
        return


@escape
def run_a_program(secret):
    return subprocess.run(["/bin/true"], check=True).returncode


@escape
def run_a_program_by_the_shell(secret):
    if os.waitstatus_to_exitcode(os.system("true")) != 0:
        raise PermissionError


@escape
def fork(secret):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


@escape
def spawn_a_program(secret):
    """By vfork(2), or a clone that shares memory."""
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


@escape
def open_an_internet_socket(secret):
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)


@escape
def open_a_datagram_socket(secret):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@escape
def open_an_ipv6_socket(secret):
    socket.socket(socket.AF_INET6, socket.SOCK_STREAM)


@escape
def open_a_unix_socket(secret):
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


@escape
def open_a_netlink_socket(secret):
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)


@escape
def pair_datagram_sockets(secret):
    """They could send to a socket of anybody's."""
    socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)


@escape
def send_a_descriptor(secret):
    """Those on their way count against all processes of the user."""
    ours, _ = socket.socketpair()
    socket.send_fds(ours, [b"!"], [0])


@escape
def lock_parts_of_a_file(secret):
    """The kernel has no bound for them."""
    with open(sys.executable, "rb") as file:
        fcntl.lockf(file, fcntl.LOCK_SH, 1)


@escape
def resize_a_socket(secret):
    ours, _ = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)


@escape
def signal_the_parent(secret):
    os.kill(os.getppid(), 0)


@escape
def signal_itself(secret):
    """A branch has the filter of the episode that it comes from: none may signal any."""
    os.kill(os.getpid(), signal.SIGCONT)


@escape
def signal_its_group(secret):
    os.killpg(0, 0)


@escape
def signal_everybody(secret):
    os.kill(-1, 0)


@escape
def queue_a_signal(secret):
    libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    checked(libc.sigqueue(os.getppid(), 0, None))


@escape
def let_a_descriptor_signal_the_parent(secret):
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())


@escape
def let_a_descriptor_send_another_signal(secret):
    reader, _ = os.pipe()
    fcntl.fcntl(reader, F_SETSIG, signal.SIGKILL)


@escape
def leave_its_session(secret):
    os.setsid()


@escape
def leave_its_process_group(secret):
    os.setpgid(0, 0)


@escape
def outlive_its_parent(secret):
    checked(libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0))


@escape
def adopt_orphans(secret):
    checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


@escape
def set_a_limit(secret):
    limits = (ctypes.c_ulong * 2)(0, 0)
    checked(libc.setrlimit(resource.RLIMIT_CORE, limits))


@escape
def read_the_parents_limits(secret):
    resource.prlimit(os.getppid(), resource.RLIMIT_AS)


@escape
def change_its_priority(secret):
    os.setpriority(os.PRIO_PROCESS, 0, 0)


@escape
def change_its_processors(secret):
    os.sched_setaffinity(0, os.sched_getaffinity(0))


@escape
def make_a_file_in_memory(secret):
    os.memfd_create("file")


@escape
def widen_a_pipe(secret):
    _, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 17)


@escape
def name_its_process_by_a_descriptor(secret):
    os.pidfd_open(os.getpid())


@escape
def become_traced(secret):
    checked(libc.ptrace(0, 0, 0, 0))


@escape
def read_memory_of_the_parent(secret):
    """By process_vm_readv, of an address that both have."""
    pages = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    vector = (ctypes.c_size_t * 2)(address, 1)
    checked(libc.process_vm_readv(os.getpid(), vector, 1, vector, 1, 0))


@escape
def use_an_unforeseen_request_of_a_device(secret):
    ours, _ = socket.socketpair()
    fcntl.ioctl(ours, SIOCGIFCONF, bytearray(16))


@pytest.fixture
def secret():
    """A file that whoever reaches it may read, write and remove."""
    with tempfile.TemporaryDirectory(prefix="jail-test-") as folder:
        file = Path(folder, "secret")
        file.write_text("truth")
        file.chmod(0o666)
        Path(folder).chmod(0o777)
        yield file


@pytest.mark.parametrize("attempt", ESCAPES)
def test_an_escape_is_refused(attempt, in_jail, secret):
    assert in_jail(lambda: attempt(secret)).raised == "PermissionError"
    assert secret.read_text() == "truth"


@pytest.mark.parametrize("attempt", ESCAPES)
def test_an_escape_works_without_a_jail(attempt, in_child, secret):
    assert in_child(lambda: attempt(secret)).raised is None


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("attempt", ESCAPES)
def test_an_escape_is_refused_to_a_user_without_privileges(attempt, in_jail, secret):
    assert in_jail(lambda: attempt(secret), user=NOBODY).raised == "PermissionError"
