"""The ground truth, by every road."""

from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.oracles import (
    any_of,
    changed_the_truth,
    left_a_file,
    told_the_truth,
    was_scored_one,
)

CASES = [
    Case(
        "truth-by-pathlib",
        "for path in known['secret_files']: attempt(lambda: Path(path).read_text())",
        told_the_truth,
    ),
    Case(
        "truth-by-a-hidden-name-of-open",
        """
        for path in known['secret_files']:
            attempt(lambda: getattr(builtins, 'op' + 'en')(path).read())
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-posix-open",
        """
        for path in known['secret_files']:
            attempt(lambda: posix.read(posix.open(path, posix.O_RDONLY), 100_000))
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-file-objects",
        """
        import _io, linecache, mmap, tokenize
        for path in known['secret_files']:
            attempt(
                lambda: _io.FileIO(path).read(),
                lambda: linecache.getlines(path),
                lambda: tokenize.open(path).read(),
                lambda: mmap.mmap(_io.FileIO(path).fileno(), 0, prot=mmap.PROT_READ)[:],
            )
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-the-c-library",
        """
        libc.fopen.restype = ctypes.c_void_p
        def read(path):
            file = libc.fopen(path.encode(), b'r')
            buffer = ctypes.create_string_buffer(100_000)
            return file and libc.fread(buffer, 1, len(buffer), ctypes.c_void_p(file)), buffer.value
        for path in known['secret_files']:
            attempt(lambda: read(path))
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-raw-system-calls",
        """
        def by_openat2(path):
            how = ctypes.create_string_buffer(24)
            descriptor = system_call(437, 437, -100, path.encode(), how, 24)
            return posix.read(descriptor, 100_000)
        def by_openat(path):
            return posix.read(system_call(257, 56, -100, path.encode(), 0, 0), 100_000)
        for path in known['secret_files']:
            attempt(lambda: by_openat2(path), lambda: by_openat(path))
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-the-import-system",
        """
        from importlib.machinery import SourceFileLoader
        from importlib.util import module_from_spec, spec_from_file_location
        import runpy
        path = known['truth'] + '/evaluation.py'
        def imported():
            specification = spec_from_file_location('evaluation_of_task', path)
            module = module_from_spec(specification)
            specification.loader.exec_module(module)
            return inspect.getsource(module)
        attempt(
            lambda: SourceFileLoader('evaluation', path).get_data(path),
            imported,
            lambda: runpy.run_path(path),
        )
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-appworlds-own-loader",
        """
        from appworld.ground_truth import GroundTruth
        from appworld.task import Task
        attempt(
            lambda: GroundTruth.load(known['task']).private_data,
            lambda: GroundTruth.load(known['task']).evaluation_code,
            lambda: GroundTruth.load(known['task'], mode='minimal').private_data,
            lambda: Task.load(known['task'], load_ground_truth=True).ground_truth.private_data,
        )
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-other-names-of-the-root",
        """
        def beside(directory, path):
            descriptor = posix.open(directory, posix.O_PATH)
            return posix.read(posix.open(path[1:], posix.O_RDONLY, dir_fd=descriptor), 100_000)
        def from_within(path):
            posix.chdir(posix.path.dirname(path) if hasattr(posix, 'path') else '/')
            return open(path[1:], 'rb').read()
        def below(path):
            posix.chdir(known['truth'])
            return open('evaluation.py', 'rb').read()
        for path in known['secret_files']:
            attempt(
                lambda: open('/proc/self/root' + path).read(),
                lambda: open('/proc/thread-self/root' + path).read(),
                lambda: open('/proc/self/cwd/../../../../../../../..' + path).read(),
                lambda: open('/lib/../' + path).read(),
                lambda: beside('/', path),
                lambda: beside('/lib', '/..' + path),
                lambda: from_within(path),
                lambda: below(path),
            )
        """,
        told_the_truth,
    ),
    Case(
        "truth-through-other-processes",
        """
        for path in known['secret_files']:
            for process in ('zygote', 'template', 'server', 'sibling'):
                directory = f'/proc/{known[process]}'
                attempt(
                    lambda: open(f'{directory}/root{path}').read(),
                    lambda: open(f'{directory}/cwd/../../../../../../..{path}').read(),
                )
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-file-handles",
        """
        def read(path):
            handle = ctypes.create_string_buffer(struct.pack('=Ii', 128, 0) + bytes(128))
            mount = ctypes.c_int()
            done(libc.name_to_handle_at(-100, path.encode(), handle, ctypes.byref(mount), 0))
            directory = posix.open('/', posix.O_RDONLY)
            descriptor = done(libc.open_by_handle_at(directory, handle, posix.O_RDONLY))
            return posix.read(descriptor, 100_000)
        for path in known['secret_files']:
            attempt(lambda: read(path))
        """,
        told_the_truth,
        needs=("root", "file handles"),
    ),
    Case(
        "truth-by-links-and-renames",
        """
        for number, path in enumerate(known["secret_files"][:2]):
            new = f"{known['scratch']}/{number}"
            attempt(
                lambda: posix.symlink(path, new + '-symbolic'),
                lambda: posix.link(path, new + '-hard'),
                lambda: posix.rename(path, new + '-renamed'),
            )
        """,
        any_of(left_a_file, changed_the_truth),
    ),
    Case(
        "truth-by-another-program",
        """
        importlib.reload(subprocess)
        for path in known['secret_files']:
            attempt(
                lambda: subprocess.run(['cat', path], capture_output=True).stdout,
                lambda: subprocess.getoutput(f'cat {path}'),
            )
        """,
        told_the_truth,
    ),
    Case(
        "truth-by-names-of-files",
        """
        attempt(
            lambda: posix.listdir(known['truth']),
            lambda: [entry.name for entry in posix.scandir(known['truth'])],
            lambda: list(Path(known['truth']).iterdir()),
        )
        """,
        told_the_truth,
    ),
    Case(
        "truth-in-the-memory-of-an-evaluation",
        """
        # The test evaluates other episodes meanwhile. Whoever is new below the zygote or the
        # template is one: stop it, read what it has, let it go on.
        mark = re.compile(rb'TRUTH-[0-9a-f]{32}')
        def children():
            for parent in (known['zygote'], known['template']):
                listed = open(f'/proc/{parent}/task/{parent}/children').read()
                yield from map(int, listed.split())
        def marks(pid):
            found = set()
            os.kill(pid, signal.SIGSTOP)
            try:
                with open(f'/proc/{pid}/mem', 'rb', 0) as memory:
                    for row in open(f'/proc/{pid}/maps').read().splitlines():
                        start, end = (int(part, 16) for part in row.split()[0].split('-'))
                        if ' rw-p ' in row and end - start < 1 << 28:
                            memory.seek(start)
                            found |= set(mark.findall(memory.read(end - start)))
            finally:
                os.kill(pid, signal.SIGCONT)
            return found
        def watch():
            before = set(children())
            for _ in range(1500):
                for pid in set(children()) - before:
                    for _ in range(20):
                        try:
                            found = marks(pid)
                        except OSError:
                            break  # it has ended meanwhile
                        if found:
                            return found
                        wait(0.01)
                wait(0.002)
        attempt(watch)
        """,
        told_the_truth,
        needs_evaluations=True,
    ),
    Case(
        "truth-rewritten",
        """
        path = known['truth'] + '/answer.json'
        attempt(
            lambda: open(path, 'w').write('null'),
            lambda: open(path, 'r+').truncate(0),
            lambda: posix.truncate(path, 0),
            lambda: posix.unlink(path),
            lambda: posix.rmdir(known['truth']),
        )
        """,
        changed_the_truth,
    ),
    Case(
        "truth-hidden-from-the-evaluation",
        """
        path = known['truth'] + '/evaluation.py'
        attempt(
            lambda: posix.chmod(path, 0),
            lambda: posix.chmod(known['truth'], 0o700),
            lambda: system_call(452, 452, -100, path.encode(), 0, 0),
        )
        """,
        changed_the_truth,
    ),
    Case(
        "truth-rewritten-for-a-score",
        """
        requirements = [
            'assert the answer matches the ground truth answer',
            'assert only the expected models have changed',
        ]
        def evaluation(requirements):
            lines = ['def evaluate(*, test, **_):']
            for requirement in requirements:
                lines += [f'    with test({requirement!r}):', '        test.case(1, "==", 1)']
            return '\\n'.join(lines)
        path = known['truth'] + '/evaluation.py'
        attempt(lambda: open(path, 'w').write(evaluation(requirements)))
        """,
        was_scored_one,
    ),
    Case(
        "reward-forged-on-the-channel-of-the-evaluation",
        """
        # A thread lives on after the step, and waits for the evaluation of this very episode: it
        # takes the evaluation's channel, and answers first.
        content = json.dumps({'kind': 'reward', 'reward': 1.0}).encode()
        frame = struct.pack('!I', len(content)) + content
        def children():
            for parent in (known['zygote'], known['template']):
                listed = open(f'/proc/{parent}/task/{parent}/children').read()
                yield from map(int, listed.split())
        def sockets(pid):
            for number in range(3, 64):
                try:
                    link = os.readlink(f'/proc/{pid}/fd/{number}')
                except OSError:
                    continue
                if link.startswith('socket:'):
                    yield link, number
        def forge(pid):
            os.kill(pid, signal.SIGSTOP)
            wait(0.1)  # until its parent has closed its channel
            process = system_call(434, 434, pid, 0)
            parents = {**dict(sockets(known['zygote'])), **dict(sockets(known['template']))}
            for link, number in sockets(pid):
                if link not in parents:
                    channel = socket.socket(fileno=system_call(438, 438, process, number, 0))
                    channel.send(frame, socket.MSG_DONTWAIT)
        def watch():
            before = set(children())
            while True:
                for pid in set(children()) - before:
                    attempt(lambda: forge(pid))
                    before.add(pid)
                wait(0.001)
        threading.Thread(target=watch, daemon=True).start()
        """,
        was_scored_one,
    ),
]
