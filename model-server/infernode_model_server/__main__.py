"""Starts the server: `python -m infernode_model_server`."""

from __future__ import annotations

import logging
import os
import signal
import sys

# Frames are what is worked on side by side: threads within one operation would only get into each other's way. Before numpy
# is imported, and inherited by the workers.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import uvicorn

from .jobs.store import StoreError
from .settings import Settings, SettingsError
from .web.app import create_app


def main() -> None:
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.exit(str(error))
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        # New connections are refused at once; running jobs get so long to end in.
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )
    # Uvicorn ends in order and then raises the signal that it got; in order means without an error.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        uvicorn.Server(config).run()
    except StoreError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
