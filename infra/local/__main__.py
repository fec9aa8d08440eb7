"""Runs the local stack: `python -m infra.local run` serves the API, `stack` starts everything except the app.

moto's server replaces DynamoDB, S3 and S3 Vectors. The face set is in SQLite, or in the database of DATABASE_URL.
"""

from __future__ import annotations

import argparse
import errno
import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.settings import Settings, SettingsError
from chalicelib.vision.model_pack import ModelPackError
from infra.local import ending
from infra.local.one_heap import share_one_heap
from infra.local.running_stack import RunningStack, announced, find, make_private, only_one

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
# How long running requests may take after the stop signal.
GRACE_SECONDS = 5


def main() -> None:
    arguments = _arguments()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))  # for `import app`
    hurry = ending.on_signals()
    try:
        if arguments.what == "run":
            remedy = "choose another port with PORT=, as in `make run PORT=8001`"
            _check_port(arguments.bind, arguments.port, remedy)
            share_one_heap()
        with stack(arguments.state, arguments.moto_port) as settings:
            if arguments.what == "run":
                watched = arguments.incoming or arguments.state
                serve(arguments.bind, arguments.port, arguments.state, settings, hurry, watched)
            else:
                _stay(settings)
    except (SettingsError, ModelPackError) as error:
        sys.exit(f"{error}.")
    except ending.Stopped:
        ending.leave()


@contextmanager
def stack(state: Path, moto_port: int) -> Iterator[Settings]:
    """Start the app's stores, set the environment variables that point to them, and stop them after the block."""
    make_private(state)
    with only_one(state):
        settings = lead_environment(state)
        with _moto(moto_port, state / "crops", settings.crops_bucket) as port:
            os.environ["AWS_ENDPOINT_URL"] = endpoint = f"http://{LOOPBACK}:{port}"
            _create(settings)
            with announced(state, RunningStack(endpoint, without_password(settings.database_url))):
                yield settings


@contextmanager
def stack_of(state: Path) -> Iterator[Settings]:
    """Point the environment to the stack running on the folder; if there is none, start one for the block."""
    running = find(state)
    if running is None:
        print(f"No local stack is running on {state}: starting one for this command.", flush=True)
        with stack(state, 0) as settings:
            yield settings
        return
    settings = lead_environment(state)
    os.environ["AWS_ENDPOINT_URL"] = running.endpoint
    if without_password(settings.database_url) != running.database:
        sys.exit(f"The running stack uses the face set {running.database}: run this with the same DATABASE_URL.")
    yield settings


def _create(settings: Settings) -> None:
    from chalicelib.errors import ServiceError
    from chalicelib.stores.aws import sdk
    from chalicelib.stores.database.connect import connect
    from chalicelib.stores.face_set import schema
    from infra.local import resources, vector_index

    dynamodb, s3 = sdk.client("dynamodb"), sdk.client("s3")
    names = {"table_name": settings.tokens_table, "bucket_name": settings.crops_bucket}
    resources.create(resources.FILE, dynamodb, s3, **names)
    face_set = connect(settings.database_url)
    try:
        schema.migrate(face_set)
    except ServiceError:
        sys.exit(f"The database at {without_password(settings.database_url)} cannot be used; see the line above.")
    finally:
        face_set.close()
    if settings.gallery == "s3vectors":
        vector_index.make(settings)


def serve(bind: str, port: int, state: Path, settings: Settings, hurry: threading.Event, watched: Path) -> None:
    """Serve the API, and take in the pictures of a watched folder, until a stop signal.

    After the signal, running requests have GRACE_SECONDS to finish, or until `hurry` is set.
    """
    import app
    from chalicelib import wiring
    from chalicelib.errors import ServiceError
    from infra.local import sample_face, watched_folder
    from infra.local.regular_compaction import compacted_regularly
    from infra.local.server import make_server

    try:
        watched_folder.create(watched)
    except OSError as error:
        sys.exit(f"{error.filename} cannot be created ({error.strerror}): choose another folder with INCOMING=.")
    try:  # loads the models: what is wrong shows now, not at the first request
        served, _ = wiring.wiring().active_pack.answer(lambda service: (service.pack, service.count()))
    except ServiceError:
        sys.exit("The face set cannot be served; see the line above.")
    sample_face.write(state / "sample.jpg")
    server = make_server(app.app, bind, port).server
    address = ipaddress.ip_address(socket.gethostbyname(bind))
    # 0.0.0.0 stands for all addresses of this machine. Not every browser opens it.
    url = f"http://{'localhost' if bind == LOOPBACK or address.is_unspecified else bind}:{port}"
    print(f"Face set: {without_password(settings.database_url)}, model pack: {served.name}")
    if not address.is_loopback:
        place = "this machine" if address.is_unspecified else bind
        print(f"No API key is required: everyone who can reach {place} can read and change the face set.")
    print(f"Serving on {url} (Ctrl-C stops). Open this URL in a browser for the console, or try the API:")
    print(f"  curl -F image_file=@{state / 'sample.jpg'} {url}/detect", flush=True)
    try:
        with (
            watched_folder.taken_in(wiring.wiring(), watched),
            compacted_regularly(wiring.wiring(), app.COMPACTION_MINUTES * 60),
        ):
            server.serve_forever()
    finally:
        server.finish(GRACE_SECONDS, hurry)
        wiring.reset()


