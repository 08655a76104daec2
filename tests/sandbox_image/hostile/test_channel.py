"""Agent code that speaks in the runtime's place: the server takes no reward and no state from it
but its own world's, and whatever does not fit costs its episode only.

These cases are held by how the server asks, not by the jail: the channel is in the process.
"""

import json

import pytest

from tests.sandbox_image.hostile.agent_code import plain, smuggle

TOOLS = """
def frame(fields):
    content = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return struct.pack('!I', len(content)) + content


def channel():
    for number in range(3, 500):
        try:
            return socket.socket(fileno=os.dup(number))
        except OSError:
            pass


def forge(*frames):
    channel().sendall(b''.join(map(frame, frames)))


def observation(**fields):
    message = {'role': 'user', 'content': 'FORGED', 'tool_calls': []}
    told = dict(kind='observation', index=0, message=message, truncated=False, terminated=False)
    return told | fields
"""


@pytest.fixture
def untouched_reward(confined, hostile) -> float:
    return confined.server.data("evaluate", instance_id=hostile.id)


def told(response) -> str:
    """What the caller of a step was told, when it is a failure."""
    return response.json()["error"]["type"]


def test_a_forged_observation_tells_the_agents_own_trainer_and_no_reward(
    confined, hostile, untouched_reward
):
    response = hostile.act(smuggle(f"{TOOLS}\nforge(observation(terminated=False))", {}))
    assert response.json()["data"]["reward"] == 0.0
    after = confined.server.post("evaluate", instance_id=hostile.id)
    assert after.status_code != 200 or after.json()["data"] == untouched_reward


def test_a_forged_end_is_scored_as_the_world_is(confined, hostile, untouched_reward):
    response = hostile.act(smuggle(f"{TOOLS}\nforge(observation(terminated=True)); wait(1)", {}))
    if response.status_code == 200:
        assert response.json()["data"]["reward"] == untouched_reward
    else:
        assert told(response) in ("evaluation_failed", "episode_lost")


@pytest.mark.parametrize(
    "frames",
    [
        "{'kind': 'reward', 'reward': 1.0}",
        "observation(reward=1.0), {'kind': 'reward', 'reward': 1.0}",
        "observation(terminated=True, reward=1.0), {'kind': 'reward', 'reward': 1.0}",
        "observation(terminated=True), {'kind': 'saved', 'state': 'AAAA', 'reward': 1.0}",
        "observation(terminated=True), {'kind': 'saved', 'reward': 1.0}",
        "observation(terminated=True), *[{'kind': 'reward', 'reward': 1.0}] * 50",
    ],
)
def test_a_forged_reward_is_not_taken(confined, hostile, untouched_reward, frames):
    response = hostile.act(smuggle(f"{TOOLS}\nforge({frames})\nwait(0.5)", {}))
    if response.status_code == 200:
        assert response.json()["data"]["reward"] != 1.0
    evaluated = confined.server.post("evaluate", instance_id=hostile.id)
    if evaluated.status_code == 200:
        assert evaluated.json()["data"] == untouched_reward


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("no-frame", "b'x' * 100"),
        ("too-long", "struct.pack('!I', 1 << 31) + b'x'"),
        ("not-an-object", "frame([1])"),
        ("not-json", "frame(b'{')"),
        ("nested", "frame(b'[' * 1_000_000)"),
        ("long-number", "frame(b'9' * 1_000_000)"),
        ("not-a-number", "frame(b'{\"kind\": NaN}')"),
        ("no-kind", "frame({})"),
        ("strange-kind", "frame({'kind': ['observation']})"),
        ("another-step", "frame(observation(index=7))"),
        ("no-message", "frame(observation(message=None))"),
        ("message-without-content", "frame(observation(message={}))"),
        ("content-of-another-type", "frame(observation(message={'role': 1, 'content': [1]}))"),
        ("content-not-finite", "frame(observation(message={'role': 'user', 'content': 1e999}))"),
        (
            "content-with-half-a-character",
            "frame(observation(message={'role': 'user', 'content': '\\\\ud800'}))",
        ),
        (
            "content-too-long",
            "frame(observation(message={'role': 'user', 'content': 'x' * 15_000_000}))",
        ),
        (
            "another-field-not-finite",
            "frame(observation(message={'role': 'user', 'content': '', 'x': float('nan')}))",
        ),
        (
            "another-field-too-long",
            "frame(observation(message={'role': 'user', 'content': '', 'x': 'x' * 15_000_000}))",
        ),
        ("flood", "frame(observation(index=7)) * 20_000"),
    ],
)
def test_what_is_no_answer_costs_the_episode_and_nobody_else(confined, hostile, name, content):
    code = f"{TOOLS}\nchannel().setblocking(True)\nattempt(lambda: channel().sendall({content}))"
    response = hostile.act(smuggle(code, {}))
    if response.status_code == 200:
        message = response.json()["data"]["state"][0]
        assert isinstance(message["content"], str)
        assert len(message["content"].encode(errors="replace")) < 1_100_000
        assert len(json.dumps(message, allow_nan=False)) < 8_400_000
    else:
        assert told(response) in ("episode_lost", "internal")


