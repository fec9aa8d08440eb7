"""A Lambda container: the real runtime client, in a process that sees only what it would see on Lambda."""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.lambda_runtime.deployment import Deployment
from tests.lambda_runtime.runtime_api import RuntimeApi
from tests.packs import deployed_pack

T = TypeVar("T")

# More than a busy machine needs.
PATIENCE_SECONDS = 120

# Mount the folders where Lambda has them, all read-only except /tmp. Hide the folder of processors, which Lambda lacks:
# https://github.com/microsoft/onnxruntime/issues/10038. The shell runs under `unshare` as root in its own namespaces.
# Nothing changes for other processes.
MOUNTS = """
set -e
opt=$1 task=$2 runtime=$3
shift 3
mount --bind "$opt" /opt
mount -o remount,bind,ro /opt
exec 3<"$task" 4<"$runtime"
mount -t tmpfs tmpfs /var
mkdir /var/task /var/runtime
mount --bind /proc/self/fd/3 /var/task
mount -o remount,bind,ro /var/task
mount --bind /proc/self/fd/4 /var/runtime
mount -o remount,bind,ro /var/runtime
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /sys/devices/system/cpu
mount -o remount,ro /var
mount -o remount,bind,ro /
exec 3<&- 4<&-
cd /var/task
exec "$@"
"""

UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


@cache
def namespaces_work() -> bool:
    """Return whether this user may create a mount namespace. Containers and some distributions forbid it."""
    command = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/var"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _ip(address: str) -> str:
    """Return an address of /proc/net/tcp, which has its bytes in the machine's order."""
    return socket.inet_ntoa(int(address, 16).to_bytes(4, sys.byteorder))


class Container:
    """A function's process, from its start to `close`. Also a context manager.

    Parameters
    ----------
    deployed
        The deployment to run: at Lambda's own paths if `namespaces_work`, else where it is.
    handler
        The function's handler, such as app.app.
    environment
        The function's own variables. MODEL_DIR is set to the deployed pack.
    memory_mb
        The function's memory. It is set as RLIMIT_DATA, which limits allocated address space. Allocated space is never
        less than the memory used for it. File-backed pages do not count, but they can be dropped at any time.
    command
        A command to run instead of the runtime client.
    patience_seconds
        The longest wait for the process, whatever it does.
    """

    def __init__(
        self,
        deployed: Deployment,
        handler: str = "app.app",
        environment: Mapping[str, str] | None = None,
        memory_mb: int = 1024,
        command: list[str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._api = RuntimeApi()
        self._api.start()
        self._log = TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._memory_mb = memory_mb
        self._patience_seconds = patience_seconds
        prefix: list[str] = []
        opt, task, runtime = str(deployed.opt), str(deployed.task), str(deployed.runtime)
        if namespaces_work():
            prefix = [*UNSHARE, "sh", "-c", MOUNTS, "sh", opt, task, runtime]
            opt, task, runtime = "/opt", "/var/task", "/var/runtime"
        given = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{deployed.version}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": "face-search-api",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/face-search-api",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "LAMBDA_RUNTIME_DIR": runtime,
            "LAMBDA_TASK_ROOT": task,
            "LANG": "en_US.UTF-8",
            "MODEL_DIR": f"{opt}/models/{deployed_pack().name}",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            # In the order of "Search path for dependencies" in AWS's developer guide, after the function's own folder.
            "PYTHONPATH": f"{opt}/python/lib/python{deployed.version}/site-packages:{opt}/python:{runtime}",
            "TZ": ":UTC",
            "_HANDLER": handler,
        }
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            # -S hides this Python's site-packages, which Lambda does not have.
            [*prefix, *deployed.python, "-S", *(command or ["-m", "awslambdaric", handler])],
            cwd=deployed.task,
            env=given | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=self._limit,  # noqa: PLW1509  # only sets limits
        )

    def _limit(self) -> None:
        most = self._memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            error.add_note(f"the function logged:\n{self.log()}")
        self.close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._api.close()
        self._log.close()

    @property
    def runtime_address(self) -> str:
        return self._api.address

    def init_seconds(self) -> float:
        """Wait for the function to request its first invocation, and return the seconds since the process started.

        Raises
        ------
        FunctionError
            If the function cannot be initialised.
        """
        return self._result(self._api.initialised) - self.started

    def wait_for_snapshot(self) -> None:
        """Wait until the runtime is ready for a snapshot: with AWS_LAMBDA_INITIALIZATION_TYPE=snap-start."""
        self._result(self._api.snapshot)

    def restore(self) -> None:
        """Let the runtime continue as after a snapshot."""
        self._api.restored.set()

    def open_files(self) -> list[str]:
        """Return what the process has open, apart from its input and output, such as socket:[1234]."""
        folder = Path(f"/proc/{self._process.pid}/fd")
        return [str(link.readlink()) for link in folder.iterdir() if int(link.name) > 2]

    def peers(self) -> set[str]:
        """Return the addresses that the process is connected to, as ip:port."""
        inodes = {name.removeprefix("socket:[").removesuffix("]") for name in self.open_files() if "socket:" in name}
        lines = Path(f"/proc/{self._process.pid}/net/tcp").read_text().splitlines()[1:]
        found = [line.split()[2] for line in lines if line.split()[9] in inodes]
        return {f"{_ip(address)}:{int(port, 16)}" for address, _, port in (peer.partition(":") for peer in found)}

    def invoke(self, event: Any) -> Any:
        """Return the function's answer to an event.

        Raises
        ------
        FunctionError
            If the function raises an error.
        """
        self.init_seconds()
        return self._result(self._api.invoke(event, self._patience_seconds))

    def exit_code(self) -> int:
        """Wait for the process to end, and return its exit code."""
        return self._process.wait(self._patience_seconds)

    def peak_memory_bytes(self) -> int:
        """Return the process's peak resident memory, including libraries and models mapped from files."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s*(\d+) kB", status)
        assert peak
        return int(peak[1]) * 1024

    def processor_seconds(self) -> float:
        """Return the processor time used by the process."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def loaded(self) -> str:
        """Return the list of files mapped into the process's memory, such as its libraries."""
        return Path(f"/proc/{self._process.pid}/maps").read_text()

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def _result(self, future: Future[T]) -> T:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                return future.result(timeout=0.2)
            except TimeoutError:
                if self._process.poll() is not None:
                    raise RuntimeError(f"the runtime ended with status {self._process.returncode}") from None
                if time.monotonic() > deadline:
                    raise
