"""The table of fitted slopes: what the claims about rates rest on."""

import numpy as np
import pandas as pd

from implicitbias.report.tables import LINE
from implicitbias.study.claims import Verdict
from implicitbias.study.fits import Fit, axis_names, decimals


def table(runs: pd.DataFrame, outcomes: list[Verdict]) -> list[dict]:
    """A row for each line of runs and law fitted to it: the claims that rest on it, the axes, the names of the line,
    how many fits, and in words the mean slope with the deviation over seeds, the largest error and the largest drift.
    """
    found: dict = {}
    for number, verdict in enumerate(outcomes, start=1):
        part = runs[runs["run_id"].isin(verdict.fits)]
        for keys, group in part.groupby(LINE, sort=False):
            fits = tuple(verdict.fits[name] for name in group["run_id"])
            claims, _ = found.setdefault((axis_names(verdict.claim), keys, fits), ([], fits))
            claims.append(str(number))
    return [
        {"claims": ", ".join(claims), "axes": " against ".join(axes), **dict(zip(LINE, keys)), **_words(fits)}
        for (axes, keys, _), (claims, fits) in found.items()
    ]


def _words(fits: tuple[Fit, ...]) -> dict:
    slopes = np.array([fit.slope for fit in fits])
    error = max(fit.error for fit in fits)
    digits = decimals(error)
    deviation = f" ± {slopes.std(ddof=1):.{digits}f}" if len(fits) > 1 else ""
    drift = max((fit.drift for fit in fits), key=abs)
    slope = f"{slopes.mean():.{digits}f}{deviation}"
    return {"count": len(fits), "slope": slope, "error": f"{error:.1g}", "drift": f"{drift:+.1g}"}
