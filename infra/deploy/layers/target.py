"""Describes a target of the layers: Lambda's architecture, its Python, and the libraries of its system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.deploy.layers.errors import LayerError

Version = tuple[int, ...]

# Lambda's architecture name -> the name in wheel tags, and ELF's e_machine (EM_AARCH64, EM_X86_64 in the System V ABI).
ARCHITECTURES = {"arm64": ("aarch64", 183), "x86_64": ("x86_64", 62)}

# Newest symbol versions of glibc (GLIBC) and libstdc++ (GLIBCXX and CXXABI: "ABI Policy" in the libstdc++ manual).
AMAZON_LINUX_2 = {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)}  # GCC 7.3
AMAZON_LINUX_2023 = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13)}  # GCC 11

# The system of each runtime: "Lambda runtimes" in AWS's developer guide.
RUNTIMES = {
    "python3.11": AMAZON_LINUX_2,
    "python3.12": AMAZON_LINUX_2023,
    "python3.13": AMAZON_LINUX_2023,
    "python3.14": AMAZON_LINUX_2023,
}

# The oldest glibc that current wheels are built for: manylinux2014 is manylinux_2_17 (PEP 600).
OLDEST_GLIBC_MINOR = 17


@dataclass(frozen=True, slots=True)
class Target:
    """A Lambda environment that the layers run on.

    `architecture` is Lambda's name, and `python` a version like 3.13. `provides` has the newest symbol versions of the
    system libraries.
    """

    architecture: str
    python: str
    provides: Mapping[str, Version]

    def __str__(self) -> str:
        return f"python{self.python} on {self.architecture}"

    @property
    def machine(self) -> int:
        """ELF's number for the architecture."""
        return ARCHITECTURES[self.architecture][1]

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run on the target, best first.

        pip compares tags literally, so each glibc version has its own tag. The oldest come first: if a package such as
        OpenCV has several builds, the older build bundles less.
        """
        name = ARCHITECTURES[self.architecture][0]
        minors = range(OLDEST_GLIBC_MINOR, self.provides["GLIBC"][1] + 1)
        return [*(f"manylinux_2_{minor}_{name}" for minor in minors), f"manylinux2014_{name}"]


def target(architecture: str, runtime: str) -> Target:
    """Return the target for Lambda's names of an architecture and a runtime.

    Raises
    ------
    LayerError
        When either name is unknown.
    """
    if architecture not in ARCHITECTURES:
        raise LayerError(f"unknown ARCH={architecture}: ARCH must be one of {', '.join(ARCHITECTURES)}")
    if runtime not in RUNTIMES:
        raise LayerError(f"unknown RUNTIME={runtime}: RUNTIME must be one of {', '.join(RUNTIMES)}")
    return Target(architecture, runtime.removeprefix("python"), RUNTIMES[runtime])
