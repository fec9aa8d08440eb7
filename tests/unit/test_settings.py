"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.settings import SETTINGS, Settings, SettingsError

ROOT = Path(__file__).parents[2]


def test_an_empty_environment_gives_the_defaults_of_a_laptop() -> None:
    settings = Settings.from_environment({})

    assert settings.database_url == "sqlite:///.local/face_set.sqlite"
    assert settings.token_ttl_seconds == 24 * 3600
    assert settings.smallest_face_px is None


def test_an_empty_variable_counts_as_absent() -> None:
    assert Settings.from_environment({"TOKENS_TABLE": ""}).tokens_table == "face-search-tokens"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DATABASE_URL", "postgres://localhost/x", "DATABASE_URL must begin with"),
        ("DATABASE_URL", "face_set.sqlite", "DATABASE_URL must begin with"),
        ("TOKEN_TTL_SECONDS", "0", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "a day", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "-5", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "1e4", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "172801", "TOKEN_TTL_SECONDS must be"),
        ("TOKEN_TTL_SECONDS", "٣", "TOKEN_TTL_SECONDS must be"),
        ("SMALLEST_FACE_PX", "19", "SMALLEST_FACE_PX must be a whole number from 20 to 400"),
        ("SMALLEST_FACE_PX", "401", "SMALLEST_FACE_PX must be"),
        ("SMALLEST_FACE_PX", "60.5", "SMALLEST_FACE_PX must be"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_value_that_cannot_work_is_named(name: str, value: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"^{complaint}"):
        Settings.from_environment({name: value})


def test_sqlite_is_refused_on_lambda() -> None:
    with pytest.raises(SettingsError, match="MySQL"):
        Settings.from_environment({"AWS_LAMBDA_FUNCTION_NAME": "x"})


def test_every_setting_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()

    assert [setting.name for setting in SETTINGS if f"`{setting.name}`" not in readme] == []


def test_every_setting_has_a_field() -> None:
    assert [setting.name.lower() for setting in SETTINGS] == list(Settings.__slots__)
