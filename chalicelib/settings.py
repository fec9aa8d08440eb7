"""Reads and checks all settings, once, from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple


class Setting(NamedTuple):
    name: str
    default: str
    help: str


SETTINGS = (
    Setting("MODEL_DIR", "models/build/current", "folder of the model pack: its card and its ONNX files"),
    Setting(
        "DATABASE_URL",
        "sqlite:///.local/face_set.sqlite",
        "database of the face set: mysql://user:password@host:3306/database, or sqlite:///file (not on Lambda). "
        "?ca=file or ?ca=system verifies the server; &auth=iam logs in with a token signed with AWS credentials",
    ),
    Setting("TOKENS_TABLE", "face-search-tokens", "DynamoDB table of temporary faces"),
    Setting("CROPS_BUCKET", "face-search-crops", "S3 bucket of crops"),
    Setting("INCOMING_BUCKET", "face-search-incoming", "S3 bucket of incoming pictures and their results"),
    Setting(
        "SEGMENTS",
        "database",
        "where compaction stores the packed codes that new containers load: database, or s3 (the crops' bucket)",
    ),
    Setting(
        "GALLERY",
        "memory",
        "where searches look: memory (exact), or s3vectors (for more faces than a container's memory holds; may miss "
        "faces)",
    ),
    Setting("VECTOR_BUCKET", "face-search-vectors", "Amazon S3 Vectors bucket, with GALLERY=s3vectors"),
    Setting("TOKEN_TTL_SECONDS", "86400", "lifetime of a detected face under its token, in seconds"),
    Setting(
        "SMALLEST_FACE_PX",
        "",
        "smallest face to detect, in pixels of its shorter side; by default the pack's, 30. 60 takes half the time, in "
        "the largest pictures a third",
    ),
    Setting(
        "MAX_IMAGE_BYTES",
        "2097152",
        "largest picture, in bytes; at most 4400000, and less in some forms: see docs/api.md",
    ),
    Setting(
        "MAX_IMAGE_SIDE_PX",
        "4096",
        "longest side of a picture, in pixels; at most 8192, which needs 800 MB and 4 times the time",
    ),
    Setting(
        "REQUEST_SECONDS",
        "24",
        "seconds after which a request is answered by 503; the default fits API Gateway's limit of 29 s",
    ),
    Setting("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR"),
    Setting(
        "IDENTITY",
        "key",
        "how API Gateway knows callers: key (API keys), iam (requests signed with AWS credentials), or jwt (bearer "
        "tokens, which limit a caller); local servers work with key only",
    ),
    Setting("AUDIT", "off", "on: a deployed service logs a line for each request with its caller and its face tokens"),
    Setting(
        "EVENT_BUS", "", "bus of Amazon EventBridge that gets an event for each addition, removal and identification"
    ),
    Setting("CORS_ORIGIN", "", "origin of pages that may call the service from a browser, or *; none by default"),
)

# Temporary crops expire after two days (infra/deploy/template/resources.yaml), and a token needs its crop.
MAX_TOKEN_TTL_SECONDS = 2 * 86_400

# A Lambda function runs for 15 minutes at most.
MAX_REQUEST_SECONDS = 840

# The published contract's largest picture, and the largest that a request carries and a function decodes
# (docs/decisions/0146-larger-pictures.md).
CONTRACT_IMAGE_BYTES, MOST_IMAGE_BYTES = 2 * 1024 * 1024, 4_400_000
CONTRACT_SIDE_PX, MOST_SIDE_PX = 4096, 8192

# P-Net's windows are 12 px; below 20 px, people cannot be distinguished.
SMALLEST_FACES_PX = range(20, 401)

SEGMENT_PLACES = ("database", "s3")
GALLERIES = ("memory", "s3vectors")

IDENTITIES = ("key", "iam", "jwt")

_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
# CreateEventBus' rule.
_BUS = re.compile(r"[A-Za-z0-9/._-]{1,256}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_SWITCH = ("off", "on")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(ValueError):
    """A setting has an invalid value."""


@dataclass(frozen=True, slots=True)
class Settings:
    model_dir: str
    database_url: str
    tokens_table: str
    crops_bucket: str
    incoming_bucket: str
    segments: str
    gallery: str
    vector_bucket: str
    token_ttl_seconds: int
    smallest_face_px: int | None
    max_image_bytes: int
    max_image_side_px: int
    request_seconds: int
    log_level: str
    identity: str
    audit: bool
    event_bus: str | None
    cors_origin: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check all settings. An empty variable counts as unset.

        Raises
        ------
        SettingsError
            When a value is invalid; the message names the variable and the accepted values.
        """
        values = {setting.name: environment.get(setting.name) or setting.default for setting in SETTINGS}
        scheme = values["DATABASE_URL"].partition(":")[0]
        if scheme not in ("mysql", "sqlite"):
            raise SettingsError("DATABASE_URL must begin with mysql:// or sqlite:///")
        if scheme == "sqlite" and environment.get("AWS_LAMBDA_FUNCTION_NAME"):
            raise SettingsError("DATABASE_URL must name a MySQL server on Lambda: a container's files are lost")
        if values["SEGMENTS"] not in SEGMENT_PLACES:
            raise SettingsError(f"SEGMENTS must be one of {', '.join(SEGMENT_PLACES)}")
        if values["GALLERY"] not in GALLERIES:
            raise SettingsError(f"GALLERY must be one of {', '.join(GALLERIES)}")
        if values["LOG_LEVEL"] not in _LOG_LEVELS:
            raise SettingsError(f"LOG_LEVEL must be one of {', '.join(_LOG_LEVELS)}")
        if values["IDENTITY"] not in IDENTITIES:
            raise SettingsError(f"IDENTITY must be one of {', '.join(IDENTITIES)}")
        if values["AUDIT"] not in _SWITCH:
            raise SettingsError(f"AUDIT must be one of {', '.join(_SWITCH)}")
        if values["EVENT_BUS"] and not _BUS.fullmatch(values["EVENT_BUS"]):
            raise SettingsError("EVENT_BUS must be the name of a bus: 1 to 256 of A-Z, a-z, 0-9, /, ., _ and -")
        origin = values["CORS_ORIGIN"]
        if origin and not _ORIGIN.fullmatch(origin):
            raise SettingsError("CORS_ORIGIN must be one origin, such as https://example.com, or *")
        return cls(
            model_dir=values["MODEL_DIR"],
            database_url=values["DATABASE_URL"],
            tokens_table=values["TOKENS_TABLE"],
            crops_bucket=values["CROPS_BUCKET"],
            incoming_bucket=values["INCOMING_BUCKET"],
            segments=values["SEGMENTS"],
            gallery=values["GALLERY"],
            vector_bucket=values["VECTOR_BUCKET"],
            token_ttl_seconds=_whole_number(values, "TOKEN_TTL_SECONDS", range(1, MAX_TOKEN_TTL_SECONDS + 1)),
            smallest_face_px=(
                _whole_number(values, "SMALLEST_FACE_PX", SMALLEST_FACES_PX) if values["SMALLEST_FACE_PX"] else None
            ),
            max_image_bytes=_whole_number(values, "MAX_IMAGE_BYTES", range(CONTRACT_IMAGE_BYTES, MOST_IMAGE_BYTES + 1)),
            max_image_side_px=_whole_number(values, "MAX_IMAGE_SIDE_PX", range(CONTRACT_SIDE_PX, MOST_SIDE_PX + 1)),
            request_seconds=_whole_number(values, "REQUEST_SECONDS", range(1, MAX_REQUEST_SECONDS + 1)),
            log_level=values["LOG_LEVEL"],
            identity=values["IDENTITY"],
            audit=values["AUDIT"] == "on",
            event_bus=values["EVENT_BUS"] or None,
            cors_origin=origin or None,
        )


def _whole_number(values: Mapping[str, str], name: str, accepted: range) -> int:
    value = values[name]
    if not _WHOLE_NUMBER.fullmatch(value) or int(value) not in accepted:
        raise SettingsError(f"{name} must be a whole number from {accepted[0]} to {accepted[-1]}")
    return int(value)


@cache
def current_settings() -> Settings:
    """Return the settings of this process, read once; `wiring.reset` clears them.

    Raises
    ------
    SettingsError
        See `Settings.from_environment`.
    """
    return Settings.from_environment(os.environ)
