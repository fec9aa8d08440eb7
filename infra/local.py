"""The local stack: `python -m infra.local run` serves the API, `stack` starts all but the app.

moto's server stands for DynamoDB, S3 and S3 Vectors; the face set is in SQLite, or where DATABASE_URL says.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.settings import Settings, SettingsError
from chalicelib.vision.model_pack import ModelPackError
from infra.crop_mirror import CropMirror
from infra.one_heap import share_one_heap
from infra.running_stack import RunningStack, announced, find, only_one

ROOT = Path(__file__).parent.parent


def main() -> None:
    arguments = _arguments()
    os.chdir(ROOT)
    # From here on Ctrl-C, TERM and a closed terminal all unwind the stack below in order.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        if arguments.what == "run":
            _check_port(arguments.port, "choose another one with PORT=, as in `make run PORT=8001`")
            share_one_heap()
        with stack(arguments.state, arguments.moto_port) as settings:
            if arguments.what == "run":
                serve(arguments.port, arguments.state, settings)
            else:
                print(
                    f"The stack is up. In another terminal: {_where(settings)}.venv/bin/chalice local --stage local",
                    flush=True,
                )
                threading.Event().wait()
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
    except (SettingsError, ModelPackError) as error:
        sys.exit(f"{error}.")


@contextmanager
def stack(state: Path, moto_port: int) -> Iterator[Settings]:
    """Start what the app needs, lead the environment to it, and stop it at the end."""
    state.mkdir(parents=True, exist_ok=True)
    with only_one(state), _moto(moto_port) as port:
        endpoint = f"http://127.0.0.1:{port}"
        lead_environment(state, endpoint)
        settings = Settings.from_environment(os.environ)
        mirror = _create(settings, state)
        try:
            with announced(state, RunningStack(endpoint, without_password(settings.database_url))):
                yield settings
        finally:
            mirror.stop()


@contextmanager
def stack_of(state: Path) -> Iterator[Settings]:
    """Lead the environment to the stack that runs on the folder, or to one that runs for as long as the block."""
    running = find(state)
    if running is None:
        print(f"No local stack runs on {state}: one is started for the time.", flush=True)
        with stack(state, 0) as settings:
            yield settings
        return
    lead_environment(state, running.endpoint)
    settings = Settings.from_environment(os.environ)
    if without_password(settings.database_url) != running.database:
        sys.exit(f"The running stack's face set is {running.database}: run this with the same DATABASE_URL.")
    yield settings


def _create(settings: Settings, state: Path) -> CropMirror:
    from chalicelib.errors import ServiceError
    from chalicelib.stores import aws, database, schema
    from infra import resources, vector_index

    dynamodb, s3 = aws.client("dynamodb"), aws.client("s3")
    names = {"table_name": settings.tokens_table, "bucket_name": settings.crops_bucket}
    resources.create(ROOT / "infra" / "resources.yaml", dynamodb, s3, **names)
    face_set = database.connect(settings.database_url)
    try:
        schema.migrate(face_set)
    except ServiceError:
        sys.exit(f"The database at {without_password(settings.database_url)} cannot be used; the line above tells why.")
    finally:
        face_set.close()
    if settings.gallery == "s3vectors":
        vector_index.make(settings)
    mirror = CropMirror(s3, settings.crops_bucket, state / "crops")
    mirror.start()
    return mirror


def serve(port: int, state: Path, settings: Settings) -> None:
    """Serve the API until the process is told to end, on a stack to which the environment leads."""
    from chalicelib import operations, wiring
    from chalicelib.errors import ServiceError
    from infra import sample_face
    from infra.local_server import make_server

    sys.path.insert(0, str(ROOT))
    import app

    try:  # loads the models: what is wrong shows now, not at the first request
        wiring.wiring().serving.answer(lambda served: served.service.count())
    except ServiceError:
        sys.exit("The face set cannot be served; the line above tells why.")
    operations.compact(wiring.wiring())
    sample_face.write(state / "sample.jpg")
    server = make_server(app.app, "127.0.0.1", port)
    url = f"http://localhost:{port}"
    print(f"Face set: {without_password(settings.database_url)}")
    print(f"Serving on {url} (Ctrl-C stops). Open that in a browser for the console, or try the API:")
    print(f"  curl -F image_file=@{state / 'sample.jpg'} {url}/detect", flush=True)
    try:
        server.server.serve_forever()
    finally:
        server.server.server_close()
        wiring.reset()


@contextmanager
def _moto(port: int) -> Iterator[int]:
    if port:
        _check_port(port, "stop that program, or change AWS_ENDPOINT_URL in .chalice/config.json")
    # A session of its own: Ctrl-C reaches only this process, which stops moto when nobody uses it any more.
    with subprocess.Popen(
        [sys.executable, "-m", "infra.moto_server", str(port)],
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


def lead_environment(state: Path, endpoint: str) -> None:
    """Set the local stage of .chalice/config.json, where the environment does not say otherwise, with this moto."""
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    stage = dict(config["stages"]["local"]["environment_variables"])
    # moto is on this machine, where a proxy would not find it.
    os.environ.update(stage, AWS_ENDPOINT_URL=endpoint)
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = f"sqlite:///{state / 'face_set.sqlite'}"


def _check_port(port: int, remedy: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
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
    parser.add_argument("--state", type=Path, default=Path(".local"), help="folder of what the stack keeps")
    arguments = parser.parse_args()
    # `chalice local` finds moto where its stage's configuration says; our own server is told.
    arguments.moto_port = urlsplit(endpoint).port if arguments.what == "stack" else 0
    return arguments


if __name__ == "__main__":
    main()
