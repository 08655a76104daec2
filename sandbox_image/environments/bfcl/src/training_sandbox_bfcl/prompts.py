"""What an agent is told: the tools, how to call them, and when new ones appear."""

from collections.abc import Iterable

from training_sandbox_bfcl import library

COMPLETED = "[CONVERSATION_COMPLETED]"


def system_message(schemas: Iterable[str]) -> str:
    """The system message of a task.

    Args:
        schemas: The tools that are known from the start, each as JSON.
    """
    return f"""# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
{tools(schemas)}

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>

{library.behaviour_in_turns()}"""


def new_functions(schemas: Iterable[str]) -> str:
    """What the user says in the turn in which missing functions appear."""
    return f"{tools(schemas)}\n{library.more_functions()}"


def tools(schemas: Iterable[str]) -> str:
    """The schemas, one a line, within tags."""
    return "\n".join(("<tools>", *schemas, "</tools>"))
