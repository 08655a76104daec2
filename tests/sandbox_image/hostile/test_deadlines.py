"""Agent code that does not end is ended from outside, whatever it swallows; others play meanwhile.

Held by the server's deadline and its SIGKILL. AppWorld's own time limit, an alarm in the process,
stops only code that lets it: the polite loop is told and plays on.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox_image.hostile.agent_code import smuggle
from tests.sandbox_image.hostile.arena import Player

POLITE = "while True: pass"

ENDLESS = {
    "swallows-everything": """
def stubborn():
    try:
        while True: wait(0.1)
    except BaseException:
        stubborn()
while True:
    try:
        stubborn()
    except BaseException:
        continue
""",
    "cancels-the-alarm": """
signal.alarm(0)
signal.setitimer(signal.ITIMER_REAL, 0)
while True: pass
""",
    "ignores-the-alarm": """
signal.signal(signal.SIGALRM, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True: wait(0.1)
""",
    "blocks-all-signals": """
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
libc.pause()
""",
    "never-comes-back-from-c": "sum(range(10**13))",
    "says-half-a-frame": """
for number in range(3, 500):
    try:
        socket.socket(fileno=os.dup(number)).sendall(struct.pack('!I', 1000) + b'{')
    except OSError:
        pass
signal.alarm(0)
while True: wait(1)
""",
    "prints-without-end": """
signal.alarm(0)
while True:
    try:
        while True: print('x' * 1_000_000)
    except BaseException:
        pass
""",
}


@pytest.fixture(scope="module")
def played(confined):
    """All of them at once: how each was answered. Another episode plays to its end meanwhile."""
    confined.prepare()
    players = {name: Player(confined) for name in (*ENDLESS, "polite")}
    other = Player(confined, confined.world.actions("right"))
    with ThreadPoolExecutor(len(players)) as pool:
        answers = {
            name: pool.submit(player.act, smuggle(ENDLESS.get(name, POLITE), {}))
            for name, player in players.items()
        }
        assert other.finish() == 1.0
    other.release()
    yield {name: (players[name], answer.result()) for name, answer in answers.items()}
    for player in players.values():
        player.release()


@pytest.mark.parametrize("name", ENDLESS)
def test_a_step_that_does_not_end_is_killed_and_has_no_reward(confined, played, name):
    player, response = played[name]
    assert response.status_code == 504, response.text
    assert response.json()["error"]["type"] == "step_deadline"
    assert "data" not in response.json()
    confined.wait_until(lambda: player.has_ended)
    evaluated = confined.server.post("evaluate", instance_id=player.id)
    assert evaluated.json()["error"]["type"] == "episode_lost"


def test_a_polite_loop_is_stopped_by_appworld_and_plays_on(confined, played):
    player, response = played["polite"]
    assert response.status_code == 200, response.text
    assert "timed out" in response.text
    assert "2" in player.say("print(1 + 1)")
