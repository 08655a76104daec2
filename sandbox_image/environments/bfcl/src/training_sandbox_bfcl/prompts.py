"""What an agent is told: the tools, how to call them, and when new ones appear."""

from collections.abc import Iterable

from training_sandbox_bfcl import library
from training_sandbox_worker.environment import Message, Observation

COMPLETED = "[CONVERSATION_COMPLETED]"


def observation(content: str, *, terminated: bool = False) -> Observation:
    """What a step is answered."""
    answer: Message = {"role": "user", "content": content, "tool_calls": []}
    return Observation(messages=[answer], terminated=terminated)


def completed() -> Observation:
    """What the last step is answered, and any after it."""
    return observation(COMPLETED, terminated=True)


def system_message(schemas: Iterable[str], *instructions: str) -> str:
    """The system message of a task.

    Args:
        schemas: The tools that are known from the start, each as JSON.
        instructions: What else the model is told, a paragraph each.
    """
    told = "\n\n".join(instructions)
    return f"""# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
{tools(schemas)}

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>

{told}"""


def new_functions(schemas: Iterable[str]) -> str:
    """What the user says in the turn in which missing functions appear."""
    return f"{tools(schemas)}\n{library.more_functions()}"


def tools(schemas: Iterable[str]) -> str:
    """The schemas, one a line, within tags."""
    return "\n".join(("<tools>", *schemas, "</tools>"))