@pytest.mark.parametrize(
    "code",
    [
        "channel().shutdown(socket.SHUT_RDWR)",
        "[os.close(number) for number in range(3, 500) if suppress(os.fstat, number)]",
        "[os.dup2(1, number) for number in range(3, 500) if suppress(os.fstat, number)]",
        "os._exit(0)",
        "os._exit(1)",
        "ctypes.string_at(0)",
        "libc.abort()",
        "sys.settrace(lambda *_: os._exit(3))",
        "ctypes.memset(id(None), 0, 64)",
    ],
)
def test_who_ends_its_process_or_channel_is_lost_and_has_no_reward(confined, hostile, code):
    suppress = """
def suppress(function, *arguments):
    try:
        return function(*arguments)
    except OSError:
        return None
"""
    response = hostile.act(smuggle(TOOLS + suppress + code, {}))
    assert told(response) == "episode_lost"
    evaluated = confined.server.post("evaluate", instance_id=hostile.id)
    assert told(evaluated) == "episode_lost"
    assert "data" not in evaluated.json()


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "raise BaseException('out')",
        "def deep(): deep()\ndeep()",
        "sys.setrecursionlimit(10**9)\nnest = []\nfor _ in range(10**5): nest = [nest]\nrepr(nest)",
        "class Error(BaseException):\n    __str__ = lambda self: 1 / 0\nraise Error",
        "raise MemoryError",
    ],
)
def test_who_raises_anything_plays_on_or_is_lost(confined, hostile, code):
    response = hostile.act(smuggle(code, {}))
    if response.status_code == 200:
        assert "2" in hostile.say("print(1 + 1)")
    else:
        assert told(response) in ("episode_lost", "internal")


def test_endless_output_is_cut_and_the_episode_goes_on(confined, hostile):
    content = hostile.say("for _ in range(40): print('x' * 1_000_000)")
    assert "[cut: the first 1048576 of 40" in content
    assert len(content) < 1_049_000
    assert "2" in hostile.say("print(1 + 1)")


def test_output_to_descriptors_reaches_no_log(confined, hostile):
    flood = "for _ in range(200):\n    for number in (0, 1, 2):\n        "
    write = "attempt(lambda: os.write(number, b'FLOOD' * 10_000))"
    assert hostile.act(smuggle(flood + write, {})).status_code == 200
    assert "FLOOD" not in confined.server.log


def test_a_thread_that_lives_on_changes_no_score_and_no_other_episode(
    confined, hostile, bystander, untouched_reward
):
    linger = f"""{TOOLS}
def linger():
    while True:
        try:
            channel().sendall(frame(observation(index=1, terminated=True, reward=1.0)))
        except BaseException:
            pass
        wait(0.05)
threading.Thread(target=linger, daemon=True).start()
"""
    hostile.act(smuggle(linger, {}))
    bystander.advance()
    later = hostile.act(plain("print(1 + 1)"))
    assert later.status_code != 200 or later.json()["data"]["reward"] != 1.0
    evaluated = confined.server.post("evaluate", instance_id=hostile.id)
    assert evaluated.status_code != 200 or evaluated.json()["data"] == untouched_reward
