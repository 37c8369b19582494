"""MARS (Yuan et al., arXiv 2411.10438): variance reduction by the gradient of the same batch a step ago."""

from implicitbias.jit import hot, inlined
from implicitbias.lanes import load, select, store
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.around import Around, around, wrap
from implicitbias.optimizers.base import Optimizer, choice, nonnegative
from implicitbias.optimizers.lion import Lion
from implicitbias.optimizers.matrix import Muon
from implicitbias.optimizers.matrix import mars as matrix_mars
from implicitbias.optimizers.matrix.newton_schulz import POLYNOMIALS
from implicitbias.optimizers.parts import copy_to, length_of, swap
from implicitbias.optimizers.signum import Signum
from implicitbias.simulation.tail import times_pow2_lanes


@hot
def true_length(g, units, room, wide):
    """||g||_2 of each run without its units; infinite beyond float64."""
    for c in range(g.shape[0]):
        store(room, c, true_size(g, units, c))
    return length_of(room, wide)


@hot
def true_size(g, units, c):
    x = load(g, c)
    power = load(units.origin, c) + (load(units.expo, c) + units.shift)
    return select(x == 0.0, 0.0, times_pow2_lanes(x, power))


def _step(base):
    @inlined
    def step(w, g, state, hyper, lr, bias, units, batch):
        before, held = state[0], state[1]
        if batch.phase == 0:
            copy_to(g, held)
            swap(w, before)
        else:
            swap(w, before)
            beta = load(hyper, 1)
            share = load(hyper, 0) * beta / (1.0 - beta)
            for c in range(g.shape[0]):
                gradient = load(held, c)
                store(g, c, gradient + share * (gradient - load(g, c)))
            size = true_length(g, units, batch.squares, batch.wide)
            clip = select(size > 1.0, 1.0 / size, 1.0)
            for c in range(g.shape[0]):
                store(g, c, clip * load(g, c))
            copy_to(w, before)
            base(w, g, state[2:], hyper[1:], lr, bias, units, batch)

    return step


_TEXT = """The base on  c = g + gamma beta1 / (1 - beta1) (g - g at the iterate before, on the same batch).

Source: arXiv 2411.10438."""

_KINDS = {
    base: around(
        "MARS", base, _TEXT, {"gamma": nonnegative(0.025)}, (0, 1), points=(0,),
        looks=("batch", "batch"), own_decays=(1.0, 0.0), make_step=_step,
        scale_free=False,  # a gradient is clipped at a length of 1
    )
    for base in (Adam, Lion, Signum)
}  # fmt: skip


def _rooms(optimizer, k: int, width: int, d: int, n: int) -> tuple[int, int]:
    memory, room = optimizer.base.rooms(k, width, d, n)
    return memory + 2 * k * width + k, max(room, k + k * width)


_KINDS[Muon] = around(
    "MARS", Muon, _TEXT, {"gamma": nonnegative(0.025)}, (), looks=("batch", "batch"), own_decays=(),
    make_step=lambda base: matrix_mars.step, rooms=_rooms, scale_free=False,
    # The corrected gradient is no sum of samples with weights >= 0, as the exact polar factor is taken from.
    instead={"polar": choice("quintic", tuple(POLYNOMIALS))},
)  # fmt: skip
MARSAdam, MARSLion, MARSSignum, MARSMuon = KINDS = tuple(_KINDS.values())


def MARS(base: Optimizer, gamma: float = 0.025) -> Around:
    """MARS: the gradient is corrected by how that of the same batch has changed over the last step.

    c = g_t + gamma beta1 / (1 - beta1) (g_t - g_t'),  scaled to norm 1 if it is longer
    w by `base` with c in the place of the gradient

    where g_t' is the gradient on the same batch at the iterate before, and beta1 that of the base (Signum's beta,
    Muon's momentum).

    Arguments
        base    Adam, Lion or Signum; or, of a Multiclass problem, Muon with a Newton-Schulz polar (MARS-Shampoo)
        gamma   strength of the correction, >= 0; MARS(base, 0) is the base, up to the clipping

    Returns an optimizer; in a study it is of the kind mars_adam, mars_lion, mars_signum or mars_muon.
    Errors: ``InputError`` for a base it does not fit, or a gamma out of range.

    >>> MARS(Signum(beta=0.9), gamma=1.0).label
    'MARS(Signum, gamma=1)'

    Source: arXiv 2411.10438, Algorithm 1.
    """
    return wrap("MARS", _KINDS, base, {"gamma": gamma})
