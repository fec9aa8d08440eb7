"""Holds the codes of faces that share a scale, and finds those that can be near some probes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.gallery.code_bounds import SHIFT, Found, Ids, Probe, first_slice
from chalicelib.gallery.products import products

Codes = NDArray[np.int8]
SetIds = NDArray[np.int32]
Products = NDArray[np.int32]

# Enough for the fixed costs of a block, few enough that its products stay in the processor's cache.
BLOCK_FACES = 262_144
# Faces multiplied with several probes at once: fewer, as there are more products.
PART_FACES = 65_536
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
        for start in range(0, self.count, step):
            self._near(_Part(start, min(start + step, self.count)), probes, found, set_id)

    def _near(self, part: _Part, probes: Sequence[Probe], found: Sequence[Found], set_id: int) -> None:
        whole: list[tuple[Probe, Found, Products]] = []
        sliced = self.count >= LEAST_SLICED and len(self._slices) > 1
        for probe, one, product in zip(probes, found, self._products(part, probes, 0), strict=True):
            if not sliced or not one.sliced or not self._by_first_slice(part, probe, one, product, set_id):
                whole.append((probe, one, product))
        if whole and len(self._slices) > 1:
            others = self._products(part, [probe for probe, _, _ in whole], 1)
            for (_, _, product), other in zip(whole, others, strict=True):
                np.add(product, other, out=product)
        for probe, one, product in whole:
            places, squares = part.chosen(product, probe.square, probe.farthest(one.reach))
            of_set = self._sets[places] == set_id
            one.add(self.ids[places[of_set]], *probe.bounds(squares[of_set]))

    def _products(self, part: _Part, probes: Sequence[Probe], number: int) -> list[Products]:
        """Return u c - terms of each probe with each face of a part, for one slice of the dimensions."""
        asked = np.concatenate([probe.shifted[number] for probe in probes])
        # Tiles x probes x TILE. Those of a single probe are changed in place, without another array.
        multiplied = products(asked, self._slices[number][part.tiles])
        terms = self._terms[number][part.tiles]
        into = multiplied[:, 0] if len(probes) == 1 else None
        found = (np.subtract(multiplied[:, probe], terms, out=into) for probe in range(len(probes)))
        return [product.ravel()[: part.end - part.start] for product in found]

    def _by_first_slice(self, part: _Part, probe: Probe, one: Found, product: Products, set_id: int) -> bool:
        """Add the faces within reach; or return False, and stop slicing, if the first slice leaves too many."""
        farthest = probe.farthest(one.reach)
        places, squares = part.chosen(product, probe.first_square, farthest)
        if len(places) * FEW > len(product):
            one.sliced = False
            return False
        of_set = self._sets[places] == set_id
        places, squares = places[of_set], squares[of_set]
        if len(places):
            tiles, columns = np.divmod(places, TILE)
            differences = self._slices[1][tiles, :, columns].astype(np.int32) - probe.doubled[self._ends[0] :]
            squares += np.einsum("ij,ij->i", differences, differences)
            within = squares <= farthest
            one.add(self.ids[places[within]], *probe.bounds(squares[within]))
        return True

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


class _Part(NamedTuple):
    """The places from `start`, a multiple of TILE, up to `end`."""

    start: int
    end: int

    @property
    def tiles(self) -> slice:
        return slice(self.start // TILE, -(-self.end // TILE))

    def chosen(self, product: Products, square: int, farthest: float) -> tuple[Ids, NDArray[np.int64]]:
        """Return the places of faces with |2 p - c|^2 of perhaps at most `farthest`, and the least it can be."""
        chosen = np.flatnonzero(product >= math.ceil(max((square - farthest) / 4, LEAST_INT32)))
        return chosen + self.start, square - 4 * product[chosen].astype(np.int64)


def _terms(codes: Codes) -> NDArray[np.int32]:
    """Return (|c|^2 + 4 SHIFT sum(c)) / 4 of each face, rounded down; `codes` is n x d."""
    wide = codes.astype(np.int32)
    return np.asarray((np.einsum("ij,ij->i", wide, wide) >> 2) + SHIFT * wide.sum(axis=1), np.int32)
