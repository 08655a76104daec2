"""Agent code that was there before a fork, and what it does with it.

It is in all branches then, by right; but each has a process, a channel and a score of its own, and
whatever it does while it forks is its own loss.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox_image.hostile.agent_code import plain, smuggle
from tests.sandbox_image.hostile.arena import Player

ERRORS = {"episode_lost", "internal", "step_deadline", "full", "fork_unsupported"}

# What the runtime does between the permission to fork and the new channels is open to patches.
TOOLS = """
from training_sandbox_worker import branching
from training_sandbox_worker.jail.notifications import gate_call
from types import SimpleNamespace
fork = os.fork


def replace_fork(function):
    # SafetyGuard puts its own `os.fork` back after each step.
    branching.os = SimpleNamespace(fork=function)


def frame(**fields):
    content = json.dumps(fields).encode()
    return struct.pack('!I', len(content)) + content


def forged(index):
    message = {'role': 'user', 'content': 'FORGED'}
    return frame(
        kind='observation', index=index, message=message, truncated=False, terminated=False
    )


def twice(number):
    os.write(number, frame(kind='forked') + frame(kind='forked'))
    return number


def sockets():
    for number in range(3, 500):
        try:
            yield socket.socket(fileno=os.dup(number))
        except OSError:
            pass
"""


TAMPERING = {
    "full-of-descriptors": "attempt(lambda: [spare.append(os.dup(1)) for _ in range(5000)])",
    "forks-more": "replace_fork(lambda: [fork() for _ in range(5)][0])",
    "forks-less": "replace_fork(lambda: 4711)",
    "forks-for-itself": "replace_fork(lambda: fork() or wait(60))",
    "forks-and-dies": "replace_fork(lambda: fork() or os._exit(0))",
    "dies-instead": "replace_fork(lambda: os._exit(0))",
    "fails": "replace_fork(lambda: 1 / 0)",
    "keeps-a-thread": "threading.Thread(target=lambda: wait(60), daemon=True).start()",
    "never-asks-for-its-channel": "branching.gate_call = lambda: os.dup(1)",
    "asks-twice": "branching.gate_call = lambda: (gate_call(), gate_call())[0]",
    "answers-twice": "branching.gate_call = lambda: twice(gate_call())",
    "dies-while-it-asks": "branching.gate_call = lambda: fork() or os._exit(0)",
    "hangs": "gc.freeze = lambda: wait(60)",
}


def fork(arena, player: Player, count: int = 2, **body: object):
    return arena.server.post("fork", instance_id=player.id, n=count, **body)


def branches_of(arena, player: Player, count: int = 2) -> list[str]:
    """The ids of branches, which can be had."""
    response = fork(arena, player, count)
    assert response.status_code == 200, response.text
    return [episode["info"]["instance_id"] for episode in response.json()["data"]["episodes"]]


def prepare(player: Player, code: str) -> None:
    response = player.act(smuggle(TOOLS + code, {}))
    assert response.status_code == 200, response.text
    assert "Traceback" not in response.text, response.text


def test_branches_do_not_see_what_others_do_after_the_fork(confined, hostile):
    prepare(hostile, "place = ['of the original']")
    first, second = branches_of(confined, hostile)
    observe = confined.server.observe
    observe(first, plain("place.append('of the first'); import builtins; builtins.left = 1"))
    assert "of the first" not in observe(second, plain("print(place)"))
    assert "of the first" not in hostile.say("print(place)")
    assert "NameError" in observe(second, plain("left"))
    for branch in (first, second):
        confined.server.post("release", instance_id=branch)


@pytest.mark.parametrize(
    "attack",
    [
        "os.kill(pid, 9)",
        "done(libc.ptrace(0x4206, pid, 0, 0))",
        "open(f'/proc/{pid}/mem', 'rb')",
        "open(f'/proc/{pid}/environ', 'rb')",
        "os.listdir(f'/proc/{pid}/fd')",
        "system_call(438, 438, system_call(434, 434, pid, 0), 3, 0)",
        "done(libc.process_vm_readv(pid, None, 0, None, 0, 0))",
        "resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))",
    ],
)
def test_branches_have_no_hold_of_each_other(confined, hostile, attack):
    before = confined.pids()
    (branch,) = branches_of(confined, hostile, 1)
    (pid,) = confined.pids() - before
    for player, victim in ((hostile.id, pid), (branch, hostile.pid)):
        code = f"pid = {victim}\nattempt(lambda: {attack})"
        said = confined.server.observe(player, smuggle(code, {}))
        assert "0 failed: " in said, said
    for player in (hostile.id, branch):
        assert "2" in confined.server.observe(player, plain("print(1 + 1)"))
    confined.server.post("release", instance_id=branch)


def test_a_branch_does_not_get_the_channel_of_the_original(confined, hostile):
    prepare(
        hostile,
        """
