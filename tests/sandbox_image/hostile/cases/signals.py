"""The server, the zygote, the template and a sibling: ended, stopped, starved, commanded."""

from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.oracles import changed, ended, released_the_sibling, stopped

_WAYS = {
    "kill": "os.kill(pid, number)",
    "tgkill": "system_call(234, 131, pid, pid, number)",
    "tkill": "system_call(200, 130, pid, number)",
    "pidfd": "system_call(424, 424, system_call(434, 434, pid, 0), number, 0, 0)",
    "sigqueue": """system_call(
        129, 138, pid, number, ctypes.create_string_buffer(struct.pack('=iii', number, 0, -1), 128)
    )""",
    "session": "os.killpg(pid, number)",
}

_BY_OWNERSHIP = """
def signal_by_owned_descriptor(pid, number):
    ours, theirs = socket.socketpair()
    fcntl.fcntl(ours, 10, number)  # F_SETSIG
    fcntl.fcntl(ours, fcntl.F_SETOWN, pid)
    fcntl.fcntl(ours, fcntl.F_SETFL, posix.O_NONBLOCK | 0o20000)  # O_ASYNC
    theirs.send(b'now')
"""


def _signal(way: str, name: str, process: str) -> str:
    return f"pid, number = known['{process}'], signal.{name}\nattempt(lambda: {_WAYS[way]})"


CASES = [
    *(
        Case(f"sibling-killed-by-{way}", _signal(way, "SIGKILL", "sibling"), ended("sibling"))
        for way in _WAYS
    ),
    Case(
        "sibling-killed-by-an-owned-descriptor",
        f"{_BY_OWNERSHIP}\nattempt(lambda: signal_by_owned_descriptor(known['sibling'], 9))",
        ended("sibling"),
    ),
    Case("sibling-stopped", _signal("kill", "SIGSTOP", "sibling"), stopped("sibling")),
    Case("zygote-stopped", _signal("kill", "SIGSTOP", "zygote"), stopped("zygote")),
    Case("server-stopped", _signal("kill", "SIGSTOP", "server"), stopped("server")),
    Case("template-killed", _signal("kill", "SIGKILL", "template"), ended("template")),
    Case(
        "zygote-killed",
        _signal("kill", "SIGKILL", "zygote"),
        ended("zygote"),
        kills_server=True,
    ),
    Case(
        "server-killed",
        _signal("kill", "SIGKILL", "server"),
        ended("server"),
        kills_server=True,
    ),
    Case(
        "sibling-made-slow",
        "attempt(lambda: done(libc.setpriority(0, known['sibling'], 19)))",
        changed("scheduling", "sibling"),
    ),
    Case(
        "sibling-sent-to-one-processor",
        "attempt(lambda: posix.sched_setaffinity(known['sibling'], {0}))",
        changed("scheduling", "sibling"),
        needs=("two processors",),
    ),
    Case(
        "sibling-idle-at-the-disk",
        "attempt(lambda: system_call(251, 30, 1, known['sibling'], 3 << 13))",
        changed("scheduling", "sibling"),
    ),
    Case(
        "sibling-limited",
        "attempt(lambda: resource.prlimit(known['sibling'], resource.RLIMIT_CPU, (900, 900)))",
        changed("limits", "sibling"),
    ),
    Case(
        "sibling-first-to-be-killed",
        """
        attempt(
            lambda: open(f"/proc/{known['zygote']}/oom_score_adj", 'w').write('900'),
            lambda: open(f"/proc/{known['sibling']}/oom_score_adj", 'w').write('900'),
        )
        """,
        changed("oom_score", "sibling"),
    ),
    Case(
        "sibling-released-over-http",
        """
        import http.client
        def release():
            connection = http.client.HTTPConnection('127.0.0.1', known['http_port'], timeout=5)
            body = json.dumps({'instance_id': known['sibling_episode']})
            connection.request('POST', '/release', body, {'Content-Type': 'application/json'})
            return connection.getresponse().read()
        attempt(release)
        """,
        released_the_sibling,
    ),
    Case(
        "sibling-killed-by-a-forged-command-to-the-zygote",
        """
        def steal(pid):
            process = system_call(434, 434, pid, 0)
            for number in range(3, 64):
                try:
                    yield system_call(438, 438, process, number, 0)
                except OSError:
                    pass
        def command():
            # The server's end of the control socket: what is written there, the zygote obeys.
            for descriptor in steal(known['server']):
                for number in range(64):
                    frame = json.dumps({'kind': 'kill', 'process': number}).encode()
                    try:
                        os.write(descriptor, struct.pack('!I', len(frame)) + frame)
                    except OSError:
                        break
        attempt(command)
        hold(0.5)
        """,
        ended("sibling"),
        kills_server=True,
    ),
]
