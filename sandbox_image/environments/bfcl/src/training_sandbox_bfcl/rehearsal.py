"""Plays a few tasks in the zygote before any fork, so that episodes need not import or compile.

Evaluation is rehearsed with a made-up truth: nothing that is expected of a task gets into the
memory that episodes are forked from.
"""

from collections.abc import Iterable

from training_sandbox_bfcl import evaluation
from training_sandbox_bfcl.data import CLASSES, parse_task
from training_sandbox_bfcl.episode import BfclEpisode
from training_sandbox_bfcl.schemas import Schemas
from training_sandbox_bfcl.single_turn import answer
from training_sandbox_bfcl.single_turn.episode import SingleTurnEpisode
from training_sandbox_bfcl.single_turn.evaluation import matches
from training_sandbox_bfcl.single_turn.tasks import SingleTurnTask

_MESSAGES = (
    '<tool_call>\n{"name": "no_such_function", "arguments": {"a": [1, "two"]}}\n</tool_call>',
    "<tool_call>\nno call\n</tool_call>",
    "Done.",
)
_MADE_UP = ("no_such_function(a=[1, -2.0, {'b': None}])",)


def rehearse(tasks: Iterable[str], schemas: Schemas) -> None:
    """Play and evaluate one task for each class of tools."""
    texts = list(tasks)
    for class_name in CLASSES:
        task = parse_task(next(text for text in texts if f'"{class_name}"' in text))
        episode = BfclEpisode(task, schemas)
        episode.initial_messages()
        for content in _MESSAGES:
            episode.step({"role": "assistant", "content": content})
        episode.save()
        made_up = [_MADE_UP for _ in task.turns]
        evaluation.score(task, made_up, made_up)


def rehearse_single_turn(task: SingleTurnTask) -> None:
    """Play and evaluate one task."""
    episode = SingleTurnEpisode(task)
    episode.initial_messages()
    episode.step({"role": "assistant", "content": _MESSAGES[0]})
    (played,) = answer.decode(episode.save())
    matches(task, played or (), [{"no_such_function": {}}])
