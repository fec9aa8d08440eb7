"""The local stack: `python -m infra.local run` serves the API, `stack` starts all but the app.

moto's server stands for DynamoDB, S3 and S3 Vectors; the face set is in SQLite, or where DATABASE_URL says.
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
# How long requests under way may take when the server is told to end.
GRACE_SECONDS = 5


def main() -> None:
    arguments = _arguments()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))  # of app.py
    hurry = ending.on_signals()
    try:
        if arguments.what == "run":
            remedy = "choose another one with PORT=, as in `make run PORT=8001`"
            _check_port(arguments.bind, arguments.port, remedy)
            share_one_heap()
        with stack(arguments.state, arguments.moto_port) as settings:
            if arguments.what == "run":
                serve(arguments.bind, arguments.port, arguments.state, settings, hurry)
            else:
                _stay(settings)
    except (SettingsError, ModelPackError) as error:
        sys.exit(f"{error}.")
    except ending.Stopped:
        ending.leave()


@contextmanager
def stack(state: Path, moto_port: int) -> Iterator[Settings]:
    """Start what the app needs, lead the environment to it, and stop it at the end."""
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
    """Lead the environment to the stack that runs on the folder, or to one that runs for as long as the block."""
    running = find(state)
    if running is None:
        print(f"No local stack runs on {state}: one is started for the time.", flush=True)
        with stack(state, 0) as settings:
            yield settings
        return
    settings = lead_environment(state)
    os.environ["AWS_ENDPOINT_URL"] = running.endpoint
    if without_password(settings.database_url) != running.database:
        sys.exit(f"The running stack's face set is {running.database}: run this with the same DATABASE_URL.")
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
        sys.exit(f"The database at {without_password(settings.database_url)} cannot be used; the line above tells why.")
    finally:
        face_set.close()
    if settings.gallery == "s3vectors":
        vector_index.make(settings)


def serve(bind: str, port: int, state: Path, settings: Settings, hurry: threading.Event) -> None:
    """Serve the API until the process is told to end, on a stack to which the environment leads.

    Then requests under way have some seconds to be answered, or until `hurry` is set.
    """
    import app
    from chalicelib import wiring
    from chalicelib.errors import ServiceError
    from infra.local import sample_face
    from infra.local.regular_compaction import compacted_regularly
    from infra.local.server import make_server

    try:  # loads the models: what is wrong shows now, not at the first request
        served, _ = wiring.wiring().active_pack.answer(lambda service: (service.pack, service.count()))
    except ServiceError:
        sys.exit("The face set cannot be served; the line above tells why.")
    sample_face.write(state / "sample.jpg")
    server = make_server(app.app, bind, port).server
    url = f"http://{'localhost' if bind == LOOPBACK else bind}:{port}"
    print(f"Face set: {without_password(settings.database_url)}, under the model pack {served.name}")
    if not ipaddress.ip_address(socket.gethostbyname(bind)).is_loopback:
        print(f"No key is asked for: everyone who reaches {bind} can read and change the face set.")
    print(f"Serving on {url} (Ctrl-C stops). Open that in a browser for the console, or try the API:")
    print(f"  curl -F image_file=@{state / 'sample.jpg'} {url}/detect", flush=True)
    try:
        with compacted_regularly(wiring.wiring(), app.COMPACTION_MINUTES * 60):
            server.serve_forever()
    finally:
        server.finish(GRACE_SECONDS, hurry)
        wiring.reset()


def _stay(settings: Settings) -> None:
    """Keep what `chalice local` needs until the process is told to end."""
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
    # A session of its own: Ctrl-C reaches only this process, which stops moto when nobody uses it any more.
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
                sys.exit("moto's server did not start; `make clean` and `make run` set everything up anew.")
            yield int(answer)
        finally:
            process.terminate()


def lead_environment(state: Path) -> Settings:
    """Set the local stage of .chalice/config.json and the state folder's database where the environment names none."""
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
                sys.exit(f"{bind} is no address of this machine: choose another one with BIND=.")
            sys.exit(f"Port {port} is taken by another program, or not allowed: {remedy}.")


def _where(settings: Settings) -> str:
    """What leads another process to this face set; nothing when that is where it looks anyway."""
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
    parser.add_argument("--state", type=Path, default=Path(".local"), help="folder of what the stack keeps")
    arguments = parser.parse_args()
    # `chalice local` finds moto where its stage's configuration says; our own server is told.
    arguments.moto_port = urlsplit(endpoint).port if arguments.what == "stack" else 0
    return arguments


if __name__ == "__main__":
    main()
