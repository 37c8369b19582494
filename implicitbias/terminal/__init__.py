"""What the command line prints: tables, verdicts, and a progress bar."""

from implicitbias.terminal.measured import print_results
from implicitbias.terminal.plan import print_columns, print_forecast, print_list, print_study
from implicitbias.terminal.results import (
    counted,
    print_catalogue,
    print_reproduction,
    print_summary,
    print_verdicts,
)
from implicitbias.terminal.runs import (
    STATUS_COLUMNS,
    print_collected,
    print_failures,
    print_pace,
    print_readings,
    print_shard,
    print_stale,
    print_status,
)
from implicitbias.terminal.screen import console, literal, progress, said

__all__ = [
    "STATUS_COLUMNS",
    "console",
    "counted",
    "literal",
    "print_catalogue",
    "print_collected",
    "print_columns",
    "print_failures",
    "print_forecast",
    "print_list",
    "print_pace",
    "print_readings",
    "print_reproduction",
    "print_results",
    "print_shard",
    "print_stale",
    "print_status",
    "print_study",
    "print_summary",
    "print_verdicts",
    "progress",
    "said",
]
