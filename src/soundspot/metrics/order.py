"""Order statistics of maps: several of the same maps for little more than one."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating]


class Order:
    """(N, P) -> the values at places of each row's ascending order.

    Rows are put in order only as far as was asked, and what is known already bounds what must be looked through next.
    """

    def __init__(self, values: Scores, into: Scores | None = None) -> None:
        """`into`: an array of the same shape to work in, for who has many; `values` itself if it may be upset."""
        self._rows = np.empty(values.shape, dtype=values.dtype) if into is None else into
        if into is not values:
            np.copyto(self._rows, values)
        self._known: list[int] = []
        """Places, ascending, that hold their value in every row, all lower ones before it."""

    def at(self, place: int) -> Scores:
        """(N, 1): each row's value at `place`, 0 the lowest."""
        index = bisect_left(self._known, place)
        if self._known[index : index + 1] != [place]:
            start, stop = self._around(index)
            # One place a call: NumPy finds several at once many times slower.
            self._rows[:, start:stop].partition(place - start, axis=1)
            self._known.insert(index, place)
        return self._rows[:, place, None].copy()

    def at_each(self, places: npt.NDArray[np.integer]) -> Scores:
        """(N,) -> (N, 1): each row's value at a place of its own."""
        if len(places) and (places == places[0]).all():
            return self.at(int(places[0]))
        found = np.empty((len(self._rows), 1), dtype=self._rows.dtype)
        for row, place in enumerate(places.tolist()):
            index = bisect_left(self._known, place)
            if self._known[index : index + 1] != [place]:
                start, stop = self._around(index)
                self._rows[row, start:stop].partition(place - start)
            found[row] = self._rows[row, place]
        return found

    def mean_of_highest(self, count: int) -> npt.NDArray[np.float64]:
        """(N,): the mean of each row's `count` highest values."""
        pixels = self._rows.shape[1]
        self.at(pixels - count)
        return self._rows[:, pixels - count :].mean(axis=1, dtype=np.float64)

    def _around(self, index: int) -> tuple[int, int]:
        """Where a place is to be looked for that belongs before the known one at `index`."""
        start = self._known[index - 1] + 1 if index else 0
        stop = self._known[index] if index < len(self._known) else self._rows.shape[1]
        return start, stop
