"""The two tables of a study and their columns, declared once.

runs     one row a run: what it was, how it ended, the measures at its end, where they come from
curves   one row a snapshot: run_id and the measures of implicitbias.measure
"""

from dataclasses import fields

import pyarrow as pa

from implicitbias.flows import KINDS
from implicitbias.measure import MEASURES, NORMS

# Orders whose predictions differ at the same batch size.
RIVALS = ("reshuffle", "replacement", "cyclic")
STATUSES = ("ok", "diverged", "non_finite", "not_separable", "undecided", "timeout", "error")

_MEASURES = [pa.field(name, pa.int64() if kind is int else pa.float64()) for name, kind in MEASURES.items()]


def _hyper_fields() -> list[pa.Field]:
    """One nullable column for each hyper-parameter of any optimizer."""
    kinds = {item.name: item.type for kind in KINDS.values() for item in fields(kind)}
    return [pa.field(name, pa.bool_() if kind is bool else pa.float64()) for name, kind in sorted(kinds.items())]


CURVES = pa.schema([pa.field("run_id", pa.string()), *_MEASURES])

RUNS = pa.schema(
    [
        pa.field("run_id", pa.string()),
        # what was run: the names the study gives, then the effective values
        pa.field("data", pa.string()),
        pa.field("data_kind", pa.string()),
        pa.field("data_params", pa.string()),  # JSON
        pa.field("data_seed", pa.int64()),
        pa.field("data_digest", pa.string()),
        pa.field("n", pa.int64()),
        pa.field("d", pa.int64()),
        pa.field("optimizer", pa.string()),
        pa.field("optimizer_kind", pa.string()),
        pa.field("label", pa.string()),
        *_hyper_fields(),
        pa.field("lr_eta", pa.float64()),
        pa.field("lr_a", pa.float64()),
        pa.field("lr_t0", pa.float64()),
        pa.field("batch", pa.int64()),
        pa.field("order", pa.string()),
        pa.field("remainder", pa.string()),
        pa.field("steps", pa.int64()),
        pa.field("time", pa.float64()),  # the horizon of a flow, which has no steps
        pa.field("until_log_loss", pa.float64()),
        pa.field("seed", pa.int64()),
        pa.field("loss", pa.string()),
        pa.field("per_octave", pa.int64()),
        pa.field("limit_method", pa.string()),
        # how it ended
        pa.field("status", pa.string()),
        pa.field("message", pa.string()),
        *_MEASURES,
        *(pa.field(f"distance_{norm}", pa.float64()) for norm in NORMS),  # of w / N(w) to the optimal face
        pa.field("w", pa.list_(pa.float64())),
        pa.field("increment", pa.list_(pa.float64())),  # w(t) - w(t/2)
        # what it was measured against: the certified optimum, its gap, whether its maximiser is unique
        *(pa.field(f"gamma_{norm}", pa.float64()) for norm in NORMS),
        *(pa.field(f"gap_{norm}", pa.float64()) for norm in NORMS),
        *(pa.field(f"unique_{norm}", pa.bool_()) for norm in NORMS),
        # where theory says it goes: the rule, its certificate, the direction, its cosines, and those of the last
        # increment to what the rule would be for another batch order
        pa.field("limit_rule", pa.string()),
        pa.field("limit_gap", pa.float64()),
        pa.field("limit_error", pa.float64()),
        pa.field("limit", pa.list_(pa.float64())),
        *(pa.field(f"limit_cos_{norm}", pa.float64()) for norm in NORMS),
        *(pa.field(f"inc_cos_if_{order}", pa.float64()) for order in RIVALS),
        # provenance
        pa.field("kernel_seconds", pa.float64()),
        pa.field("measure_seconds", pa.float64()),
        pa.field("data_read", pa.string()),  # what was read of a data file, and how it was understood
        pa.field("version", pa.string()),
        pa.field("source", pa.string()),
        pa.field("libraries", pa.string()),
        pa.field("machine", pa.string()),
    ]
)
