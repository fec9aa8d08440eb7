"""Pruning removes files that the service never loads, and keeps all others."""

from __future__ import annotations

from pathlib import Path

from infra.deploy.layers.pruning import prune

STAYS = {
    "botocore/data/_retry.json",
    "botocore/data/endpoints.json",
    "botocore/data/events/2015-10-07/service-2.json.gz",
    "botocore/data/s3vectors/2025-07-15/service-2.json.gz",
    "botocore/docs/docstring.py",
    "cv2/cv2.abi3.so",
    "cv2/LICENSE-3RD-PARTY.txt",
    "numpy/testing/__init__.py",
    "numpy-2.4.6.dist-info/licenses/LICENSE.txt",
    "onnxruntime/capi/onnxruntime_pybind11_state.cpython-313-aarch64-linux-gnu.so",
    "onnxruntime/ThirdPartyNotices.txt",
    "opencv_python_headless.libs/libaom-55.so.3",
    "pymysql/protocol.py",
    "simplejpeg/_jpeg.cpython-313-aarch64-linux-gnu.so",
}
GOES = {
    "bin/f2py",
    "botocore/data/ec2/2016-11-15/service-2.json.gz",
    "botocore/data/s3control/2018-08-20/service-2.json.gz",
    "cv2/data/haarcascade_frontalface_default.xml",
    "flatbuffers/builder.py",
    "google/protobuf/message.py",
    "numpy/__init__.pyi",
    "numpy/_core/include/numpy/ndarrayobject.h",
    "numpy/_core/tests/test_umath.py",
    "numpy/f2py/crackfortran.py",
    "numpy-2.4.6.dist-info/RECORD",
    "onnxruntime/capi/libonnxruntime.so.1.26.0",
    "onnxruntime/transformers/models/bert/convert.py",
    "packaging-26.3.dist-info/METADATA",
}


def test_files_that_the_service_never_loads_are_removed(tmp_path: Path) -> None:
    for name in STAYS | GOES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    prune(tmp_path)

    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == STAYS


def test_empty_folders_are_removed(tmp_path: Path) -> None:
    (tmp_path / "numpy" / "_core" / "tests" / "data").mkdir(parents=True)
    (tmp_path / "multipart.py").touch()

    prune(tmp_path)

    assert [path.name for path in tmp_path.rglob("*")] == ["multipart.py"]
