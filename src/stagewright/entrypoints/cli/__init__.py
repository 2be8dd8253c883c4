"""The command line. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 ok, 1 workflow failed, 2 usage, 3 not found, 4 conflict or already decided, 5 validation,
    6 unreachable, 7 timed out.
    """
    from stagewright.entrypoints.collector import let_imports_pass

    let_imports_pass()
    from stagewright.domain.errors import StagewrightError
    from stagewright.entrypoints.cli.app import app

    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        app(args=given, prog_name="stagewright")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except StagewrightError as error:
        from stagewright.entrypoints.cli.output import report

        report(error, as_json="--json" in given)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more can be written, not even on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return 0
