"""What a person sees."""

import sys

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from training_sandbox_conformance.costs import Costs
from training_sandbox_conformance.outcomes import Outcome, Verdict

_STYLES = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.SKIPPED: "yellow"}
_INDENT = 9

_WIDTH_OF_A_FILE = 100

_console = Console(
    width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE, soft_wrap=True, highlight=False
)


def print_outcome(outcome: Outcome) -> None:
    """A line, and what is to be said of it below."""
    line = Text(f"{outcome.verdict:<8} ", style=_STYLES[outcome.verdict])
    line.append(f"{outcome.check:<14} {outcome.promise}", style="default")
    _console.print(line)
    for text in filter(None, (outcome.text, outcome.remedy and f"To do: {outcome.remedy}")):
        _console.print(Padding(Text(text), (0, 0, 0, _INDENT)), soft_wrap=False)


def print_costs(costs: Costs) -> None:
    """The table of what an episode costs."""
    table = Table("of an episode", "p50", "most", "n", title="Costs, one call at a time")
    for column in table.columns[1:]:
        column.justify = "right"
    for call, times in costs.times.items():
        table.add_row(
            f"{call}, ms", f"{costs.median(call):.1f}", f"{max(times):.1f}", str(len(times))
        )
    memory = "unknown" if costs.pss_mb is None else f"{costs.pss_mb:.1f}"
    table.add_row("memory (PSS), MB", memory, "", "")
    _console.print(table, soft_wrap=False)


def print_summary(name: str, *, failed: bool) -> None:
    """The last line."""
    verdict = "does not keep all promises." if failed else "keeps all promises."
    _console.print(Text(f"{name} {verdict}", style="bold red" if failed else "bold green"))
