"""Bugs in who is let in, and in what is written down of what they do."""

from __future__ import annotations

from tests.mutants.record import Planted

IN_ACCESS = (
    Planted(
        "answers to any name",
        "entrypoints/api/rules.py",
        "if name_of(host) not in rules.hosts:",
        "if not host:",
        "access",
    ),
    Planted(
        "takes other ports of this machine for its own pages",
        "entrypoints/api/rules.py",
        'frozenset({b"same-origin", b"none"})',
        'frozenset({b"same-origin", b"none", b"same-site"})',
        "access",
    ),
    Planted(
        "does not look where a request comes from",
        "entrypoints/api/rules.py",
        "if origin is not None and not _own_origin(origin, headers):",
        "if False:",
        "access",
    ),
    Planted(
        "changes things by a cookie alone",
        "entrypoints/api/guard.py",
        "if method not in SAFE_METHODS and not proves_page(headers, session.token):",
        "if False:",
        "access",
    ),
    Planted(
        "shows keys to whoever may look",
        "entrypoints/api/keys.py",
        '@router.get("", dependencies=[needs(Scope.ADMIN)])',
        '@router.get("", dependencies=[needs(Scope.READ)])',
        "access",
    ),
    Planted(
        "repeats a wrong key in its answer",
        "entrypoints/api/guard.py",
        'raise Unauthorized("The key is not one that is in force.")',
        'raise Unauthorized(f"The key {secret} is not one that is in force.")',
        "access",
    ),
    Planted(
        "lets streams go on whose key is over",
        "entrypoints/api/streams.py",
        "        except (Unauthorized, ForeignRequest):\n            return False",
        "        except (Unauthorized, ForeignRequest):\n            return True",
        "access",
    ),
    Planted(
        "waits for ever for the next request",
        "entrypoints/api/server.py",
        "        http=LineProtocol,\n",
        "",
        "access",
    ),
    Planted(
        "gives scripts the session",
        "entrypoints/api/credentials.py",
        '"HttpOnly", "SameSite=Strict"',
        '"SameSite=Strict"',
        "access",
    ),
    Planted(
        "lets in with a revoked key",
        "application/keys.py",
        "if entry is None or entry.retired:",
        "if entry is None:",
        "application",
    ),
    Planted(
        "asks the store for every stranger",
        "application/keys.py",
        "known = FRESH_S if hash_ in self._entries else _AGAIN_S",
        "known = FRESH_S if hash_ in self._entries else 0.0",
        "application",
    ),
    Planted(
        "keeps the session of a revoked key",
        "application/gate.py",
        "holder = self._owner(known.key_hash) or await self.keys.in_force(known.key_hash)",
        "holder = self._owner(known.key_hash) or await self.keys.in_force(known.key_hash) or OWNER",
        "application",
    ),
    Planted(
        "remembers a session that was ended here",
        "application/gate.py",
        "        self._known.pop(hash_, None)\n",
        "",
        "application",
    ),
    Planted(
        "writes down a change only when it is made",
        "application/audit_trail.py",
        "        await self._write(begun)\n",
        "",
        "application",
    ),
    Planted(
        "believes for which groups somebody says they decide",
        "application/audited.py",
        "if _GROUP + g.removeprefix(_GROUP) in theirs)",
        ")",
        "application",
    ),
)
