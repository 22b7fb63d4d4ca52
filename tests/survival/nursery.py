"""A process that has loaded the engine and forks a fresh one for each line it reads.

What it starts is the real engine (`run_engine`, own process, own session); only the imports are shared,
so that a thousand starts do not cost a thousand imports.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import engine.api.nats  # noqa: F401  # loaded once, here
import engine.trading.setup  # noqa: F401
from engine.daemon import run_engine


def main() -> None:
    """Read `{"home", "log", "environ"}` per line; answer the process id; reap what has died."""
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_an_engine(asked)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _be_an_engine(asked: dict[str, object]) -> None:
    """Become the engine of a home; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        log = os.open(str(asked["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.umask(0o077)
        environ = asked["environ"]
        assert isinstance(environ, dict)
        code = asyncio.run(run_engine(Path(str(asked["home"])), {**os.environ, **environ}))
    except BaseException as error:
        sys.stderr.write(f"engine ended: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
