"""What optimizers of matrices have in common: they see the weights of k classes as a matrix W (k, d)."""

from typing import Any, ClassVar

from implicitbias.optimizers.base import Optimizer
from implicitbias.optimizers.matrix import steepest, tally
from implicitbias.simulation.scales import CLASSES


class MatrixOptimizer(Optimizer):
    """An optimizer of matrices, with a step (w, g, hyper, lr, units, batch, matrix)."""

    mode: ClassVar[int] = CLASSES
    degrees: ClassVar[tuple[int, ...]] = (1,)  # nothing is kept in the units of the driver

    @property
    def scale_free(self) -> bool:
        return True

    def unfit(self, shape: tuple[int, ...]) -> str | None:
        if len(shape) == 1:
            return f"{type(self).__name__} is for matrices: it needs a Multiclass problem, not a binary one"
        if self.largest_rank() > min(shape):
            return (
                f"{self.label} needs singular values up to number {self.largest_rank():g}, but weights of {shape[0]} "
                f"classes and {shape[1]} features have {min(shape)}"
            )
        return None

    def largest_rank(self) -> float:
        """The number of the last singular value that is asked for."""
        return 1.0

    @property
    def advance(self) -> Any:
        return self.driver(True)

    def driver(self, several: bool) -> Any:
        from implicitbias.simulation.shared import with_matrix_step

        return with_matrix_step(self.step)

    def decays(self) -> tuple[float, ...]:
        return (0.0,)


class SteepestOptimizer(MatrixOptimizer):
    """One that moves along a map of its momentum; `hyper` is as `steepest.step` reads it."""

    step: ClassVar = staticmethod(steepest.step)

    def hyper(self) -> tuple[float, ...]:
        found = [0.0] * (steepest.RATIO + 1)
        for place, value in self.parts().items():
            found[place] = float(value)
        return tuple(found)

    def parts(self) -> dict[int, float]:
        """What `steepest.step` reads, by its place there."""
        raise NotImplementedError

    @property
    def sees_samples(self) -> bool:
        """The singular vectors of light samples are found in their weights."""
        parts = self.parts()
        return max(parts[steepest.MAP], parts.get(steepest.SECOND, 0.0)) >= steepest.SPECTRAL

    def rooms(self, k: int, width: int, d: int, n: int) -> tuple[int, int]:
        parts = self.parts()
        memory = k * width + k
        if self.sees_samples and parts[steepest.MU] > 0.0 and not parts.get(steepest.LAST):
            memory += tally.room_for(k, n)
        return memory, steepest.room_for(k, width, d, n)
