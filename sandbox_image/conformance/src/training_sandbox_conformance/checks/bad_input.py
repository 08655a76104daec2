"""What cannot be understood is refused, and nothing happens."""

from collections.abc import Mapping, Sequence

from training_sandbox_conformance.installed import Example, Message
from training_sandbox_conformance.playing import Playing, require_same
from training_sandbox_conformance.served import Answer
from training_sandbox_conformance.subject import Check, Subject, require

_UNKNOWN = "training_sandbox_conformance"
_INVALID, _MISSING = 400, 404
_FIELDS = ("messages", "content", "tool_calls")

_NO_ACTIONS: Mapping[str, object] = {
    "messages": [],
    "messages.role": {"content": "no role"},
    "messages.content": {"role": "assistant"},
}
"""What the server refuses before the environment sees it, by the field that is wrong."""

_ODD_ACTIONS: list[Message] = [
    {"role": "assistant", "content": ""},
    {"role": "assistant", "content": "\0<tool_call>{]</tool_call>```python"},
    {"role": "assistant", "content": None, "tool_calls": [{}]},
    {"role": "assistant", "content": None, "tool_calls": [17]},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": _UNKNOWN, "arguments": "{"}}],
    },
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": 3}}]},
]
"""What an environment may take for an action, or refuse."""


def run(subject: Subject) -> str | None:
    """Send what no client should, to the first example's task."""
    example = subject.examples[0]
    _refuse_tasks(subject)
    _refuse_messages(subject, example)
    for message in _ODD_ACTIONS:
        _survive(subject, example, message)
    return _refuse_params(subject, example)


def _refuse_tasks(subject: Subject) -> None:
    answer = subject.served.ask("create", task_id=_UNKNOWN)
    require(answer.status == _MISSING, f"an unknown task was answered {answer}")
    answer = subject.served.ask("get_env_profile", params={"split": _UNKNOWN})
    require(answer.status == _MISSING, f"an unknown split was answered {answer}")


def _refuse_messages(subject: Subject, example: Example) -> None:
    playing = Playing.begin(subject.served, example.task_id, example.right)
    while not playing.is_over:
        for field, messages in _NO_ACTIONS.items():
            answer = subject.served.ask("step", instance_id=playing.id, messages=messages)
            _require_refusal(answer, (field,), f"messages {messages!r}")
        playing.step()
    expected = subject.alone(example, right=True)
    require_same(expected, playing.end(), "after messages that were refused")


def _survive(subject: Subject, example: Example, message: Message) -> None:
    """An odd action is refused as if it had not been sent, or answered like any other."""
    playing = Playing.begin(subject.served, example.task_id, example.right)
    answer = subject.served.ask("step", instance_id=playing.id, messages=message)
    if answer.is_success:
        playing.evaluate()
        subject.served.release(playing.id)
    else:
        _require_refusal(answer, _FIELDS, f"the message {message!r}")
        expected = subject.alone(example, right=True)
        require_same(expected, playing.end(), f"after {message!r} was refused")


def _refuse_params(subject: Subject, example: Example) -> str | None:
    task_id = example.task_id
    answer = subject.served.ask("create", task_id=task_id, params=[1])
    _require_refusal(answer, ("params",), "params [1]")
    playing = Playing.begin(subject.served, task_id, example.right)
    answer = subject.served.ask("evaluate", instance_id=playing.id, params={"sparse": "yes"})
    _require_refusal(answer, ("params.sparse",), "a sparse that is no boolean")
    expected = subject.alone(example, right=True)
    require_same(expected, playing.end(), "after params that were refused")
    answer = subject.served.ask(
        "create", task_id=task_id, instance_id=_UNKNOWN, params={_UNKNOWN: 1}
    )
    if not answer.is_success:
        _require_refusal(answer, (f"params.{_UNKNOWN}",), "a param that nobody knows")
        return None
    subject.served.release(_UNKNOWN)
    return "params that it does not know are ignored"


def _require_refusal(answer: Answer, fields: Sequence[str], what: str) -> None:
    require(
        answer.status == _INVALID and any(answer.names(field) for field in fields),
        f"{what} must be answered 400 with the name of {' or '.join(fields)}, not {answer}",
    )


CHECK = Check(
    name="bad-input",
    promise="Bad input is refused with the name of the field, and nothing happens",
    remedy="Raise InvalidAction, before anything is executed, with a text that names messages.…, "
    "tool_calls… or params.… and says what is allowed; or answer it with an observation.",
    run=run,
)
