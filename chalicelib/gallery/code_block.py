"""Holds the codes of faces that share a scale, and finds those that can be near some probes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.gallery.code_bounds import SHIFT, Found, Ids, Probe, first_slice
from chalicelib.gallery.products import products

Codes = NDArray[np.int8]
SetIds = NDArray[np.int32]
Products = NDArray[np.int32]
Limits = NDArray[np.float64]
# A probe, and what was found of it so far.
Asked = tuple[Probe, Found]

# Enough for the fixed costs of a block, few enough that its products stay in the processor's cache.
BLOCK_FACES = 262_144
# Faces multiplied with several probes at once: fewer, as there are more products.
PART_FACES = 32_768
FIRST_CAPACITY = 256
GROWTH = 1.5
# Faces in a tile: as many as a kernel of AVX-512 multiplies at once.
TILE = 64
# In a smaller block, slicing costs more than it saves.
LEAST_SLICED = 8_192
# If the first slice leaves more than one face in FEW, looking at the others one by one costs more than it saves.
FEW = 64
LEAST_INT32 = -(2**31)


class Coded(NamedTuple):
    """Faces that share a scale. `residual` is their largest |x - s c|; `sets` holds their face sets' numbers."""

    exponent: int
    residual: float
    ids: Ids
    codes: Codes
    sets: SetIds


