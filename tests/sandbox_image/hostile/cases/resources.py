"""Memory, disks, and the limits and rights of its own process."""

from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.oracles import (
    changed,
    changed_the_target,
    has_too_much_memory,
    holds,
    keeps_a_file_without_a_name,
    left_a_file,
    traces,
)

CASES = [
    Case(
        "memory-bomb-of-bytes",
        """
        def fill():
            for _ in range(8):
                spare.append(bytearray(b'x') * (64 << 20))
        attempt(fill)
        hold(0.2)
        spare.clear()
        """,
        has_too_much_memory,
    ),
    Case(
        "memory-bomb-of-mappings",
        """
        def fill():
            for _ in range(8):
                spare.append(mmap.mmap(-1, 64 << 20))
                spare[-1].write(b'x' * (64 << 20))
        attempt(fill)
        hold(0.2)
        spare.clear()
        """,
        has_too_much_memory,
    ),
    Case(
        "memory-bomb-of-small-objects",
        """
        def fill():
            for _ in range(3_000_000):
                spare.append([bytes(100)])
        attempt(fill)
        hold(0.2)
        spare.clear()
        """,
        has_too_much_memory,
    ),
    Case(
        "memory-bomb-in-a-file-without-a-name",
        """
        def fill():
            spare.append(posix.memfd_create('bomb'))
            for _ in range(8):
                posix.write(spare[-1], b'x' * (64 << 20))
        attempt(fill)
        hold(0.2)
        for descriptor in spare:
            posix.close(descriptor)
        """,
        has_too_much_memory,
    ),
    Case(
        "disk-filled",
        """
        def fill(path):
            with open(path, 'wb') as file:
                for _ in range(16):
                    file.write(b'x' * (1 << 20))
        attempt(lambda: fill(known['scratch'] + '/filler'))
        """,
        left_a_file,
    ),
    Case(
        "disk-filled-without-a-name",
        """
        def fill():
            spare.append(posix.open(known['scratch'], posix.O_TMPFILE | posix.O_RDWR))
            for _ in range(8):
                posix.write(spare[-1], b'x' * (1 << 20))
        import tempfile
        importlib.reload(tempfile)
        def fill_temporary():
            spare.append(tempfile.TemporaryFile(dir='/tmp'))
            spare[-1].write(b'x' * (8 << 20))
        attempt(fill, fill_temporary)
        hold(0.3)
        """,
        keeps_a_file_without_a_name,
    ),
    Case(
        "special-files",
        """
        attempt(
            lambda: posix.mkdir(known['scratch'] + '/../made'),
            lambda: posix.mkfifo(known['scratch'] + '/pipe'),
            lambda: posix.mknod(known['scratch'] + '/node'),
            lambda: socket.socket(socket.AF_UNIX).bind(known['scratch'] + '/socket'),
        )
        """,
        left_a_file,
    ),
    Case(
        "file-of-another-written",
        """
        attempt(
            lambda: open(known['target'], 'a').write('more'),
            lambda: posix.truncate(known['target'], 0),
            lambda: posix.unlink(known['target']),
        )
        """,
        changed_the_target,
    ),
    Case(
        "file-of-another-closed",
        "attempt(lambda: posix.chmod(known['target'], 0o600))",
        changed_the_target,
    ),
    Case(
        "file-of-another-made-old",
        "attempt(lambda: posix.utime(known['target'], (1, 1)))",
        changed_the_target,
    ),
    Case(
        "file-of-another-marked",
        "attempt(lambda: posix.setxattr(known['target'], 'user.hostile', b'here'))",
        changed_the_target,
        needs=("extended attributes",),
    ),
    Case(
        "file-of-another-given-away",
        "attempt(lambda: posix.chown(known['target'], 12345, 12345))",
        changed_the_target,
        needs=("root",),
    ),
    Case(
        "own-limits-lifted",
        """
        most = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        attempt(
            lambda: resource.setrlimit(resource.RLIMIT_AS, most),
            lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, most[1])),
            lambda: resource.prlimit(0, resource.RLIMIT_FSIZE, most),
            lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99)),
        )
        hold(0.2)
        """,
        changed("limits", "hostile"),
    ),
    Case(
        "own-oom-score",
        "attempt(lambda: open('/proc/self/oom_score_adj', 'w').write('17'))\nhold(0.2)",
        changed("oom_score", "hostile"),
    ),
    Case(
        "own-schedule",
        """
        attempt(
            lambda: posix.sched_setscheduler(0, posix.SCHED_FIFO, posix.sched_param(50)),
            lambda: posix.setpriority(posix.PRIO_PROCESS, 0, 7),
            lambda: posix.sched_setscheduler(0, posix.SCHED_BATCH, posix.sched_param(0)),
        )
        hold(0.2)
        """,
        changed("scheduling", "hostile"),
    ),
    Case(
        "own-namespaces",
        """
        new_user, new_mounts, new_network = 0x10000000, 0x00020000, 0x40000000
        attempt(
            lambda: done(libc.unshare(new_user)),
            lambda: done(libc.unshare(new_mounts)),
            lambda: done(libc.unshare(new_network)),
        )
        hold(0.2)
        """,
        changed("namespaces", "hostile"),
        needs=("namespaces",),
    ),
    Case(
        "own-root",
        "attempt(lambda: posix.chroot(known['scratch']))\nhold(0.2)",
        changed("root", "hostile"),
        needs=("root",),
    ),
    Case(
        "own-tracer",
        """
        def trace_me():
            done(libc.ptrace(0, 0, 0, 0))
            hold(0.3)
        attempt(trace_me)
        """,
        traces("hostile"),
    ),
    Case(
        "kernel-objects",
        """
        attempt(
            lambda: spare.append(system_call(323, 282, 0)),  # userfaultfd
            lambda: spare.append(system_call(298, 241, ctypes.create_string_buffer(
                struct.pack('=IIQ', 1, 64, 0), 64), 0, -1, -1, 0)),  # perf_event_open
            lambda: spare.append(system_call(321, 280, 0, ctypes.create_string_buffer(
                struct.pack('=IIII', 1, 4, 4, 1), 128), 128)),  # bpf
            lambda: spare.append(system_call(300, 262, 0, 0)),  # fanotify_init
            lambda: spare.append(system_call(434, 434, known['sibling'], 0)),  # pidfd_open
            lambda: spare.append(system_call(253, 26)),  # inotify_init
        )
        hold(0.3)
        """,
        holds("userfaultfd|perf_event|bpf|fanotify|pidfd|inotify"),
    ),
    Case(
        "jail-entered-again",
        """
        # More rules can only take away, but a new filter could feign results to the runtime's own
        # calls, and a new privilege could lift the old one.
        attempt(
            lambda: done(libc.prctl(38, 0, 0, 0, 0)),  # no_new_privs
            lambda: done(libc.prctl(22, 0, 0, 0, 0)),  # seccomp
            lambda: system_call(444, 444, ctypes.create_string_buffer(24), 24, 0),
            lambda: system_call(446, 446, -1, 0),
        )
        attempt(lambda: open(known['scratch'] + '/got-out', 'w').write('here'))
        """,
        left_a_file,
    ),
]
