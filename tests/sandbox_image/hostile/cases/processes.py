"""Programs, processes and threads."""

from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.oracles import (
    has_too_many_threads,
    left_a_file,
    started_a_process,
    started_processes,
)

_MACHINE_CODE = """
    def run(machine_code):
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex(machine_code))
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
"""

_CHILDREN_ONLY_WAIT = """
    def child_waits(pid):
        # No Python in the child: it shares locks, or all memory, with its parent.
        if pid == 0:
            wait(1)
            os._exit(0)
        return pid
"""

CASES = [
    Case(
        "program-by-subprocess",
        """
        importlib.reload(subprocess)
        attempt(lambda: subprocess.run(['touch', known['scratch'] + '/by-subprocess']))
        """,
        left_a_file,
    ),
    Case(
        "program-by-spawn-and-shell",
        """
        attempt(
            lambda: posix.posix_spawn('/bin/touch', ['touch', known['scratch'] + '/spawned'], {}),
            lambda: libc.system(f"touch {known['scratch']}/by-shell".encode()),
        )
        hold(0.3)
        """,
        left_a_file,
    ),
    Case(
        "program-in-its-own-place",
        """
        arguments = ['touch', known['scratch'] + '/in-place']
        attempt(
            lambda: posix.execv('/bin/touch', arguments),
            lambda: posix.execve('/usr/bin/touch', arguments, {}),
        )
        """,
        left_a_file,
    ),
    Case(
        "program-from-memory",
        """
        def execute():
            program = posix.memfd_create('program')
            posix.write(program, open('/bin/sh', 'rb').read())
            posix.execve(program, ['sh', '-c', f": > {known['scratch']}/from-memory"], {})
        def loader():
            loader = '/lib64/ld-linux-x86-64.so.2'
            posix.execv(loader, [loader, '/bin/touch', known['scratch'] + '/by-loader'])
        attempt(execute, loader)
        """,
        left_a_file,
    ),
    Case(
        "process-by-fork",
        "attempt(lambda: in_child(lambda: None, 1))\nhold(0.5)",
        started_a_process,
    ),
    Case(
        "process-by-the-c-library",
        f"""{_CHILDREN_ONLY_WAIT}
    attempt(lambda: child_waits(done(libc.fork())))
    hold(0.5)
        """,
        started_a_process,
    ),
    Case(
        "process-by-raw-clone",
        f"""{_CHILDREN_ONLY_WAIT}
    def by_clone3():
        arguments = struct.pack('=8Q', 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
        return system_call(435, 435, ctypes.create_string_buffer(arguments, 64), 64)
    attempt(
        lambda: child_waits(system_call(56, 220, int(signal.SIGCHLD), 0, 0, 0, 0)),
        lambda: child_waits(by_clone3()),
        lambda: child_waits(system_call(56, 220, 0, 0, 0, 0, 0)),
    )
    hold(0.5)
        """,
        started_a_process,
    ),
    Case(
        "process-that-is-its-parents-sibling",
        f"""{_CHILDREN_ONLY_WAIT}
    clone_parent = 0x8000
    flags = clone_parent | int(signal.SIGCHLD)
    attempt(lambda: child_waits(system_call(56, 220, flags, 0, 0, 0, 0)))
    hold(0.5)
        """,
        started_a_process,
    ),
    Case(
        "process-by-vfork",
        f"""{_MACHINE_CODE}
    # vfork; the child sleeps for a second and exits, its parent waits in the call.
    attempt(lambda: run(
        'b83a000000' '0f05' '85c0' '7519'
        'b823000000' '488d3d11000000' '31f6' '0f05' 'b83c000000' '31ff' '0f05'
        'c3909090' '0100000000000000' '0000000000000000'
    ))
        """,
        started_a_process,
        needs=("x86_64",),
    ),
    Case(
        "process-by-a-call-of-32-bits",
        f"""{_MACHINE_CODE}
    def fork():
        pid = run('b802000000cd80c3')
        if pid == 0:
            wait(1)
            os._exit(0)
        return pid
    attempt(fork)
    hold(0.5)
        """,
        started_a_process,
        needs=("calls of 32 bits",),
    ),
    Case(
        "process-that-leaves-the-family",
        """
        def orphan():
            def parent():
                posix.setsid()
                in_child(lambda: None, 2)
                os._exit(0)
            in_child(parent, 0)
        attempt(orphan)
        hold(0.5)
        """,
        started_a_process,
    ),
    Case(
        "fork-bomb",
        """
        for _ in range(60):
            attempt(lambda: in_child(lambda: None, 1))
        """,
        started_processes(50),
    ),
    Case(
        "thread-bomb",
        """
        def sleeper():
            wait(1)
        threads = []
        def start():
            threads.append(threading.Thread(target=sleeper))
            threads[-1].start()
        for _ in range(150):
            attempt(start)
        hold(0.3)
        """,
        has_too_many_threads,
    ),
]
