"""What an environment says about itself, asked in its own venv."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from training_sandbox_conformance.outcomes import KitError

_PROGRAM = Path(__file__).with_name("tell.py")

Message = dict[str, object]


@dataclass(frozen=True, slots=True)
class Example:
    """Two ways to play a task; see `training_sandbox_worker.examples.Example`."""

    task_id: str
    right: Sequence[Message]
    wrong: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Description:
    """What an environment has.

    Attributes:
        name: Its own name.
        splits: The task ids of each split.
        readable: The absolute paths that episodes may read, Python's own included.
        truth: The absolute paths that only evaluations may read.
    """

    name: str
    splits: Mapping[str, Sequence[str]]
    readable: Sequence[Path]
    truth: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment in a venv.

    Attributes:
        name: Its name, or `module:Class`.
        python: The interpreter of its venv.
        examples_function: `module:function` instead of the entry point that gives its examples.
        settings: Environment variables of its processes, beside the inherited ones.
    """

    name: str
    python: Path
    examples_function: str | None
    settings: Mapping[str, str]

    def examples(self) -> list[Example]:
        """Its examples.

        Raises:
            KitError: There are none.
        """
        function = [self.examples_function] if self.examples_function else []
        told = cast("list[dict[str, object]]", self._ask("examples", self.name, *function))
        if not told:
            raise KitError(f"{self.name} gives no examples; the checks have nothing to play")
        return [
            Example(
                task_id=str(one["task_id"]),
                right=cast("list[Message]", one["right"]),
                wrong=cast("list[Message]", one["wrong"]),
            )
            for one in told
        ]

    def describe(self) -> Description:
        """What it has.

        Raises:
            KitError: It cannot be loaded.
        """
        told = cast("dict[str, object]", self._ask("environment", self.name))
        return Description(
            name=str(told["name"]),
            splits=cast("dict[str, list[str]]", told["splits"]),
            readable=[Path(path) for path in cast("list[str]", told["readable"])],
            truth=[Path(path) for path in cast("list[str]", told["truth"])],
        )

    def _ask(self, *arguments: str) -> object:
        try:
            asked = subprocess.run(  # noqa: S603 (the author's own interpreter)
                [self.python, "-P", _PROGRAM, *arguments],
                env=dict(self.settings),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise KitError(f"{self.python} cannot be run: {error.strerror}") from error
        if asked.returncode != 0:
            last = "\n".join(asked.stderr.strip().splitlines()[-8:])
            raise KitError(f"{self.name} does not tell its {arguments[0]}:\n{last}")
        return json.loads(asked.stdout)


def sample(examples: Sequence[Example], size: int) -> list[Example]:
    """Some of the examples, always the same ones: evenly spread over all, the first among them."""
    count = min(size, len(examples))
    return [examples[number * len(examples) // count] for number in range(count)]
