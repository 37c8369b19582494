"""Optimizers kept in the top of the spectrum of the Hessian, or out of it (Song, Ahn, Yun, arXiv 2405.16002)."""

from typing import ClassVar

from implicitbias.errors import InputError
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.around import Around, around, wrap
from implicitbias.optimizers.base import Optimizer, choice, count
from implicitbias.optimizers.ngd import NGD
from implicitbias.optimizers.sam import SAM
from implicitbias.optimizers.sgd import SGD
from implicitbias.optimizers.signum import Signum

SIDES = ("dominant", "bulk")


class InSubspace(Around):
    """The base's own step and state; the driver projects what the step adds to w."""

    sees_hessian: ClassVar[bool] = True
    moves: ClassVar[bool] = False  # the Hessian is that of where w is

    @property
    def keeper(self) -> type[Optimizer]:
        return self.base_kind

    @property
    def label(self) -> str:
        told = {"rank": 2.0, "every": 1.0}
        more = "".join(
            f", {name}={getattr(self, name):g}" for name, usual in told.items() if getattr(self, name) != usual
        )
        return f"{'Bulk' if self.side == 'bulk' else 'Dom'}({self.base.label}{more})"

    @property
    def advance(self):
        return self.driver(False)

    def driver(self, several: bool):
        from implicitbias.simulation.subspace import within

        return within(self.step, self.step_mode, several)

    def hyper(self) -> tuple[float, ...]:
        return (*self.base.hyper(), self.rank, float(SIDES.index(self.side)), self.every)

    def rooms(self, k: int, width: int, d: int, n: int) -> tuple[int, int]:
        from implicitbias.simulation.top_space import rooms

        return rooms(k, width, d, n, int(self.rank))

    def too_few(self, shape: tuple[int, ...], n: int) -> str | None:
        most = min(n, shape[-1]) * (shape[0] - 1 if len(shape) > 1 else 1)
        if self.rank <= most:
            return None
        several = f" and k = {shape[0]}" if len(shape) > 1 else ""
        return (
            f"{self.label} asks for {self.rank:g} eigenvectors of the Hessian, which has rank {most} at most with "
            f"n = {n}, d = {shape[-1]}{several}"
        )


_TEXT = """w = w + P u, or w + (I - P) u, with u the update of the base and P the projector on `rank` top eigenvectors.

Source: arXiv 2405.16002."""

_KINDS = {
    base: around(
        "Subspace", base, _TEXT, {"rank": count(2), "side": choice("dominant", SIDES), "every": count(1)}, (),
        looks=base.evaluations, own_decays=(), make_step=lambda step: step, above=InSubspace,
        called="{base}In{outer}",
    )
    for base in (SGD, NGD, Signum, Adam, SAM)
}  # fmt: skip
KINDS = tuple(_KINDS.values())
globals().update({kind.__name__: kind for kind in KINDS})  # where pickle looks for them


def Subspace(base: Optimizer, k: int = 2, side: str = "dominant", every: int = 1) -> Around:
    """An optimizer whose updates are kept in the top of the spectrum of the Hessian ("Dom"), or out of it ("Bulk").

    u = the update of `base`, from the gradient of its batch and its own state
    w = w + P_k u,  or, with side "bulk",  w + (I - P_k) u

    with P_k the projector on the k top eigenvectors of the Hessian of the loss of all rows at w, of a Multiclass
    problem that of the entries of W. The base and its state know nothing of the projection: the momentum is that of all
    gradients. Dom and Bulk updates from one place add up to that of the base. Where H has fewer than k eigenvalues
    above 0, P_k is on their eigenvectors.

    Subspaces of either side and any rank, and the base alone, take over from each other with `simulate(start=run)`:
    iterate, state, clock and batches go on, so that branches differ in what is projected alone.

    Arguments
        base    an SGD, NGD, Signum, Adam or SAM
        k       a whole number >= 1, the rank of P_k, and at most the largest that H can have: min(n, d), of c classes
                (c - 1) times that. As a hyper-parameter it is `rank`, for in tables k is the number of classes
        side    "dominant" or "bulk"
        every   a whole number >= 1: the eigenvectors are found anew at the base's steps 0, every, 2 every, ...

    Returns an optimizer; in a study it is of the kind subspace_sgd, subspace_adam, ... with rank, side, every and the
    hyper-parameters of its base. One step takes that of the base and a look on all rows, of the order of n d^2 + d^3
    operations with min(n, d) for d, of c classes c d. There is no theory of its limit.
    Errors: ``InputError`` for a base it does not fit, a k, side or every that is wrong; `simulate` refuses a k beyond
    the rank of H.

    >>> Subspace(Adam(beta2=0.95), k=4, side="bulk").label
    'Bulk(Adam(0.9, 0.95), rank=4)'

    Source: arXiv 2405.16002, section 4 and Algorithms 1 and 2.
    """
    try:
        return wrap("Subspace", _KINDS, base, {"rank": k, "side": side, "every": every})
    except InputError as error:
        known = {f"{name} of {kind.__name__}": f"{told} of Subspace" for kind in KINDS for name, told in _TOLD.items()}
        raise InputError([_renamed(mistake, known) for mistake in error.mistakes]) from None


_TOLD = {"rank": "k", "side": "side", "every": "every"}


def _renamed(mistake: str, names: dict[str, str]) -> str:
    """A mistake in the words of what was called."""
    return next((told + mistake[len(name) :] for name, told in names.items() if mistake.startswith(name)), mistake)


def SubspaceSGD(
    k: int = 2, side: str = "dominant", every: int = 1, momentum: float = 0.0, nesterov: bool = False
) -> Around:
    """Dom-SGD and Bulk-SGD: `Subspace` around SGD, whose help says all of it.

    w = w - lr P_k g,  or, with side "bulk",  w - lr (I - P_k) g

    Arguments: k, side, every, as of `Subspace`; momentum, nesterov, as of SGD
    Returns an optimizer, in a study of the kind subspace_sgd. Errors: ``InputError`` as `Subspace` and SGD.

    >>> SubspaceSGD(k=2, side="bulk") == Subspace(SGD(), k=2, side="bulk")
    True

    Source: arXiv 2405.16002.
    """
    return Subspace(SGD(momentum, nesterov), k, side, every)