class Block:
    """Faces of one scale, each with a place from 0 on.

    Codes are stored in tiles, TILE faces each, for two slices of the dimensions: arrays of tiles x dimensions x TILE.
    So the kernels read the codes in the order in which they lie in memory, and may read the first slice alone.

    With p = u - SHIFT, |2 p - c|^2 = (|c|^2 + 4 SHIFT sum(c)) - 4 u c + |2 p|^2. The term in brackets does not depend
    on the probe. A quarter of it, rounded down, is stored for each slice, so that comparing needs no multiplication.
    """

    def __init__(self, exponent: int, dimension: int) -> None:
        self.exponent = exponent
        self.count = 0
        first = first_slice(dimension)
        # The dimensions at which one slice ends and another begins.
        self._ends = [first] if first < dimension else []
        tiles = -(-FIRST_CAPACITY // TILE)
        sizes = np.diff([0, *self._ends, dimension]).tolist()
        self._slices = [np.zeros((tiles, size, TILE), np.int8) for size in sizes]
        self._terms = [np.zeros((tiles, TILE), np.int32) for _ in self._slices]
        self.ids: Ids = np.zeros(tiles * TILE, np.int64)
        self._sets: SetIds = np.zeros(tiles * TILE, np.int32)

    @property
    def is_full(self) -> bool:
        return self.count >= BLOCK_FACES

    def append(self, coded: Coded, start: int) -> int:
        """Add faces from `start` on while there is room; return how many were added."""
        taken = min(len(coded.ids) - start, BLOCK_FACES - self.count)
        end = self.count + taken
        if end > len(self.ids):
            self._grow(min(BLOCK_FACES, max(end, int(GROWTH * len(self.ids)))))
        places = np.arange(self.count, end)
        codes = coded.codes[start : start + taken]
        for held, terms, part in zip(self._slices, self._terms, np.split(codes, self._ends, axis=1), strict=True):
            tiles, columns = np.divmod(places, TILE)
            held[tiles, :, columns] = part
            terms.ravel()[places] = _terms(part)
        self.ids[places] = coded.ids[start : start + taken]
        self._sets[places] = coded.sets[start : start + taken]
        self.count = end
        return taken

    def remove(self, ids: Ids) -> None:
        """Move the last faces into the gaps and zero the places that they leave."""
        held: list[NDArray[Any]] = [self.ids, self._sets, *(terms.ravel() for terms in self._terms)]
        # By place, as views of n x dimensions.
        codes: list[Codes] = [part.swapaxes(1, 2) for part in self._slices]
        for place in np.flatnonzero(np.isin(self.ids[: self.count], ids))[::-1].tolist():
            last = self.count - 1
            for values in held:
                values[place] = values[last]
                values[last] = 0
            for part in codes:
                part[divmod(place, TILE)] = part[divmod(last, TILE)]
                part[divmod(last, TILE)] = 0
            self.count = last

    def near(self, probes: Sequence[Probe], found: Sequence[Found], set_id: int) -> None:
        """Add to `found` a set's faces that can be within reach of each probe."""
        step = PART_FACES if len(probes) > 1 else BLOCK_FACES
        asked = list(zip(probes, found, strict=True))
        ends = range(step, self.count + step, step)
        parts = (slice((end - step) // TILE, -(-min(end, self.count) // TILE)) for end in ends)
        left = _joined([left for tiles in parts for left in self._near(tiles, asked, set_id)])
        for number, (probe, one) in enumerate(asked):
            own = left if len(asked) == 1 else left.only(left.numbers == number)
            if len(own.places):
                one.add(self.ids[own.places], *probe.bounds(own.squares))

    def _near(self, tiles: slice, asked: Sequence[Asked], set_id: int) -> Iterator[_Left]:
        """Judge the faces of some tiles by their first slice, and by both for probes that it leaves too many."""
        product = self._products(tiles, asked, 0)
        can_slice = self.count >= LEAST_SLICED and len(self._slices) > 1
        sliced = np.array([can_slice and one.sliced for _, one in asked])
        many = ~sliced
        if sliced.any():
            farthest, squares = _limits(asked, [probe.first_square for probe, _ in asked])
            left = self._left(tiles, product, np.where(sliced, farthest, -1.0), squares, set_id)
            counts = np.bincount(left.numbers, minlength=len(asked))
            many |= counts * FEW > product.shape[0] * TILE
            for number in np.flatnonzero(many).tolist():
                asked[number][1].sliced = False
            yield self._by_both_slices(left.only(~many[left.numbers]), asked, farthest)
        if many.any():
            chosen = [one for one, is_chosen in zip(asked, many.tolist(), strict=True) if is_chosen]
            product = product if len(chosen) == len(asked) else product[:, many]
            if len(self._slices) > 1:
                np.add(product, self._products(tiles, chosen, 1), out=product)
            left = self._left(tiles, product, *_limits(chosen, [probe.square for probe, _ in chosen]), set_id)
            yield left._replace(numbers=np.flatnonzero(many)[left.numbers])

    def _products(self, tiles: slice, asked: Sequence[Asked], number: int) -> Products:
        """Return u c - terms of each face with each probe, for one slice of the dimensions: tiles x probes x TILE."""
        shifted = np.concatenate([probe.shifted[number] for probe, _ in asked])
        multiplied = products(shifted, self._slices[number][tiles])
        return np.subtract(multiplied, self._terms[number][tiles, None], out=multiplied)

    def _left(self, tiles: slice, product: Products, farthest: Limits, squares: Ids, set_id: int) -> _Left:
        """Return a set's faces with |2 p - c|^2 of perhaps at most `farthest`; `squares` are |2 p|^2 of the probes."""
        least = np.ceil(np.maximum((squares - farthest) / 4, LEAST_INT32)).astype(np.int32)
        flat = np.flatnonzero(product >= least[:, None])
        places, numbers = flat + tiles.start * TILE, np.zeros(len(flat), np.int64)
        if len(squares) > 1:
            rows, columns = np.divmod(flat, TILE)
            tile, numbers = np.divmod(rows, len(squares))
            places = (tiles.start + tile) * TILE + columns
        # Free places belong to no set.
        of_set = self._sets[places] == set_id
        flat, numbers, places = flat[of_set], numbers[of_set], places[of_set]
        return _Left(numbers, places, squares[numbers] - 4 * product.ravel()[flat].astype(np.int64))

    def _by_both_slices(self, left: _Left, asked: Sequence[Asked], farthest: Limits) -> _Left:
        """Return those of a few faces that are within reach by the second slice too."""
        if not len(left.places):
            return left
        tiles, columns = np.divmod(left.places, TILE)
        doubled = np.stack([probe.doubled[self._ends[0] :] for probe, _ in asked])
        differences = self._slices[1][tiles, :, columns].astype(np.int32) - doubled[left.numbers]
        squares = left.squares + np.einsum("ij,ij->i", differences, differences)
        return left._replace(squares=squares).only(squares <= farthest[left.numbers])

    def _grow(self, capacity: int) -> None:
        tiles = -(-capacity // TILE)

        def grown(old: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
            new = np.empty(shape, old.dtype)
            new[: len(old)] = old
            new[len(old) :] = 0
            # Erases the old memory before the system gets it back.
            old[:] = 0
            return new

        self._slices = [grown(part, (tiles, *part.shape[1:])) for part in self._slices]
        self._terms = [grown(terms, (tiles, TILE)) for terms in self._terms]
        self.ids, self._sets = (grown(values, (tiles * TILE,)) for values in (self.ids, self._sets))


class _Left(NamedTuple):
    """Faces that a probe has left, each with the probe's number, its place, and the least |2 p - c|^2 can be."""

    numbers: Ids
    places: Ids
    squares: NDArray[np.int64]

    def only(self, mask: NDArray[np.bool_]) -> _Left:
        return _Left(*(values[mask] for values in self))


def _joined(left: Sequence[_Left]) -> _Left:
    return left[0] if len(left) == 1 else _Left(*map(np.concatenate, zip(*left, strict=True)))


def _limits(asked: Sequence[Asked], squares: Sequence[int]) -> tuple[Limits, Ids]:
    """Return the largest |2 p - c|^2 of a face within reach of each probe, and `squares`, as arrays."""
    return np.array([probe.farthest(one.reach) for probe, one in asked]), np.array(squares, np.int64)


def _terms(codes: Codes) -> NDArray[np.int32]:
    """Return (|c|^2 + 4 SHIFT sum(c)) / 4 of each face, rounded down; `codes` is n x d."""
    wide = codes.astype(np.int32)
    return np.asarray((np.einsum("ij,ij->i", wide, wide) >> 2) + SHIFT * wide.sum(axis=1), np.int32)
