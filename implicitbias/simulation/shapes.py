"""Weights as users see them, (d,) or (k, d), and as the driver has them: one line of coordinates."""

from dataclasses import dataclass

import numpy as np

from implicitbias.lanes import LANES


@dataclass(frozen=True)
class Shape:
    """Of a matrix each row begins a chunk of lanes: it has d coordinates and zeros up to a multiple of eight.

    >>> shape = Shape((2, 3))
    >>> shape.size, shape.flat(np.ones((2, 3))).nonzero()[0]
    (16, array([ 0,  1,  2,  8,  9, 10]))
    """

    of: tuple[int, ...]

    @property
    def width(self) -> int:
        """Coordinates of a row of weights."""
        return self.of[0] if len(self.of) == 1 else -(-self.of[1] // LANES) * LANES

    @property
    def size(self) -> int:
        return self.width if len(self.of) == 1 else self.of[0] * self.width

    def flat(self, x: np.ndarray) -> np.ndarray:
        """(..., size) from (..., *of)."""
        if len(self.of) == 1:
            return x
        found = np.zeros((*x.shape[:-1], self.width))
        found[..., : self.of[1]] = x
        return found.reshape(*x.shape[:-2], self.size)

    def back(self, x: np.ndarray) -> np.ndarray:
        """(..., *of) from (..., size)."""
        return x if len(self.of) == 1 else x.reshape(*x.shape[:-1], self.of[0], self.width)[..., : self.of[1]]
