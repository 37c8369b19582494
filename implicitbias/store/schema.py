"""The two tables of a study and their columns, declared once: what each is and in what unit.

runs     one row a run: what it was, how it ended, the measures at its end, where they come from
curves   one row a snapshot: run_id and the measures

Which measures there are depends on the groups and norms that the study asks for (`implicitbias.measure`). Names, units
and meanings are in the Parquet files too, as the metadata of each field.
"""

import contextlib
import re
from dataclasses import fields
from fnmatch import fnmatchcase
from functools import cache

import pyarrow as pa

from implicitbias.errors import InputError
from implicitbias.flows import KINDS
from implicitbias.margins.norms import WITH_PARAMETER, measurable, usual
from implicitbias.measure import TOP, Measures, groups
from implicitbias.measure.group import Column

# Orders whose predictions differ at the same batch size.
RIVALS = ("reshuffle", "replacement", "cyclic")
STATUSES = ("ok", "diverged", "non_finite", "not_separable", "undecided", "timeout", "error")
_TYPES = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string(), list: pa.list_(pa.float64())}

_KINDS = {bool: bool, "bool": bool, str: str, "str": str}  # of hyper-parameters; the others are numbers

_RUN_ID = Column("run_id", str, "", "hash of everything that decides the result of a run")
_CLASSES = Column("k", int, "classes", "number of classes; only in tables of runs on Multiclass data")
_AFTER = Column("after", str, "JSON", "what the run goes on from: another optimizer, and for how many steps")
_SCHEDULE = Column(
    "lr_schedule", str, "JSON", "schedule of the step size, and its own numbers; missing for eta (t + t0)^-a"
)


def _hyper_columns() -> list[Column]:
    """One nullable column for each hyper-parameter of any optimizer."""
    kinds = {item.name: item.type for kind in KINDS.values() for item in fields(kind)}
    owners = {
        name: [kind.__name__ for kind in KINDS.values() if name in {item.name for item in fields(kind)}]
        for name in kinds
    }
    return [
        Column(name, _KINDS.get(kind, float), "", f"hyper-parameter of {', '.join(owners[name])}")
        for name, kind in sorted(kinds.items())
    ]


def _what_was_run(matrices: bool) -> list[Column]:
    return [
        _RUN_ID,
        Column("data", str, "", "what the study calls the data"),
        Column("data_kind", str, "", "the family of the data"),
        Column("data_params", str, "JSON", "its parameters"),
        Column("data_seed", int, "", "its seed"),
        Column("data_digest", str, "", "hash of the rows"),
        Column("n", int, "samples", "number of rows"),
        Column("d", int, "features", "number of coordinates"),
        *([_CLASSES] if matrices else []),
        Column("optimizer", str, "", "what the study calls the optimizer"),
        Column("optimizer_kind", str, "", "which optimizer or flow it is"),
        Column("label", str, "", "the optimizer with the hyper-parameters that are not at their defaults"),
        *_hyper_columns(),
        Column("lr_eta", float, "", "eta of the step size eta (t + t0)^-a"),
        Column("lr_a", float, "", "a of the step size; 0 is a constant one"),
        Column("lr_t0", float, "updates", "t0 of the step size"),
        _SCHEDULE,
        Column("batch", int, "samples", "batch size"),
        Column("order", str, "", "order of the batches"),
        Column("remainder", str, "", "what happens to the last n mod batch rows of an epoch: drop or keep"),
        Column("steps", int, "updates", "the horizon; missing for a flow"),
        Column("time", float, "time", "the horizon of a flow"),
        Column("until_log_loss", float, "", "level of log_loss at which the run stops"),
        Column("seed", int, "", "seed of the batch order"),
        Column("loss", str, "", "logistic or exponential"),
        Column("per_octave", int, "", "snapshots per doubling of the clock"),
        _AFTER,
        Column("limit_method", str, "", "how the limit is predicted: theory, numerical or none"),
        Column("status", str, "", f"how the run ended: {', '.join(STATUSES)}"),
        Column("message", str, "", "what went wrong, if something did"),
    ]


_VECTORS = [
    Column("w", list, "", "the iterate at the end"),
    Column("increment", list, "", "w(t) - w(t/2) at the end"),
]
VECTORS = ("w", "increment", "limit")

