"""Reading settings from the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.settings import SETTINGS, Settings, SettingsError, current_settings

ROOT = Path(__file__).parents[2]


def test_an_empty_environment_gives_the_local_defaults() -> None:
    settings = Settings.from_environment({})

    assert settings.database_url == "sqlite:///.local/face_set.sqlite"
    assert settings.token_ttl_seconds == 24 * 3600
    assert settings.smallest_face_px is None
    assert (settings.max_image_bytes, settings.max_image_side_px) == (2_097_152, 4096)


def test_an_empty_variable_counts_as_absent() -> None:
    assert Settings.from_environment({"TOKENS_TABLE": ""}).tokens_table == "face-search-tokens"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DATABASE_URL", "postgres://localhost/x", "DATABASE_URL must begin with"),
        ("DATABASE_URL", "face_set.sqlite", "DATABASE_URL must begin with"),
        ("SEGMENTS", "disk", "SEGMENTS must be one of database, s3"),
        ("TOKEN_TTL_SECONDS", "0", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "a day", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "-5", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "1e4", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "172801", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "٣", "TOKEN_TTL_SECONDS must be"),
        ("SMALLEST_FACE_PX", "19", "SMALLEST_FACE_PX must be a whole number from 20 to 400"),
        ("SMALLEST_FACE_PX", "401", "SMALLEST_FACE_PX must be"),
        ("SMALLEST_FACE_PX", "60.5", "SMALLEST_FACE_PX must be"),
        ("MAX_IMAGE_BYTES", "2097151", "MAX_IMAGE_BYTES must be a whole number from 2097152 to 4400000"),
        ("MAX_IMAGE_BYTES", "4400001", "MAX_IMAGE_BYTES must be"),
        ("MAX_IMAGE_BYTES", "4 MB", "MAX_IMAGE_BYTES must be"),
        ("MAX_IMAGE_SIDE_PX", "4095", "MAX_IMAGE_SIDE_PX must be a whole number from 4096 to 8192"),
        ("MAX_IMAGE_SIDE_PX", "8193", "MAX_IMAGE_SIDE_PX must be"),
        ("MAX_IMAGE_SIDE_PX", "5e3", "MAX_IMAGE_SIDE_PX must be"),
        ("REQUEST_SECONDS", "9" * 5000, "REQUEST_SECONDS must be a whole number from 1 to 840"),
        ("CORS_ORIGIN", "https://a.example, https://b.example", "CORS_ORIGIN must be one origin"),
        ("CORS_ORIGIN", "https://a.example/page", "CORS_ORIGIN must be one origin"),
        ("CORS_ORIGIN", "a.example", "CORS_ORIGIN must be one origin"),
        ("IDENTITY", "none", "IDENTITY must be one of key, iam, jwt"),
        ("AUDIT", "true", "AUDIT must be one of off, on"),
        ("EVENT_BUS", "a bus", "EVENT_BUS must be the name of a bus"),
        ("EVENT_BUS", "a" * 257, "EVENT_BUS must be the name of a bus"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_an_invalid_value_is_named(name: str, value: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"^{complaint}"):
        Settings.from_environment({name: value})


def test_sqlite_is_refused_on_lambda() -> None:
    with pytest.raises(SettingsError, match="MySQL"):
        Settings.from_environment({"AWS_LAMBDA_FUNCTION_NAME": "x"})


def test_every_setting_has_a_field() -> None:
    assert [setting.name.lower() for setting in SETTINGS] == list(Settings.__slots__)


@pytest.fixture
def unread() -> Iterator[None]:
    current_settings.cache_clear()
    yield
    current_settings.cache_clear()


@pytest.mark.usefixtures("unread")
def test_a_process_reads_its_settings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROPS_BUCKET", "first")
    assert current_settings().crops_bucket == "first"

    monkeypatch.setenv("CROPS_BUCKET", "second")

    assert current_settings().crops_bucket == "first"


@pytest.mark.usefixtures("unread")
def test_invalid_settings_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGIN", "https://a.example, https://b.example")
    with pytest.raises(SettingsError):
        current_settings()

    monkeypatch.setenv("CORS_ORIGIN", "https://a.example")

    assert current_settings().cors_origin == "https://a.example"


@pytest.mark.parametrize("file", [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))], ids=str)
def test_only_the_settings_module_names_settings(file: Path) -> None:
    """Reading a setting directly from the environment would bypass its check."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}

    assert file.name == "settings.py" or not texts & {setting.name for setting in SETTINGS}
