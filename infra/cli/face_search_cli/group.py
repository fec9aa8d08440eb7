"""Shared by all commands: the common options, the argument types, and the exit codes."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from . import tables
from .api import Api, InsecureError, RefusedError, Reply, UnavailableError

DEFAULT_URL = "http://localhost:8000"
NO, USAGE, REFUSED, UNAVAILABLE = 1, 2, 3, 4
"""Exit codes other than 0: the answer is no; invalid command line; the service refused; it failed or is unreachable."""

_TOKEN = re.compile(r"[A-Za-z0-9]{24}", re.ASCII)

as_json = click.option("--json", "raw", is_flag=True, help="Print the service's JSON unchanged.")
in_face_set = click.option("--face-set", metavar="NAME", help="The face set; `default` if not given.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="FACE_SEARCH_URL", default=DEFAULT_URL, show_default=True, help="URL of the service.")
@click.option(
    "--key", envvar="FACE_SEARCH_KEY", help="The API key. Prefer FACE_SEARCH_KEY, because ps shows arguments."
)
@click.option(
    "--token", envvar="FACE_SEARCH_TOKEN", help="A bearer token. Prefer FACE_SEARCH_TOKEN, because ps shows arguments."
)
@click.pass_context
def main(context: click.Context, url: str, key: str | None, token: str | None) -> None:
    """Detect, search and store faces.

    A PICTURE is a JPEG or PNG file. If it exceeds the service's limits, it is scaled down before it is sent. A FACE is
    a token, or a picture; the largest face in the picture is used.

    The exit code is 0 for success and 1 when the answer is no: no face, no match, a different person, a file not
    imported. It is 2 for an invalid command line or an unusable file, 3 when the service refuses the request, and 4
    when the service cannot be reached or fails.
    """
    try:
        context.obj = functools.partial(Api, url, key, token=token)
        context.obj()
    except (InsecureError, ValueError) as error:
        raise click.UsageError(f"{error} (URL: {url})") from None


def command(group: click.Group, name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Register a command that takes an Api factory first; exit with a message when the command fails."""

    def register(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        @click.pass_obj
        def run(connect: Callable[..., Api], /, **arguments: Any) -> None:
            try:
                function(connect, **arguments)
            except RefusedError as error:
                end(REFUSED, f"the service refused the request, {error}")
            except UnavailableError as error:
                end(UNAVAILABLE, str(error))
            except OSError as error:
                end(USAGE, _fault(error))

        return group.command(name)(run)

    return register


def _fault(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def end(code: int, message: str) -> NoReturn:
    click.echo(f"face-search: {tables.printable(message)}", err=True)
    sys.exit(code)


class Face(click.ParamType[bytes | str]):
    """The bytes of a picture file, or a token."""

    name = "face"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes | str:
        if _TOKEN.fullmatch(value) and not Path(value).is_file():
            return str(value)
        return self._read(value, f"{value} is neither a file nor a token", param, ctx)

    def _read(self, value: Any, otherwise: str, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        try:
            if not Path(value).is_file():
                self.fail(otherwise, param, ctx)
            return Path(value).read_bytes()
        except OSError as error:  # also raised when the value is too long for a file name
            self.fail(_fault(error), param, ctx)


class UnreadFace(click.ParamType[Path | str]):
    """The path of a picture file, which the command reads when its turn comes, or a token."""

    name = "face"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        try:
            if Path(value).is_file():
                return Path(value)
        except OSError as error:  # also raised when the value is too long for a file name
            self.fail(_fault(error), param, ctx)
        if not _TOKEN.fullmatch(value):
            self.fail(f"{value} is neither a file nor a token", param, ctx)
        return str(value)


class Picture(Face):
    name = "picture"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        return self._read(value, f"there is no file {value}", param, ctx)


class Token(click.ParamType[str]):
    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _TOKEN.fullmatch(value):
            self.fail(f"{value} is not a token: a token is 24 letters and digits", param, ctx)
        return str(value)


def answer(reply: Reply, raw: bool, otherwise: Callable[[], None]) -> None:
    """Print the reply's JSON unchanged if `raw`, otherwise call `otherwise`."""
    if raw:
        click.echo(reply.text)
    else:
        otherwise()