_PROVENANCE = [
    Column("kernel_seconds", float, "seconds", "time in the compiled driver, shared equally by the runs of a block"),
    Column("measure_seconds", float, "seconds", "time for separators, limits and measures"),
    Column("data_read", str, "", "what was read of a data file, and how it was understood"),
    Column("version", str, "", "version of implicitbias"),
    Column("source", str, "", "hash of its source"),
    Column("libraries", str, "", "versions of Python and the libraries"),
    Column("machine", str, "", "system, processor and number of cores"),
]


def _rivals(measures: Measures) -> list[Column]:
    words = "cosine between the last increment and what the limit would be, for eps = 0, for the order"
    return [
        Column(f"inc_cos_if_{order}", float, "", f"{words} {order}") for order in RIVALS if "limit" in measures.groups
    ]


def run_columns(measures: Measures) -> list[Column]:
    """The columns of the table of runs."""
    ends, data = measures.end_columns(), measures.data_columns()
    rivals = [] if measures.matrices else _rivals(measures)
    return [*_what_was_run(measures.matrices), *measures.columns(), *ends, *_VECTORS, *data, *rivals, *_PROVENANCE]


def curve_columns(measures: Measures) -> list[Column]:
    """The columns of the table of snapshots."""
    return [_RUN_ID, *measures.columns()]


@cache
def optional() -> frozenset[str]:
    """Columns that may be left out where no row has them: hyper-parameters, and what few optimizers have."""
    rare = groups()["residual"].columns(USUAL.norms)
    return frozenset(column.name for column in (*_hyper_columns(), _SCHEDULE, _AFTER, *rare))


@cache
def schemas(measures: Measures) -> dict[str, pa.Schema]:
    """The schemas of the tables "runs" and "curves"."""
    tables = {"runs": run_columns(measures), "curves": curve_columns(measures)}
    return {name: pa.schema([_field(column) for column in columns]) for name, columns in tables.items()}


def _field(column: Column) -> pa.Field:
    unit = {"unit": column.unit} if column.unit else {}
    return pa.field(column.name, _TYPES[column.kind], metadata={**unit, "description": column.says})


def columns(pattern: str = "*"):
    """What the columns of the tables are: the data dictionary.

    Arguments: pattern, a name with * for any letters; with a norm such as l1.5 in it, the columns of that norm too,
    and with a number as in log_lambda_5, those up to it
    Returns a DataFrame with a row a column: name, table ("runs", or "runs, curves"), type, unit, meaning.

    >>> columns("ratio_l2").iloc[0].to_dict()["meaning"]
    'margin_l2 over its certified optimum: 1 at a l2 max-margin direction'
    """
    import pandas as pd

    from implicitbias.objectives import FORMS

    top = max((int(x) for x in re.findall(r"lambda_(\d{1,3})", pattern)), default=TOP)
    every = [_with([x[0] for x in re.finditer(WITH_PARAMETER, pattern)], matrices, top) for matrices in (False, True)]
    of_objectives = [name for name, group in groups().items() if group.by_name and group.objectives]
    every += [Measures.of(of_objectives, objective=name, top=max(top, TOP)) for name, x in FORMS.items() if x.readings]
    of_curves = {column.name for measures in every for column in curve_columns(measures)}
    known = {column.name: column for measures in every for column in run_columns(measures)}
    rows = [
        {
            "name": column.name,
            "table": "runs, curves" if column.name in of_curves else "runs",
            "type": "vector" if column.kind is list else column.kind.__name__,
            "unit": column.unit,
            "meaning": column.says,
        }
        for column in known.values()
        if fnmatchcase(column.name, pattern)
    ]
    return pd.DataFrame(rows, columns=["name", "table", "type", "unit", "meaning"])


def _with(asked: list[str], matrices: bool, top: int) -> Measures:
    """All measures, with those of the norms that there are among the asked ones."""
    norms = list(usual(matrices))
    for name in asked:
        with contextlib.suppress(InputError):
            norms.append(measurable(name, matrices))
    return Measures.every(norms, matrices, max(top, TOP))


USUAL = Measures.of()
RUNS, CURVES = schemas(USUAL).values()  # of a study that asks for nothing in particular
