"""An episode and its evaluation are what AppWorld itself makes of the same code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from native import Native
from zygote import Zygote

from training_sandbox_appworld.data import SPLITS
from training_sandbox_appworld.world.families import FAMILIES
from training_sandbox_appworld.world.solutions import Solutions, load_solutions

ODD_CODE = (
    "1 / 0",
    "print(",
    "x = 5\nx",
    "print([{'a': 1}, 'b'])",
    "print({str(n): n for n in range(40)})",
    "import subprocess",
    "import os\nprint(os.getcwd)\nos.remove('x')",
    "print(open('/nowhere/x', 'w'))",
    "raise SystemExit(3)",
    "input('?')",
    "def fail(depth):\n    return fail(depth - 1) if depth else 1 / 0\nfail(5)",
    "class Odd(Exception): pass\nraise Odd('odd')",
    "apis.spotify.no_such_api()",
    "apis.no_such_app.login()",
    "print(apis.spotify.show_song(song_id=-1))",
    "print(apis.spotify.show_song(song_id='one'))",
    "print(apis.spotify.show_song())",
    "print(apis.spotify.show_song(song_id=''))",
    "print(apis.spotify.show_song(song_id='1/../2?x=é'))",
    "print(apis.venmo.show_venmo_balance(access_token='wrong'))",
    "print(apis.venmo.login(username='no', password='no'))",
    "print(apis.amazon.search_products(query='a', page_limit=2, product_type=None))",
    "print(requester.get('/spotify/genres'))",
    "print(requester.get('/spotify/genres/'))",
    "print(requester.get('/nowhere'))",
    "print(requester.get('http://nowhere.test/spotify/genres'))",
    "print(requester.post('/venmo/auth/token', data={'username': 'é&=', 'password': [1, 2]}))",
    "print(requester.delete('/simple_note/notes/1'))",
    "print(requester._get('/spotify/genres', raise_on_failure=False).headers)",
    "print(apis.todoist.create_project(name=float('nan'), access_token='wrong'))",
    "import random\nprint(random.random())",
    "print(DateTime.now(), datetime.datetime.now())",
    "import time\nprint(time.time(), time.monotonic())",
    "while True: apis.supervisor.show_profile()",
    "print(len(requester.requests))",
    "print(get_ipython().execution_count, sorted(get_ipython().user_ns))",
    "apis.supervisor.complete_task(answer={'no': 'json'})",
    "apis.supervisor.complete_task(status='fail')",
    "print(apis.supervisor.show_active_task())",
)


@dataclass(frozen=True)
class Both:
    """The two that are compared, and the world that they play in."""

    zygote: Zygote
    native: Native
    solutions: dict[str, Solutions]

    def compare(self, task_id: str, codes: Sequence[str]) -> None:
        expected = self.native.play(task_id, codes)
        episode = self.zygote.open(task_id, {"simple": True}, jailed=True)
        for code, observation in zip(codes, expected.observations, strict=True):
            assert episode.say(code) == observation, code
        assert episode.terminated == expected.completed
        assert episode.evaluate() == expected.reward
        assert episode.evaluate(sparse=True) == float(not expected.failed)
        episode.close()


@pytest.fixture(scope="module", params=["", "other_"], ids=["a_world", "a_world_of_another_seed"])
def both(request: pytest.FixtureRequest) -> Both:
    world: Path = request.getfixturevalue(f"{request.param}world")
    return Both(
        zygote=request.getfixturevalue(f"{request.param}zygote"),
        native=request.getfixturevalue(f"{request.param}native"),
        solutions=load_solutions(world),
    )


@pytest.mark.parametrize("kind", ["right", "wrong"])
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_solution(both: Both, family: str, split: str, kind: str) -> None:
    (task_id,) = (
        task_id
        for task_id, of_task in both.solutions.items()
        if (of_task.family, of_task.split) == (family, split)
    )
    both.compare(task_id, getattr(both.solutions[task_id], kind))


def test_odd_code(both: Both) -> None:
    both.compare(next(iter(both.solutions)), ODD_CODE)
