"""There is something to play."""

from collections import Counter

from training_sandbox_conformance.subject import Check, Subject, require


def run(subject: Subject) -> str:
    """Compare splits and tools, as they are served, with what the environment says."""
    splits = subject.description.splits
    require("train" in splits, f"there is no split train, only {', '.join(splits) or 'none'}")
    for split, task_ids in splits.items():
        require(bool(task_ids), f"the split {split} has no tasks")
        require(all(task_ids), f"the split {split} has a task id that is empty")
        most, count = Counter(task_ids).most_common(1)[0]
        require(count == 1, f"the split {split} has {most!r} {count} times")
    for split, task_ids in splits.items():
        served = subject.served.call("get_env_profile", params={"split": split})
        require(served == list(task_ids), f"the split {split} is another one when it is served")
    every_id = {task_id for task_ids in splits.values() for task_id in task_ids}
    for example in subject.all_examples:
        require(
            example.task_id in every_id, f"the example {example.task_id!r} is a task of no split"
        )
    tools = subject.served.call("get_info")
    require(isinstance(tools, str) and bool(tools.strip()), "the description of the tools is empty")
    return f"{len(every_id)} tasks in {len(splits)} splits, {len(subject.all_examples)} examples"


CHECK = Check(
    name="tasks",
    promise="Splits have distinct tasks, examples are of them, tools are described",
    remedy="Correct Environment.splits (there must be a split train, which clients ask for by "
    "default), Environment.tools, or the examples.",
    run=run,
)
