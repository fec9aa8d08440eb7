"""Exports and imports the face set, by hand or in functions with limited time per invocation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from chalicelib.maintenance.operations import RESERVED_MILLISECONDS, listed
from chalicelib.maintenance.transfer import exporting, importing
from chalicelib.maintenance.transfer.container import Container, Source
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.maintenance.transfer.export_folder import ExportFolder
from chalicelib.maintenance.transfer.exporting import Export
from chalicelib.maintenance.transfer.importing import Import
from chalicelib.wiring import Wiring

Progress = Callable[[int, int], None]


def export_to(
    parts: Wiring,
    container: Container,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    progress: Progress = lambda *_: None,
) -> exporting.Report:
    return Export(
        parts.face_set, parts.exported_faces, parts.crops, container, may_go_on=may_go_on, progress=progress
    ).run()


def import_from(
    parts: Wiring,
    source: Source,
    *,
    first_part: int = 1,
    checked: bool = False,
    may_go_on: Callable[[], bool] = lambda: True,
    progress: Progress = lambda *_: None,
) -> importing.Report:
    return Import(
        parts.face_set,
        parts.face_set_names,
        parts.exported_faces,
        parts.model_change,
        parts.packs,
        parts.crops,
        source,
        first_part=first_part,
        checked=checked,
        may_go_on=may_go_on,
        progress=progress,
    ).run()


def export_in_time(parts: Wiring, event: dict[str, Any], remaining_milliseconds: Callable[[], int]) -> dict[str, Any]:
    """Write as much of an archive to the crops' bucket as one invocation's time allows.

    Parameters
    ----------
    event
        `name`: the archive is under `exports/<name>/`. The next invocation with this name continues it.

    Returns
    -------
    dict
        The fields of `exporting.Report`. A long list of tokens is cut off, with a warning in the log.
    """
    report = export_to(parts, _folder(parts, event), may_go_on=_in_time(remaining_milliseconds))
    return asdict(report) | {"left_out": listed(report.left_out)}


def import_in_time(parts: Wiring, event: dict[str, Any], remaining_milliseconds: Callable[[], int]) -> dict[str, Any]:
    """Import as many faces of an archive in the crops' bucket as one invocation's time allows.

    Parameters
    ----------
    event
        `name`: the archive is under `exports/<name>/`. `first_part`: the `next_part` of the previous invocation, to
        skip the parts that it has imported. `checked`: skip the check of all parts in the first invocation, for an
        archive too large to check in one invocation.

    Returns
    -------
    dict
        The fields of `importing.Report`.
    """
    first_part = event.get("first_part", 1)
    if type(first_part) is not int or first_part < 1:
        raise ArchiveError("first_part must be a whole number from 1")
    checked = event.get("checked", False)
    if type(checked) is not bool:
        raise ArchiveError("checked must be true or false")
    in_time = _in_time(remaining_milliseconds)
    report = import_from(parts, _folder(parts, event), first_part=first_part, checked=checked, may_go_on=in_time)
    return asdict(report)


def _folder(parts: Wiring, event: dict[str, Any]) -> ExportFolder:
    name = event.get("name")
    if not isinstance(name, str) or not ExportFolder.is_name(name):
        raise ArchiveError("name must be 1 to 64 letters, digits, _, . and -, not starting with a dot")
    return ExportFolder(parts.s3, parts.settings.crops_bucket, name)


def _in_time(remaining_milliseconds: Callable[[], int]) -> Callable[[], bool]:
    return lambda: remaining_milliseconds() > RESERVED_MILLISECONDS
