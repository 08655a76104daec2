"""Hostile agent code does not get out of its episode: to the truth, to others, to scores.

Every case runs twice. Against a server as it is run, it must not get out, and nobody else may
notice. Against a server without the jail, it must: so the oracle that saw nothing can see.
"""

import pytest

from tests.sandbox_image.hostile.attack import HONEST_ENDS
from tests.sandbox_image.hostile.cases import HELD_BY_THE_JAIL
from tests.sandbox_image.hostile.requirements import lacking

CASES = pytest.mark.parametrize("case", HELD_BY_THE_JAIL, ids=lambda case: case.name)


@CASES
def test_it_does_not_get_out_and_nobody_notices(confined, attack, case):
    with attack(confined, case) as attacking:
        attacking.play_others_meanwhile()
        attacking.wait()
        assert not attacking.got_out(), attacking.said
        assert attacking.other.finish() == 1.0
        assert not attacking.got_out(), attacking.said
        assert attacking.sibling.keeps_its_secret()
        assert attacking.sibling.finish() < 1.0
        assert set(attacking.failures) <= HONEST_ENDS
        scored = attacking.evaluate()
        if scored.status_code == 200:
            assert scored.json()["data"] == attacking.reward_before
        else:
            assert scored.json()["error"]["type"] in HONEST_ENDS


@CASES
def test_it_gets_out_without_the_jail(unconfined, attack, case, tmp_path):
    if lacks := lacking(case.needs, tmp_path):
        pytest.skip(f"this machine has no {', '.join(lacks)}")
    with attack(unconfined, case) as attacking:
        attacking.run()
        attacking.wait()
        assert attacking.gets_out(within_seconds=10), attacking.said