early = []
def ask_early():
    try:
        early.append(gate_call())
    except OSError:
        pass
    branching.gate_call = lambda: early.pop() if early and not in_branch else gate_call()
in_branch = False
def fork_and_remember():
    global in_branch
    pid = fork()
    in_branch = pid == 0
    return pid
gc.freeze = ask_early
replace_fork(fork_and_remember)
""",
    )
    response = fork(confined, hostile, 1)
    if response.status_code != 200:
        assert response.json()["error"]["type"] in ERRORS
        return
    (branch,) = (episode["info"]["instance_id"] for episode in response.json()["data"]["episodes"])
    forge = "for channel in sockets(): channel.send(forged(1))"
    confined.server.act(branch, smuggle(TOOLS + forge, {}))
    said = hostile.act(plain("print('mine')")).text
    confined.server.post("release", instance_id=branch)
    assert "FORGED" not in said


def test_a_branch_does_not_get_the_channel_of_another(confined, hostile):
    prepare(
        hostile,
        """
stolen = []
def steal():
    try:
        stolen.append(gate_call())
    except OSError:
        pass
def fork_and_steal():
    pid = fork()
    if pid == 0:
        thief = threading.Thread(target=steal)
        thief.start()
        thief.join()
    return pid
replace_fork(fork_and_steal)
""",
    )
    response = fork(confined, hostile, 2)
    if response.status_code != 200:
        assert response.json()["error"]["type"] in ERRORS
        return
    branches = [episode["info"]["instance_id"] for episode in response.json()["data"]["episodes"]]
    for branch in branches:
        assert "stolen 0" in confined.server.observe(branch, plain("print('stolen', len(stolen))"))
        confined.server.post("release", instance_id=branch)


@pytest.fixture(scope="module")
def tampered(confined):
    """All forks that are tampered with, at once: how each was answered.

    Another episode plays to its end meanwhile, since some of them last until the deadline.
    """
    confined.prepare()
    other = Player(confined, confined.world.actions("right"))
    before = confined.pids()
    players = {what: Player(confined) for what in TAMPERING}
    for what, code in TAMPERING.items():
        prepare(players[what], code)
    with ThreadPoolExecutor(len(players)) as pool:
        answers = {what: pool.submit(fork, confined, player) for what, player in players.items()}
        assert other.finish() == 1.0
    yield {what: answer.result() for what, answer in answers.items()}
    for player in players.values():
        player.release()
    # Branches that the server does not know would be left here.
    confined.wait_until(lambda: confined.pids() <= before)
    other.release()


@pytest.mark.parametrize("what", TAMPERING)
def test_who_tampers_with_a_fork_loses_only_itself(confined, tampered, what):
    response = tampered[what]
    if response.status_code == 200:
        for episode in response.json()["data"]["episodes"]:
            branch = episode["info"]["instance_id"]
            answer = confined.server.post("evaluate", instance_id=branch)
            assert answer.status_code != 200 or answer.json()["data"] < 1.0
            confined.server.post("release", instance_id=branch)
    else:
        assert response.json()["error"]["type"] in ERRORS, response.text
    assert confined.server.is_ready()


def test_the_gate_gives_nothing_to_who_was_not_asked_to_fork(confined, hostile):
    said = hostile.act(smuggle(f"{TOOLS}\nattempt(gate_call, fork, lambda: threads())", {})).text
    assert "0 failed: PermissionError" in said
    assert "1 failed: PermissionError" in said


def test_a_process_that_is_refused_without_end_is_killed(confined, hostile, bystander):
    storm = "while True: attempt(fork)"
    response = hostile.act(smuggle(TOOLS + storm, {}))
    assert response.json()["error"]["type"] == "episode_lost"


def test_others_are_created_while_threads_come_and_go_without_end(confined, hostile, in_background):
    churn = """
for _ in range(20_000):
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
"""
    storm = in_background(hostile.act, smuggle(churn, {}))
    created = 0
    while storm.is_alive() and created < 5:
        player = Player(confined)
        player.release()
        created += 1
    assert created > 0
    hostile.release()
    storm.result()
