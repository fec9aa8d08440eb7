"""Records each writer's intents and completed changes, readable by all processes and safe if the writer is killed.

A line states an intent before the writer acts; `done` follows after the answer. After a writer is killed, its last
intent is in doubt: it may or may not have been carried out. Every other entry is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Operation(Enum):
    ADD = "add"
    REMOVE = "remove"
    # A transaction that is rolled back at its end.
    UNDONE_ADD = "undone-add"
    UNDONE_REMOVE = "undone-remove"


class Fate(IntEnum):
    """A face's state. It only rises, because a removed face never comes back."""

    NEVER = 0
    ADDING = 1
    THERE = 2
    REMOVING = 3
    GONE = 4


Fates = NDArray[np.int8]

_DONE = "done"
# A line without this end was cut short by a kill.
_END = ";"
_INTENDED = {Operation.ADD: Fate.ADDING, Operation.REMOVE: Fate.REMOVING}
_ANSWERED = {Operation.ADD: Fate.THERE, Operation.REMOVE: Fate.GONE}


class Intent(NamedTuple):
    operation: Operation
    numbers: tuple[int, ...]


class Journal:
    """One writer's journal. The system has each line when the call returns, so a kill loses none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def intend(self, operation: Operation, numbers: Sequence[int]) -> None:
        self._write(" ".join([operation.value, *map(str, numbers)]))

    def done(self) -> None:
        self._write(_DONE)

    def _write(self, line: str) -> None:
        with self._file.open("ab", buffering=0) as file:
            # The first line break ends a line that a kill may have cut short.
            file.write(f"\n{line}{_END}\n".encode())


class Ledger:
    """The state in some journals, up to the last read."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = list(files)
        self._read = [0] * len(self._files)
        self._fates: Fates = np.zeros(256, np.int8)
        self._count = 0
        # Each journal's intents that are begun but not done.
        self.open: list[Intent | None] = [None] * len(self._files)
        # Additions of several faces in one transaction.
        self.together: list[tuple[int, ...]] = []
        self.answered = 0
        self.undone = 0

    def read(self) -> list[int]:
        """Read the new lines; return the numbers of their faces."""
        mentioned: list[int] = []
        for index, file in enumerate(self._files):
            for line in self._new_lines(index, file):
                mentioned += self._take(index, line)
        return mentioned

    def fates(self) -> Fates:
        """Return a copy of the state of each face from 0 to the highest number in the journals."""
        return self._fates[: self._count].copy()

    def with_fate(self, fate: Fate) -> list[int]:
        return np.flatnonzero(self._fates[: self._count] == fate).tolist()

    def _new_lines(self, index: int, file: Path) -> list[str]:
        try:
            with file.open("rb") as journal:
                journal.seek(self._read[index])
                data = journal.read()
        except FileNotFoundError:
            return []
        data = data[: data.rfind(b"\n") + 1]
        self._read[index] += len(data)
        return [line.removesuffix(_END) for line in data.decode().splitlines() if line.endswith(_END)]

    def _take(self, index: int, line: str) -> tuple[int, ...]:
        if line == _DONE:
            intent, self.open[index] = self.open[index], None
            assert intent is not None
            if intent.operation in _ANSWERED:
                self._raise(intent.numbers, _ANSWERED[intent.operation])
                self.answered += len(intent.numbers)
            else:
                self.undone += 1
            return intent.numbers
        operation, *numbers = line.split()
        intent = self.open[index] = Intent(Operation(operation), tuple(map(int, numbers)))
        if intent.operation is Operation.ADD and len(numbers) > 1:
            self.together.append(intent.numbers)
        self._raise(intent.numbers, _INTENDED.get(intent.operation, Fate.NEVER))
        return intent.numbers

    def _raise(self, numbers: tuple[int, ...], fate: Fate) -> None:
        self._count = max(self._count, *(number + 1 for number in numbers))
        while self._count > len(self._fates):
            self._fates = np.concatenate([self._fates, np.zeros_like(self._fates)])
        for number in numbers:
            self._fates[number] = max(self._fates[number], fate)
