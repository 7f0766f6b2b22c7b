"""What the tests share: names, and a watchdog, as every wait in a test is for ever."""

import contextlib
import faulthandler
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import spsc_shm

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Ends the whole run, with a traceback, if a test stands still."""
    faulthandler.dump_traceback_later(240, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def name() -> Iterator[str]:
    """A ring's name that is free, and is free again afterwards."""
    name = f"/py-test-{os.getpid()}-{next(_numbers)}"
    yield name
    with contextlib.suppress(FileNotFoundError):
        spsc_shm.unlink(name)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where to listen."""
    return str(tmp_path / "listener")
