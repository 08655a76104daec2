"""What an agent is told: the system message of a task, and the description of the tool.

The texts are templates of `string.Template`. In form they follow the prompts that AppWorld's
authors published with it (a conversation with `USER:` and `ASSISTANT:` turns), because models are
trained on that form. They say nothing that is not known to the agent's supervisor: no ground truth.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template

_TURN = "USER:"


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The person whom the agent works for."""

    first_name: str
    last_name: str
    email: str
    phone_number: str


def system_prompt(
    supervisor: Supervisor,
    app_descriptions: Mapping[str, str],
    *,
    simple: bool,
    with_example: bool,
) -> str:
    """The system message of a task.

    Args:
        supervisor: Whom the agent works for.
        app_descriptions: What each app is for.
        simple: The agent answers with plain code instead of a ```python block.
        with_example: False: only the last turn, for agents that know the rest.
    """
    descriptions = [
        {"name": app, "description": description} for app, description in app_descriptions.items()
    ]
    prompt = Template(_read("simple.txt" if simple else "blocks.txt")).substitute(
        first_name=supervisor.first_name,
        last_name=supervisor.last_name,
        email=supervisor.email,
        phone_number=supervisor.phone_number,
        app_descriptions=json.dumps(descriptions, indent=1),
    )
    return prompt if with_example else prompt.rpartition(_TURN)[2]


def tools() -> str:
    """The description of the one tool that an agent has."""
    return _read("tools.txt")


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
