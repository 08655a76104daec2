"""The cases; to import this is to know them all."""

from tests.faults.cases import (
    api_server_away,
    bad_answers,
    by_hand,
    clock,
    deep_objects,
    killed,
    late_writes,
    tokens,
    two_operators,
    watches,
)

ALL = (
    killed,
    bad_answers,
    late_writes,
    watches,
    two_operators,
    by_hand,
    tokens,
    clock,
    deep_objects,
    api_server_away,
)
