"""An episode: a conversation with a user who asks for something in each turn."""

import json

from training_sandbox_bfcl import library, prompts
from training_sandbox_bfcl.actions import Call, parse_message
from training_sandbox_bfcl.data import TaskData
from training_sandbox_bfcl.saved_state import encode
from training_sandbox_bfcl.schemas import Schemas
from training_sandbox_bfcl.tools import Tools
from training_sandbox_worker.environment import Episode, Message, Observation


class BfclEpisode(Episode):
    """Plays one task. A copy of its process plays on as if nothing had been.

    The tools' own random numbers are seeded by the task, and stay so in a branch: evaluation
    executes the calls anew and has to see the same.

    Args:
        task: The task.
        schemas: Of all its classes.
    """

    def __init__(self, task: TaskData, schemas: Schemas) -> None:
        self._task = task
        self._schemas = {
            name: schema
            for class_name in task.classes
            for name, schema in schemas[class_name].items()
        }
        self._tools = Tools(task)
        self._turns: list[list[str]] = [[]]
        self._completed = False

    def initial_messages(self) -> list[Message]:
        """The tools that are known from the start, and what the user says first."""
        missing = {name for names in self._task.missing.values() for name in names}
        known = [schema for name, schema in self._schemas.items() if name not in missing]
        return [
            {
                "role": "system",
                "content": prompts.system_message(known, library.behaviour_in_turns()),
            },
            {"role": "user", "content": self._user_text()},
        ]

    def step(self, message: Message) -> Observation:
        """Execute the calls of the message; without calls the turn ends."""
        calls = parse_message(message)
        if not calls or self._completed:
            return self._next_turn()
        content = "".join(self._perform(call) for call in calls)
        return prompts.observation(content)

    def save(self) -> bytes:
        """The calls of each turn so far."""
        return encode(self._turns)

    def _perform(self, call: Call) -> str:
        text = call.text
        self._turns[-1].append(text)
        result = {"name": call.id, "content": _content(self._tools.execute(text))}
        return f"<tool_call>\n{_json(result)}\n</tool_call>\n"

    def _next_turn(self) -> Observation:
        if len(self._turns) == len(self._task.turns):
            self._completed = True
            return prompts.completed()
        self._turns.append([])
        return prompts.observation(self._user_text())

    def _user_text(self) -> str:
        turn = len(self._turns) - 1
        text = self._task.turns[turn]
        if text is None:
            return prompts.new_functions(self._schemas[name] for name in self._task.missing[turn])
        return text


def _content(result: str) -> object:
    """A result that is JSON as what it says, so that it is not quoted twice."""
    if result.lstrip().startswith(("{", "[")):
        try:
            return json.loads(result)
        except (ValueError, RecursionError):
            return result
    return result


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # Half of a surrogate pair has no UTF-8, but a JSON escape.
    return text if text.isascii() or _is_utf8(text) else json.dumps(value)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
