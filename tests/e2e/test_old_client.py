"""A client of the replaced system works as it is, but for a token: one JSON body to every verb."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import Namespace
from tests.e2e.support.portforward import port_forward
from training_sandbox import TrainingSandbox


class OldClient:
    """Posts what the replaced system's client posts: `//` in the path and fields unset included."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, verb: str, **fields: Any) -> Any:
        body = {
            "env_type": "appworld",
            "task_id": None,
            "instance_id": None,
            "messages": {},
            "params": {},
            **fields,
        }
        answer = httpx.post(
            f"{self._address}//{verb}", json=body, headers=self._headers, timeout=60
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["success"] is True
        return answer.json()["data"]


@pytest.fixture
def old_client(sandbox: TrainingSandbox, shared: Namespace) -> Iterator[OldClient]:
    assert sandbox.get_env_profile(split="train")
    with port_forward(shared.name, shared.status("shared")["podName"]) as address:
        yield OldClient(address, shared.token_of("shared"))


def test_every_verb_answers_in_the_old_shape(old_client: OldClient, solutions: Solutions) -> None:
    task_ids = old_client.post("get_env_profile", params={"split": "train"})
    assert set(task_ids) <= set(solutions)
    task_id = task_ids[0]

    created = old_client.post("create", task_id=task_id, instance_id="exp_1763_0a1b2c3d")
    assert [message["role"] for message in created["state"]] == ["system", "user"]
    assert all(isinstance(message["content"], str) for message in created["state"])
    assert created["info"]["instance_id"] == "exp_1763_0a1b2c3d"
    assert created["info"]["task_id"] == task_id

    assert isinstance(old_client.post("get_info", instance_id="exp_1763_0a1b2c3d"), str)

    for number, code in enumerate(solutions[task_id]["right"], start=1):
        # The old client sends its default env_type, whatever the episode's is.
        stepped = old_client.post(
            "step",
            env_type="bfcl",
            instance_id="exp_1763_0a1b2c3d",
            messages={"role": "assistant", "content": f"```python\n{code}\n```"},
        )
        last = number == len(solutions[task_id]["right"])
        assert set(stepped) == {"state", "reward", "is_terminated", "info"}
        assert len(stepped["state"]) == 1
        assert isinstance(stepped["state"][0]["content"], str)
        assert stepped["is_terminated"] is last
        assert stepped["reward"] == (1.0 if last else 0.0)

    assert old_client.post("evaluate", instance_id="exp_1763_0a1b2c3d") == 1.0
    sparse = old_client.post("evaluate", instance_id="exp_1763_0a1b2c3d", params={"sparse": True})
    assert sparse == 1.0
    # `success` says it; there is nothing more to tell.
    assert old_client.post("release", instance_id="exp_1763_0a1b2c3d") is None