def _stay(settings: Settings) -> None:
    """Keep the stores of `chalice local` running until a stop signal."""
    import app
    from chalicelib.wiring import Wiring
    from infra.local.regular_compaction import compacted_regularly

    with closing(Wiring(settings)) as parts, compacted_regularly(parts, app.COMPACTION_MINUTES * 60):
        print(
            f"The stack is up. In another terminal: {_where(settings)}.venv/bin/chalice local --stage local",
            flush=True,
        )
        threading.Event().wait()


@contextmanager
def _moto(port: int, crops: Path, bucket: str) -> Iterator[int]:
    if port:
        _check_port(LOOPBACK, port, "stop that program, or change AWS_ENDPOINT_URL in .chalice/config.json")
    # In a new session, so that Ctrl-C reaches only this process; it stops moto once the app no longer needs it.
    with subprocess.Popen(
        [sys.executable, "-m", "infra.local.moto_server", str(port), "--crops", str(crops), bucket],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            answer = process.stdout.readline()
            if not answer:
                sys.exit("moto's server did not start; run `make clean`, then `make run`, to reinstall everything.")
            yield int(answer)
        finally:
            process.terminate()


def lead_environment(state: Path) -> Settings:
    """Set the environment variables of the local stage in .chalice/config.json, and return the settings.

    DATABASE_URL defaults to a SQLite file in the state folder.
    """
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    stage = dict(config["stages"]["local"]["environment_variables"])
    os.environ.update(stage)
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = f"sqlite:///{state / 'face_set.sqlite'}"
    return Settings.from_environment(os.environ)


def _check_port(bind: str, port: int, remedy: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except (OSError, OverflowError) as error:
            if isinstance(error, socket.gaierror) or getattr(error, "errno", None) == errno.EADDRNOTAVAIL:
                sys.exit(f"{bind} is not an address of this machine: choose another with BIND=.")
            sys.exit(f"Port {port} is in use by another program or not allowed: {remedy}.")


def _where(settings: Settings) -> str:
    """Return the DATABASE_URL assignment that another process needs, or "" when its default is the same database."""
    if settings.database_url == Settings.from_environment({}).database_url:
        return ""
    return f"DATABASE_URL={without_password(settings.database_url)} "


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return url if parts.password is None else url.replace(f":{parts.password}@", ":***@")


def _arguments() -> argparse.Namespace:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    endpoint = config["stages"]["local"]["environment_variables"]["AWS_ENDPOINT_URL"]
    parser = argparse.ArgumentParser(prog="python -m infra.local")
    parser.add_argument("what", choices=("run", "stack"))
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--bind", default=LOOPBACK, help="IPv4 address or name of this machine to listen on")
    parser.add_argument("--state", type=Path, default=Path(".local"), help="folder for the stack's data")
    parser.add_argument(
        "--incoming",
        type=Path,
        help="with `run`, folder with the watched folder `incoming`; by default the state's folder",
    )
    parser.add_argument(
        "--moto-port",
        type=int,
        help="port of the AWS services; by default, `stack` uses the port that .chalice/config.json gives to "
        "`chalice local`, and `run` any free port",
    )
    arguments = parser.parse_args()
    if arguments.moto_port is None:
        arguments.moto_port = urlsplit(endpoint).port if arguments.what == "stack" else 0
    return arguments


if __name__ == "__main__":
    main()
