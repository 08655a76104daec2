"""Reading a plan."""

from typing import Any, TypeVar

from tests.operator import builders as build
from tests.operator.builders import after
from training_sandbox_operator.decisions.actions import Action, EmitEvent, Plan, WriteStatus
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod

ActionT = TypeVar("ActionT", bound=Action)


def only(decided: Plan, kind: type[ActionT]) -> ActionT:
    (found,) = [action for action in decided.actions if isinstance(action, kind)]
    return found


def kinds(decided: Plan) -> list[type[Action]]:
    return [type(action) for action in decided.actions]


def written(decided: Plan) -> dict[str, Any]:
    return dict(only(decided, WriteStatus).status)


def ready_condition(status: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in status["conditions"] if one["type"] == "Ready")


def events(decided: Plan) -> list[tuple[str, str]]:
    return [(one.kind, one.reason) for one in decided.actions if isinstance(one, EmitEvent)]


def converged(
    instance_spec: dict[str, Any], pod_status: dict[str, Any], seconds: float
) -> tuple[TrainingInstance, Pod]:
    """Return an instance whose status is what the pod makes it, and the pod."""
    instance = build.instance(**instance_spec)
    pod = build.pod(instance, status=pod_status)
    status = written(plan(build.situation(instance, pod), after(seconds)))
    return build.instance(**instance_spec, status=status), pod
