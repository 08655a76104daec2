"""An episode: the assistant's first message answers the question, and ends it."""

from training_sandbox_bfcl import library, prompts
from training_sandbox_bfcl.actions import parse_message
from training_sandbox_bfcl.schemas import as_tool
from training_sandbox_bfcl.single_turn.answer import Answer, decode_calls, encode
from training_sandbox_bfcl.single_turn.tasks import SingleTurnTask
from training_sandbox_worker.environment import Episode, Message, Observation


class SingleTurnEpisode(Episode):
    """Plays one task. Nothing is executed: the functions are descriptions only.

    Args:
        task: The task.
    """

    def __init__(self, task: SingleTurnTask) -> None:
        self._task = task
        self._answers: list[Answer] = []

    def initial_messages(self) -> list[Message]:
        """The tools with what the question's own system message says, and the question."""
        tools = [as_tool(function) for function in self._task.functions]
        of_system = [message for message in self._task.messages if message["role"] == "system"]
        instructions = [library.behaviour_in_one_turn(), *(_text(one) for one in of_system)]
        return [
            {"role": "system", "content": prompts.system_message(tools, *instructions)},
            *({**one} for one in self._task.messages if one not in of_system),
        ]

    def step(self, message: Message) -> Observation:
        """Take the message as the answer; any further one changes nothing."""
        calls = parse_message(message)
        if not self._answers:
            self._answers.append(decode_calls(calls))
        return prompts.completed()

    def save(self) -> bytes:
        """The answer, if there is one yet."""
        return encode(self._answers)


def _text(message: Message) -> str:
    return str(message["content"])
