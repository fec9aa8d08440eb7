"""What the layers are built for: an architecture and a Python of Lambda, and what its system brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.deploy.layers.errors import LayerError

Version = tuple[int, ...]

# Lambda's name of an architecture -> the wheels' one, and ELF's e_machine (EM_AARCH64, EM_X86_64 of the System V ABI).
ARCHITECTURES = {"arm64": ("aarch64", 183), "x86_64": ("x86_64", 62)}

# The newest symbol versions of glibc (GLIBC) and of libstdc++ (GLIBCXX and CXXABI: "ABI Policy" in its manual).
AMAZON_LINUX_2 = {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)}  # GCC 7.3
AMAZON_LINUX_2023 = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13)}  # GCC 11

# Which of them a runtime runs on: "Lambda runtimes" of AWS's developer guide.
RUNTIMES = {
    "python3.11": AMAZON_LINUX_2,
    "python3.12": AMAZON_LINUX_2023,
    "python3.13": AMAZON_LINUX_2023,
    "python3.14": AMAZON_LINUX_2023,
}

# The oldest glibc that the wheels of today are built for: manylinux2014 is manylinux_2_17 (PEP 600).
OLDEST_GLIBC_MINOR = 17


@dataclass(frozen=True, slots=True)
class Target:
    """A place where the layers run.

    `architecture` is Lambda's name, `python` like 3.13; `provides` the newest symbol versions of its system libraries.
    """

    architecture: str
    python: str
    provides: Mapping[str, Version]

    def __str__(self) -> str:
        return f"python{self.python} on {self.architecture}"

    @property
    def machine(self) -> int:
        """ELF's number of the architecture."""
        return ARCHITECTURES[self.architecture][1]

    @property
    def platforms(self) -> list[str]:
        """Tags of the wheels that run there, best first.

        pip takes tags literally, so each glibc has its own. The oldest come first because, where a package has several
        builds, the older one bundles less: OpenCV's.
        """
        name = ARCHITECTURES[self.architecture][0]
        minors = range(OLDEST_GLIBC_MINOR, self.provides["GLIBC"][1] + 1)
        return [*(f"manylinux_2_{minor}_{name}" for minor in minors), f"manylinux2014_{name}"]


def target(architecture: str, runtime: str) -> Target:
    """Return the target of an architecture and a runtime by Lambda's names.

    Raises
    ------
    LayerError
        When one of them is not known.
    """
    if architecture not in ARCHITECTURES:
        raise LayerError(f"ARCH={architecture} is not known: it is one of {', '.join(ARCHITECTURES)}")
    if runtime not in RUNTIMES:
        raise LayerError(f"RUNTIME={runtime} is not known: it is one of {', '.join(RUNTIMES)}")
    return Target(architecture, runtime.removeprefix("python"), RUNTIMES[runtime])
