"""Whom a server of these settings lets in."""

from __future__ import annotations

import ipaddress

import structlog

from stagewright.domain.errors import ConfigurationError
from stagewright.entrypoints.api.rules import LOOPBACK_NAMES, Rules, name_of
from stagewright.entrypoints.api.server import is_loopback
from stagewright.entrypoints.settings import Settings

log = structlog.get_logger(__name__)


def rules_of(
    settings: Settings, *, keys: bool, development: bool, sign_in: str | None = None
) -> Rules:
    """Return what the guard is told; ConfigurationError for an address that is not safe.

    That is one which others could reach before there is a key, or while none is needed.
    """
    if not is_loopback(settings.host):
        _check_reachable(settings, keys=keys, development=development)
    hosts = LOOPBACK_NAMES | _names(settings)
    return Rules(hosts=hosts, development=development, sign_in=sign_in)


def _check_reachable(settings: Settings, *, keys: bool, development: bool) -> None:
    if development:
        raise ConfigurationError(
            "host",
            f"{settings.host} can be reached by others, and development mode asks for no key.",
            remedy="Leave `host` at 127.0.0.1, or use `stagewright serve` with API keys.",
        )
    if not keys:
        raise ConfigurationError(
            "host",
            f"{settings.host} can be reached by others, and there is no API key yet.",
            remedy="Make one first: `stagewright key create NAME --scope admin`.",
        )
    log.warning(
        "plain_http_beyond_loopback",
        host=settings.host,
        remedy="Put something in front that speaks HTTPS: keys travel readable otherwise.",
    )


def _names(settings: Settings) -> frozenset[str]:
    given = [name.strip().lower() for name in settings.allowed_hosts.split(",")]
    named = {name_of(name) for name in given if name}
    address = ipaddress.ip_address(settings.host)
    if not address.is_unspecified:
        named.add(f"[{address}]" if address.version == 6 else str(address))  # noqa: PLR2004
    return frozenset(named)
