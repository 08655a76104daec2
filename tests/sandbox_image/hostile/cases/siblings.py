"""The memory and the files of other processes, and what is shared with them."""

from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.oracles import (
    changed_the_secret_of_the_sibling,
    has_a_descriptor_of,
    left_a_file_at,
    left_a_key,
    left_a_message_queue,
    left_in_system_v,
    reached_a_listener,
    told_the_secret_of_the_sibling,
    traces,
)

_MEMORY = """
    class Piece(ctypes.Structure):
        _fields_ = (('base', ctypes.c_void_p), ('length', ctypes.c_size_t))
    buffer = ctypes.create_string_buffer(256)
    here, there = Piece(ctypes.addressof(buffer), 256), Piece(known['secret_address'], 256)
    def transfer(function):
        pieces = (ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        return done(function(known['sibling'], *pieces))
    def read():
        transfer(libc.process_vm_readv)
        return buffer.raw
"""

CASES = [
    Case(
        "memory-of-a-sibling-by-process-vm-readv",
        f"{_MEMORY}\n    attempt(read)",
        told_the_secret_of_the_sibling,
    ),
    Case(
        "memory-of-a-sibling-by-proc-mem",
        """
        def read():
            with open(f"/proc/{known['sibling']}/mem", 'rb', 0) as memory:
                memory.seek(known['secret_address'])
                return memory.read(256)
        attempt(read)
        """,
        told_the_secret_of_the_sibling,
    ),
    Case(
        "memory-of-a-sibling-written",
        f"""{_MEMORY}
    def write():
        read()
        buffer.raw = buffer.raw.replace(b'SECRET-', b'FORGED-')
        transfer(libc.process_vm_writev)
    def write_file():
        with open(f"/proc/{{known['sibling']}}/mem", 'r+b', 0) as memory:
            memory.seek(known['secret_address'])
            content = memory.read(256)
            memory.seek(known['secret_address'])
            memory.write(content.replace(b'SECRET-', b'FORGED-'))
    attempt(write, write_file)
        """,
        changed_the_secret_of_the_sibling,
    ),
    Case(
        "memory-of-the-server",
        """
        # The server has the trajectories of all episodes on their way through its memory.
        mark = re.compile(rb'SECRET-[0-9a-f]{32}')
        def read(pid):
            found = set()
            with open(f'/proc/{pid}/mem', 'rb', 0) as memory:
                for row in open(f'/proc/{pid}/maps').read().splitlines():
                    start, end = (int(part, 16) for part in row.split()[0].split('-'))
                    if ' rw-p ' in row and end - start < 1 << 28:
                        memory.seek(start)
                        found |= set(mark.findall(memory.read(end - start)))
            return found
        attempt(lambda: read(known['server']), lambda: read(known['sibling']))
        """,
        told_the_secret_of_the_sibling,
    ),
    Case(
        "sibling-traced",
        """
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        seize, interrupt, detach = 0x4206, 0x4207, 17
        def trace():
            done(libc.ptrace(seize, known['sibling'], 0, 0))
            hold(1)
            done(libc.ptrace(interrupt, known['sibling'], 0, 0))
            posix.waitpid(known['sibling'], 0x40000000)
            return libc.ptrace(detach, known['sibling'], 0, 0)
        attempt(trace)
        """,
        traces("sibling"),
    ),
    Case(
        "descriptor-of-a-sibling-stolen",
        """
        def steal(pid):
            process = system_call(434, 434, pid, 0)
            for number in range(3, 64):
                try:
                    spare.append(system_call(438, 438, process, number, 0))
                except OSError:
                    pass
            hold(0.5)
        attempt(lambda: steal(known['sibling']))
        """,
        has_a_descriptor_of("sibling"),
    ),
    Case(
        "descriptor-of-the-zygote-stolen",
        """
        def steal(pid):
            process = system_call(434, 434, pid, 0)
            for number in range(3, 64):
                try:
                    spare.append(system_call(438, 438, process, number, 0))
                except OSError:
                    pass
            hold(0.5)
        attempt(lambda: steal(known['zygote']))
        """,
        has_a_descriptor_of("zygote"),
    ),
    Case(
        "system-v-shared-memory",
        "attempt(lambda: done(libc.shmget(known['nonce'], 4096, 0o1666)))",
        left_in_system_v("shm"),
    ),
    Case(
        "system-v-message-queue",
        "attempt(lambda: done(libc.msgget(known['nonce'], 0o1666)))",
        left_in_system_v("msg"),
    ),
    Case(
        "system-v-semaphore",
        "attempt(lambda: done(libc.semget(known['nonce'], 1, 0o1666)))",
        left_in_system_v("sem"),
    ),
    Case(
        "posix-message-queue",
        """
        name = f"/hostile-{known['nonce']}".encode()
        attempt(lambda: spare.append(done(libc.mq_open(name, 0o102, 0o666, None))))
        """,
        left_a_message_queue,
    ),
    Case(
        "posix-shared-memory",
        """
        name = f"/hostile-{known['nonce']}".encode()
        attempt(
            lambda: done(libc.shm_open(name, 0o102, 0o666)),
            lambda: open(f'/dev/shm{name.decode()}', 'w').write('here'),
        )
        """,
        left_a_file_at("/dev/shm/hostile-{nonce}"),
    ),
    Case(
        "key-in-the-users-keyring",
        """
        name = f"hostile-{known['nonce']}".encode()
        attempt(lambda: system_call(248, 217, b'user', name, b'here', 4, -4))
        """,
        left_a_key,
        needs=("keyrings",),
    ),
    Case(
        "abstract-socket-of-another",
        """
        def connect():
            spare.append(socket.socket(socket.AF_UNIX))
            spare[-1].connect('\\0' + known['abstract_name'])
            spare[-1].send(str(known['nonce']).encode())
        attempt(connect)
        """,
        reached_a_listener,
    ),
]
