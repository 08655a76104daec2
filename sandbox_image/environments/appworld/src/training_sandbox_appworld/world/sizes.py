"""How large a world is."""

from dataclasses import dataclass

DEFAULT_ROWS = 300_000
SMALL_ROWS = 4_000
LARGEST_ROWS = 500_000

_FEWEST_PEOPLE = 12
_MOST_PEOPLE = 100
_ROWS_FOR_A_PERSON = 3_000


@dataclass(frozen=True, slots=True)
class WorldSize:
    """The size of a world.

    Attributes:
        rows: About how many rows the databases of all apps have together.
        tasks_per_scenario: How many tasks each family has in each split.
    """

    rows: int
    tasks_per_scenario: int

    def __post_init__(self) -> None:
        if not SMALL_ROWS <= self.rows <= LARGEST_ROWS:
            raise ValueError(f"rows must be from {SMALL_ROWS} to {LARGEST_ROWS}, found {self.rows}")

    @property
    def people(self) -> int:
        """The number of people; every one of them has an account in every app."""
        return max(_FEWEST_PEOPLE, min(_MOST_PEOPLE, self.rows // _ROWS_FOR_A_PERSON))


def small_size() -> WorldSize:
    """A world for tests: made in seconds, 32 tasks."""
    return WorldSize(rows=SMALL_ROWS, tasks_per_scenario=1)


def full_size(rows: int = DEFAULT_ROWS) -> WorldSize:
    """A world of the scale of AppWorld's own data: 96 tasks."""
    return WorldSize(rows=rows, tasks_per_scenario=3)
