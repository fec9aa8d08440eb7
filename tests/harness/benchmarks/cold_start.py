"""Measures a container's start and its memory: `python -m tests.harness.benchmarks.cold_start`.

Runs the packaged function in the real runtime client, as in tests/lambda_runtime. Needs a MySQL server.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
from moto.server import ThreadedMotoServer

from chalicelib.stores.aws import sdk
from tests.e2e import pictures
from tests.harness.benchmarks import report
from tests.lambda_runtime.container import Container
from tests.lambda_runtime.container_api import ContainerApi
from tests.lambda_runtime.deployment import Deployment, deployed, own_target
from tests.lambda_runtime.stores import stores
from tests.packs import deployed_pack
from tests.services import mysql_port

RUNS = 9
WARM_REQUESTS = 10
IDLE_SECONDS = 1.0
MEMORIES_MB = (512, 1024, 1769)
REQUESTS = 200
MAX_RATIO, MAX_FIRST, MAX_IDLE, MAX_PEAK_MB = 1.2, 3, 1.5, 400

# The start without the service. It imports the same libraries and the runtime client, opens the same networks from
# files, and creates no AWS client. Then it asks for an invocation, which ends the measurement.
BARE = """
import awslambdaric.bootstrap, aws_lambda_powertools, botocore.session, chalice.app, cv2, multipart, numpy
import onnxruntime, pymysql, simplejpeg
import glob, http.client, os
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
paths = sorted(glob.glob(os.environ["MODEL_DIR"] + "/*.onnx"))
networks = [onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in paths]
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("GET", "/2018-06-01/runtime/invocation/next")
api.getresponse()
"""


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's log of each request
    photo = _photograph()
    with deployed(*own_target()) as deployment, _environment(deployment) as environment:
        inits, bares, detections = [], [], []
        for _ in range(RUNS):
            with Container(deployment, environment=environment, command=["-c", BARE]) as bare:
                bares.append((bare.init_seconds(), bare.processor_seconds()))
            with Container(deployment, environment=environment) as container:
                inits.append((container.init_seconds(), container.processor_seconds()))
                detections.append(_detections(ContainerApi(container), photo))
        peaks = [_peak_mb(deployment, environment, memory_mb) for memory_mb in MEMORIES_MB]
    _write(inits, bares, detections, peaks)


def _write(
    inits: list[tuple[float, float]],
    bares: list[tuple[float, float]],
    detections: list[Detections],
    peaks: list[float],
) -> None:
    wall, cpu = (statistics.median(i[k] / b[k] for i, b in zip(inits, bares, strict=True)) for k in (0, 1))
    first = statistics.median(one.first / one.warm for one in detections)
    after_idleness = statistics.median(one.idle / one.warm for one in detections)
    (init, init_cpu), (bare, bare_cpu), (cold, warm, idle) = (
        [statistics.median(times) * 1000 for times in zip(*tuples, strict=True)]
        for tuples in (inits, bares, detections)
    )
    rows = [
        [
            "init with networks and clients / the libraries and networks alone",
            f"<= {MAX_RATIO}",
            _judged(wall, MAX_RATIO),
            f"CPU time {cpu:.2f}; {init:.0f} ms ({init_cpu:.0f} of CPU time) against {bare:.0f} ({bare_cpu:.0f})",
        ],
        [
            "first detect / a warm one, 640 x 480",
            f"<= {MAX_FIRST}",
            _judged(first, MAX_FIRST),
            f"{cold:.0f} ms against {warm:.0f}",
        ],
        [
            "detect after a second of idleness / at once, 640 x 480",
            f"<= {MAX_IDLE}",
            _judged(after_idleness, MAX_IDLE),
            f"{idle:.0f} ms against {warm:.0f}",
        ],
        *(
            [
                f"peak memory after {REQUESTS} mixed requests, function of {memory_mb} MB",
                f"<= {MAX_PEAK_MB} MB",
                f"{_judged(peak, MAX_PEAK_MB)} MB",
                "pictures up to 4096 x 4096",
            ]
            for memory_mb, peak in zip(MEMORIES_MB, peaks, strict=True)
        ),
    ]
    text = (
        f"{report.machine()}; the function and layers as packaged, {deployed_pack().name} pack, in AWS's runtime "
        f"client; {RUNS} pairs in turn, medians of their ratios. MariaDB or MySQL and moto's S3 and DynamoDB on the "
        "same machine."
    )
    report.write_section("cold start", f"{text}\n\n{report.table(['what', 'bar', 'measured', 'detail'], rows)}")


def _judged(measured: float, most: float) -> str:
    return f"{measured:.3g}" if measured <= most else f"**{measured:.3g}**, missed"


class Detections(NamedTuple):
    """Seconds of a container's first detection, and medians of later ones: at once, and after a second of idleness."""

    first: float
    warm: float
    idle: float


def _detections(api: ContainerApi, photo: bytes) -> Detections:
    def seconds(pause: float = 0.0) -> float:
        time.sleep(pause)
        started = time.perf_counter()
        api.detect(photo)
        return time.perf_counter() - started

    first = seconds()
    later = [(seconds(IDLE_SECONDS), seconds()) for _ in range(WARM_REQUESTS)]
    idle, warm = (statistics.median(times) for times in zip(*later, strict=True))
    return Detections(first, warm, idle)


def _peak_mb(deployment: Deployment, environment: dict[str, str], memory_mb: int) -> float:
    """Return the peak memory after mixed requests, in millions of bytes; one in 20 has a largest picture."""
    photo = pictures.astronaut_pixels()
    sizes = [pictures.jpeg(pictures.scaled(photo, factor)) for factor in (1, 0.5, 2)]
    largest = pictures.jpeg(pictures.scaled(photo, 8))
    with Container(deployment, environment=environment, memory_mb=memory_mb) as container:
        api = ContainerApi(container)
        for i in range(REQUESTS // 10):
            picture = largest if i % 2 else sizes[i // 2 % len(sizes)]
            token = api.token(picture)
            api.add(token, face_name="Ada")
            api.search(token)
            for _ in range(2):
                api.search_picture(sizes[i % len(sizes)])
            api.detect(pictures.two_faces())
            api.detect(pictures.cat())
            api.get("/info")
            api.get("/search", face_token="unknown", threshold="0.65")
            api.remove(token)
        return container.peak_memory_bytes() / 1e6


def _photograph() -> bytes:
    """Return a photograph of one face in a frame of 640 x 480 px."""
    face = cv2.resize(pictures.astronaut_pixels(), (480, 480), interpolation=cv2.INTER_AREA)
    return pictures.jpeg(np.pad(face, ((0, 0), (80, 80), (0, 0)), mode="edge"))


@contextmanager
def _environment(deployment: Deployment) -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    os.environ |= {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "eu-central-1", "NO_PROXY": "127.0.0.1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with mysql_port() as mysql:
        if mysql is None:
            sys.exit("No MySQL server answers on port 3306, and there is none to start.")
        with stores(deployment, sdk.client("dynamodb"), sdk.client("s3"), endpoint, mysql) as environment:
            yield environment
    server.stop()


if __name__ == "__main__":
    main()
