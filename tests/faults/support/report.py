"""The table of cases and counts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.support.history import History, Wrongs
from tests.faults.support.seen import INSTANCES, PODS, SECRETS

RESULT = Path("build/faults.json")


@dataclass(frozen=True)
class Row:
    """One case.

    Attributes:
        faults: how many calls were answered badly, or streams cut.
        writes: by the operators, as the proxies have seen them; events and leases aside.
        tokens: how many Secrets or Ready instances were not as they should be.
        over_created: how many pods a pool made when it had enough.
    """

    case: str
    kills: int
    faults: int
    writes: int
    instances: int
    pods: int
    secrets: int
    duplicates: int
    leaks: int
    early: int
    double_claims: int
    contradictions: int
    tokens: int
    over_created: int


class Report:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rows: list[Row] = []

    def add(
        self, case: str, history: History, wrongs: Wrongs, *, kills: int, faults: int, writes: int
    ) -> None:
        self.rows.append(
            Row(
                case=case,
                kills=kills,
                faults=faults,
                writes=writes,
                instances=history.count(INSTANCES),
                pods=history.count(PODS),
                secrets=history.count(SECRETS),
                duplicates=len(wrongs.duplicates),
                leaks=len(wrongs.leaks),
                early=len(wrongs.early),
                double_claims=len(wrongs.double_claims),
                contradictions=len(wrongs.contradictions),
                tokens=len(wrongs.tokens),
                over_created=len(wrongs.over_created),
            )
        )

    def write(self) -> None:
        RESULT.parent.mkdir(exist_ok=True)
        total: Counter[str] = Counter()
        for row in self.rows:
            total.update({k: v for k, v in asdict(row).items() if isinstance(v, int)})
        document = {"seed": self.seed, "total": total, "cases": [asdict(row) for row in self.rows]}
        RESULT.write_text(json.dumps(document, indent=2) + "\n")

    def lines(self) -> list[str]:
        heads = list(Row.__annotations__)
        table = [heads, *([str(value) for value in asdict(row).values()] for row in self.rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(heads))]
        return [
            "  ".join(
                cell.ljust(width) if not column else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
