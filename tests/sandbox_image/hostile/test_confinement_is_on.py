"""Every process that runs agent code, or looks at what it left, is confined: seen from outside."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.sandbox_image.hostile.agent_code import plain

_FIELDS = re.compile(r"^(NoNewPrivs|Seccomp|CapEff|CapPrm|CapBnd):\s+(\w+)$", re.MULTILINE)


def confinement(pid: int) -> dict[str, str]:
    """What the kernel says of a process; nothing when it has ended."""
    try:
        return dict(_FIELDS.findall(Path(f"/proc/{pid}/status").read_text()))
    except OSError:
        return {}


def is_confined(pid: int) -> bool:
    found = confinement(pid)
    return (found.get("NoNewPrivs"), found.get("Seccomp")) == ("1", "2") and not int(
        found["CapEff"] + found["CapPrm"], 16
    )


def test_the_server_says_what_confines_them(confined):
    told = confined.server.status()["confinement"]
    assert told["seccomp"] is True
    assert told["fork_gate"] is True
    assert told["landlock_abi"] >= 1


def test_an_episode_is_confined(confined, hostile):
    assert is_confined(hostile.pid)
    assert Path(f"/proc/{hostile.pid}/oom_score_adj").read_text() == "1000\n"


def test_a_branch_is_confined(confined, hostile):
    before = confined.pids()
    forked = confined.server.data("fork", instance_id=hostile.id, n=1)
    (pid,) = confined.pids() - before
    assert is_confined(pid)
    confined.server.post("release", instance_id=forked["episodes"][0]["info"]["instance_id"])


def test_an_evaluation_is_confined(confined, hostile):
    before = confined.pids()
    seen: set[bool] = set()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            hostile.act(plain("pass"))
            evaluating = pool.submit(confined.server.data, "evaluate", instance_id=hostile.id)
            while not evaluating.done():
                seen |= {is_confined(pid) for pid in confined.pids() - before if confinement(pid)}
            if True in seen:
                return
    raise AssertionError("no evaluation was seen to be confined")
