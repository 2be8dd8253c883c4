"""Whoever runs this process."""

from __future__ import annotations

import getpass
import os

from stagewright.application.actor import Actor


def user_of_process() -> Actor:
    """Return them as an actor: they hold the store itself, and so may speak for others."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        name = f"uid {os.getuid()}"
    return Actor(name, door="cli", speaks_for_others=True)
