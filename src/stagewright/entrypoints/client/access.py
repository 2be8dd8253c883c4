"""API keys, and who changed what."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.domain.errors import UsageError
from stagewright.entrypoints.client.session import Session, request_of
from stagewright.entrypoints.connections import Connection
from stagewright.ports.audit import AuditPage, AuditQuery, IAuditReader
from stagewright.ports.keys import IKeys, KeyRequest, KeyView, NewKey


class AccessControl(Session):
    """Make and revoke keys, and read the audit."""

    async def create_key(
        self,
        name: str,
        scopes: Sequence[str] = (),
        *,
        agents: Sequence[str] = (),
        groups: Sequence[str] = (),
        expires_s: float | None = None,
    ) -> NewKey:
        """Make an API key. Its `secret` is in this answer and nowhere else.

        Scopes: read, start, operate, approve, admin; `agents` are those it works as, `*` for all;
        `groups` those it decides approvals for.
        """
        given = {
            "name": name,
            "scopes": tuple(scopes),
            "agents": tuple(agents),
            "groups": tuple(groups),
            "expires_s": expires_s,
        }
        request = request_of(KeyRequest, given)
        return await self._call(lambda to: _keys(to).create(request))

    async def keys(self) -> Sequence[KeyView]:
        """Return all API keys, expired and revoked ones too."""
        return await self._call(lambda to: _keys(to).list())

    async def revoke_key(self, key_id: str) -> KeyView:
        """Take an API key out of service, for good; NotFound. Servers notice within 2 s."""
        return await self._call(lambda to: _keys(to).revoke(key_id))

    async def audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AuditPage:
        """Return who changed what, newest first; all filters that are given must hold."""
        query = AuditQuery(actor, action, target, cursor, limit)
        return await self._call(lambda to: _audit(to).page(query))


def _keys(connection: Connection) -> IKeys:
    if connection.keys is None:
        raise _alone()
    return connection.keys


def _audit(connection: Connection) -> IAuditReader:
    if connection.audit is None:
        raise _alone()
    return connection.audit


def _alone() -> UsageError:
    return UsageError(
        "Workflows that run inside this process have neither keys nor an audit.",
        remedy="Use `Stagewright(url)`.",
    )
