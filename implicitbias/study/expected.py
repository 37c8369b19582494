"""What a claim expects of a number, and how that reads."""

from implicitbias.study.fits import axis_names, window
from implicitbias.study.groups import VECTORS
from implicitbias.study.keys import Claim
from implicitbias.study.pairs import less

OUTCOMES = ("holds", "fails", "undecided")


def slack(claim: Claim, value: float) -> float:
    """How far inside the expectation a value is; negative outside."""
    if claim.at_least is not None:
        return value - claim.at_least
    if claim.at_most is not None:
        return claim.at_most - value
    return claim.within - abs(value - claim.equal)


def decided(claim: Claim) -> str:
    """What the deciding number of a claim is: "worst cos_l2", "mean of ratio_linf"."""
    what = of_groups(claim) if claim.across else less(claim)
    if claim.over == "mean":
        return f"mean of {what}"
    return what if what.startswith("least") else f"worst {what}"


def of_groups(claim: Claim) -> str:
    """The value of a group."""
    if claim.width is not None:
        return f"half-width of {claim.across} in decades for {claim.measure} within {claim.width:g} of the least"
    if claim.against is not None:
        return f"slope of log({claim.measure}) against log({claim.against}) across {claim.across}"
    name = claim.measure
    return f"{f'least cosine of {VECTORS[name]}' if name in VECTORS else f'range of {name}'} across {claim.across}"


def expectation(claim: Claim) -> str:
    """What the claim expects, in a line: "cos_l2 >= 0.999"."""
    name = less(claim)
    if claim.across:
        name = of_groups(claim)
    elif claim.against is not None:
        y, x = axis_names(claim)
        name = f"slope of {y} against {x}, last {window(claim):g} octaves,"
    if claim.over == "mean":
        name = f"mean of {name}"
    if claim.at_least is not None:
        return f"{name} >= {claim.at_least:g}"
    if claim.at_most is not None:
        return f"{name} <= {claim.at_most:g}"
    return f"{name} = {claim.equal:g} +- {claim.within:g}"
