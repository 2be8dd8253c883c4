from __future__ import annotations

from pathlib import Path

import pytest

from stagewright.domain.errors import ConfigurationError
from stagewright.entrypoints.settings import Settings, load_settings


def origin(start: Path, name: str, **flags: object) -> tuple[object, str]:
    loaded = load_settings(flags, start)
    return next((o.value, o.source) for o in loaded.origins() if o.name == name)


def test_a_default_says_that_it_is_one(tmp_path: Path) -> None:
    assert origin(tmp_path, "lease_s") == (30.0, "default")


def test_the_file_wins_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "stagewright.toml").write_text("lease_s = 5\n")
    assert origin(tmp_path, "lease_s") == (5.0, str(tmp_path / "stagewright.toml"))


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stagewright.toml").write_text("lease_s = 5\n")
    monkeypatch.setenv("STAGEWRIGHT_LEASE_S", "6")
    assert origin(tmp_path, "lease_s") == (6.0, "env STAGEWRIGHT_LEASE_S")


def test_a_flag_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEWRIGHT_LEASE_S", "6")
    assert origin(tmp_path, "lease_s", lease_s=7) == (7.0, "flag")
    assert origin(tmp_path, "lease_s", lease_s=None) == (6.0, "env STAGEWRIGHT_LEASE_S")


def test_the_nearest_file_upward_is_read(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "stagewright.toml").write_text("port = 1\n")
    (tmp_path / "a" / "stagewright.toml").write_text("port = 2\n")
    assert origin(inner, "port") == (2, str(tmp_path / "a" / "stagewright.toml"))


@pytest.mark.parametrize("mark", ["pyproject.toml", "stagewright.toml"])
def test_the_default_database_stands_beside_the_project_file(tmp_path: Path, mark: str) -> None:
    (tmp_path / mark).touch()
    inner = tmp_path / "deep"
    inner.mkdir()
    expected = f"sqlite:///{tmp_path}/.stagewright/state.db"
    assert origin(inner, "url") == (expected, "default")


def test_without_a_project_the_default_database_stands_in_the_working_folder(
    tmp_path: Path,
) -> None:
    assert (
        load_settings(start=tmp_path).settings.url == f"sqlite:///{tmp_path}/.stagewright/state.db"
    )


def test_a_relative_database_starts_at_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "stagewright.toml").write_text('url = "sqlite:///x.db"\n')
    inner = tmp_path / "deep"
    inner.mkdir()
    assert load_settings(start=inner).settings.url == f"sqlite:///{tmp_path}/x.db"
    given = load_settings({"url": "sqlite:///y.db"}, inner)
    assert given.settings.url == f"sqlite:///{inner}/y.db"


def test_an_unknown_key_is_named_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "stagewright.toml").write_text("leases = 5\n")
    with pytest.raises(ConfigurationError, match=r"^leases: .*lease_s") as caught:
        load_settings(start=tmp_path)
    assert str(tmp_path / "stagewright.toml") in str(caught.value)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "stagewright.toml").write_text("lease_s = = 5\n")
    with pytest.raises(ConfigurationError, match=r"stagewright\.toml: cannot be read"):
        load_settings(start=tmp_path)


def test_a_value_that_cannot_be_used_names_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGEWRIGHT_LEASE_S", "-1")
    with pytest.raises(ConfigurationError, match=r"lease_s.*'-1' \(from env STAGEWRIGHT_LEASE_S\)"):
        load_settings(start=tmp_path)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    flags = {"url": "redis://ann:horse@host:1/0", "token": "battery"}
    loaded = load_settings(flags, tmp_path)
    assert loaded.settings.token is not None
    assert loaded.settings.token.get_secret_value() == "battery"
    shown = repr(loaded.origins()) + repr(loaded.settings.token)
    assert "horse" not in shown
    assert "battery" not in shown


def test_constructing_settings_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEWRIGHT_LEASE_S", "6")
    assert Settings().lease_s == 30.0


def test_every_setting_says_what_it_is_for() -> None:
    assert all(info.description for info in Settings.model_fields.values())
