"""Settings: every value with the place it came from.

A flag wins over a `STAGEWRIGHT_*` variable, this over the nearest `stagewright.toml` upward from
the working directory, this over the default. Constructing `Settings` directly reads nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from stagewright.domain.errors import ConfigurationError, listing
from stagewright.entrypoints.addresses import absolute_url, without_secrets

TOML_NAME = "stagewright.toml"
ENV_PREFIX = "STAGEWRIGHT_"
_ROOT_MARKS = (TOML_NAME, "pyproject.toml")
_DAY_S = 86_400.0
_YEARS_S = 10 * 366 * _DAY_S

Duration = Annotated[float, Field(gt=0, le=_YEARS_S)]


class Settings(BaseSettings):
    """What a process can be told. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, env_parse_none_str="none"
    )

    url: str = Field(
        default="sqlite:///.stagewright/state.db",
        min_length=1,
        description="Where workflows live: `sqlite:///PATH`, `redis://...` (a server, or any node "
        "of a cluster), `redis+cluster://HOST:PORT,HOST:PORT/`, `memory://`, or the address of a "
        "running server (`http://127.0.0.1:PORT`). On Redis, `?replicas=1` lets each answer wait "
        "for a replica. A relative path starts at the folder of the file that names it, else at "
        "the working directory; the default stands beside the nearest `stagewright.toml` or "
        "`pyproject.toml`.",
    )
    namespace: str = Field(
        default="sw",
        pattern=r"^[a-z][a-z0-9_-]{0,30}$",
        description="Separates installations that share one Redis.",
    )
    partitions: Annotated[int, Field(ge=1, le=4_096)] | None = Field(
        default=None,
        description="Number of partitions, fixed when the namespace is created. Without a value "
        "the backend decides.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="API key or owner's token, for a server that `url` names by `http://`. A "
        "server that is started with it takes it for its owner's token.",
    )
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=0,
        description="Port of the control interface of `dev` and `serve`; 0 takes a free one.",
    )
    host: str = Field(
        default="127.0.0.1",
        pattern=r"^[0-9A-Fa-f.:]{2,45}$",
        description="Address on which the control interface listens. Any but loopback needs an API "
        "key first, and something in front of it that speaks HTTPS.",
    )
    allowed_hosts: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._\-\[\]:, ]*$",
        max_length=2_000,
        description="Names, separated by commas, that the control interface answers to besides "
        "its own address: those by which browsers reach it through a proxy.",
    )
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="Tasks that one process runs at once for each agent."
    )
    lease_s: Annotated[float, Field(ge=1, le=3_600)] = Field(
        default=30.0,
        description="How long a task stays with an agent that gives no sign of life.",
    )
    ownership_s: Annotated[float, Field(ge=1, le=3_600)] = Field(
        default=10.0,
        description="How long the partitions of an orchestrator that gives no sign of life wait "
        "for another one; on the same host, one that ended is seen at once.",
    )
    hand_in: Literal["steps", "inbox"] = Field(
        default="steps",
        description="`steps`: whoever runs agents decides what their results make of a workflow "
        "and commits that. `inbox`: it hands results to an orchestrator, and needs no definitions.",
    )
    grace_s: Annotated[float, Field(ge=0, le=3_600)] = Field(
        default=10.0,
        description="How long running tasks may finish when a process stops or reloads.",
    )
    retention_s: Duration = Field(
        default=7 * _DAY_S, description="How long a finished workflow is kept."
    )
    tombstone_s: Duration = Field(
        default=30 * _DAY_S,
        description="How long the key of a forgotten workflow stays taken.",
    )
    feed_retention_s: Duration = Field(
        default=7 * _DAY_S, description="How long events stay on the feed."
    )
    audit_retention_s: Duration = Field(
        default=90 * _DAY_S, description="How long it is kept who changed what."
    )
    log_format: Literal["auto", "json", "pretty"] = Field(
        default="auto", description="`auto` is pretty on a terminal and JSON elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least urgent lines that are written."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Construct from arguments alone: `load_settings` reads the other sources, and says so."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Origin:
    """One value, ready to be shown, and where it came from."""

    name: str
    value: Any
    source: str
    """`flag`, `env STAGEWRIGHT_X`, the path of a toml file, or `default`."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with their sources."""

    settings: Settings
    sources: Mapping[str, str]
    root: Path
    """The project's folder: where the default database stands."""

    def origins(self) -> list[Origin]:
        """Return every value with its source, secrets hidden, in the order of the reference."""
        return [
            Origin(name, _shown(getattr(self.settings, name)), self.sources.get(name, "default"))
            for name in Settings.model_fields
        ]


def load_settings(flags: Mapping[str, Any] | None = None, start: Path | None = None) -> Loaded:
    """Read all sources; raise ConfigurationError that names the setting and its source.

    `flags` holds what the command line was given; None values are flags that were not.
    `start` is where the search for `stagewright.toml` begins (default: the working directory).
    """
    here = (start or Path.cwd()).resolve()
    toml_path = nearest(here, (TOML_NAME,))
    root = (nearest(here, _ROOT_MARKS) or here / TOML_NAME).parent
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers: list[tuple[dict[str, Any], str, Path]] = [
        (_from_toml(toml_path), str(toml_path), toml_path.parent if toml_path else here),
        (_from_environment(), "env", here),
        (given, "flag", here),
    ]
    values: dict[str, Any] = {"url": absolute_url("sqlite:///.stagewright/state.db", root)}
    sources: dict[str, str] = {}
    for layer, source, base in layers:
        for name, value in layer.items():
            values[name] = absolute_url(value, base) if name == "url" else value
            sources[name] = f"env {ENV_PREFIX}{name.upper()}" if source == "env" else source
    return Loaded(_checked(values, sources), sources, root)


def nearest(start: Path, names: tuple[str, ...]) -> Path | None:
    """Return the first of the named files in `start` or the closest folder above it."""
    for folder in (start, *start.parents):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def _from_toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(str(path), f"cannot be read: {error}") from error
    for key in found:
        if key not in Settings.model_fields:
            raise ConfigurationError(
                key,
                f"{path} names a setting that does not exist.",
                remedy=f"Known settings: {listing(Settings.model_fields, limit=50)}.",
            )
    return found


def _from_environment() -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    return {name: value for name, value in source().items() if name in Settings.model_fields}


def _checked(values: dict[str, Any], sources: Mapping[str, str]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        found = "" if name == "token" else f", found {first['input']!r}"
        raise ConfigurationError(
            name,
            f"{first['msg']}{without_secrets(found)} (from {sources.get(name, 'default')}).",
            remedy="See `stagewright config show`.",
        ) from error


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "***"
    return without_secrets(value) if isinstance(value, str) else value
