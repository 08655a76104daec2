"""Which of the ways to a server a sandbox' options ask for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training_sandbox._endpoint import Endpoint
from training_sandbox._exceptions import InvalidRequest
from training_sandbox._instance import ClusterAccess, CreatedInstance
from training_sandbox._local import LocalServer
from training_sandbox._local_plan import LocalServerPlan
from training_sandbox._manifest import manifest, new_name
from training_sandbox._server import BoundTask
from training_sandbox._token import token_given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training_sandbox._progress import Wait
    from training_sandbox._server import Provider
    from training_sandbox._types import Overrides


def choose_provider(
    env_type: str,
    *,
    name: str | None,
    task_id: str | None,
    params: Mapping[str, object] | None,
    endpoint: str | None,
    token: str | None,
    local: bool,
    keep: bool,
    access: ClusterAccess,
    wait: Wait,
    overrides: Overrides,
) -> Provider:
    """Return what makes the server available; nothing is started yet.

    Raises:
        InvalidRequest: options that exclude each other.
    """
    if endpoint is not None and local:
        raise InvalidRequest("endpoint and local: use one of them")
    if params is not None and task_id is None:
        raise InvalidRequest("params: the arguments of task_id, which is not set")
    if token is not None and endpoint is None:
        raise InvalidRequest("token: of the server at an endpoint, which is not set")
    if endpoint is not None:
        return Endpoint(endpoint, token_given(token))
    name = name or new_name(env_type)
    if local:
        bound = None if task_id is None else BoundTask(task_id, name, params, untouched=True)
        return LocalServer(LocalServerPlan(env_type, bound, overrides), wait)
    wanted = manifest(name, env_type, task_id=task_id, params=params, overrides=overrides)
    return CreatedInstance(access, wanted, wait, keep=keep)
