"""The examples do what they say."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def start(program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(EXAMPLES / program), *arguments], **options)


@pytest.mark.parametrize("size", [0, 1_000_000])
def test_a_file_is_copied(name: str, tmp_path: Path, size: int) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.write_bytes(os.urandom(size))
    with (
        original.open("rb") as source,
        copy.open("wb") as target,
        start("consumer.py", name, stdout=target) as consumer,
        start("producer.py", name, stdin=source) as producer,
    ):
        assert (producer.wait(), consumer.wait()) == (0, 0)
    assert copy.read_bytes() == original.read_bytes()


def test_lines_are_messages(name: str) -> None:
    with start("receiver.py", name, stdout=-1) as receiver, start("sender.py", name, stdin=-1) as sender:
        sender.communicate(b"one\n\nthree")
        assert receiver.communicate()[0] == b"0: one\n1: \n2: three\n"


def test_an_echo(path: str) -> None:
    with start("echo.py", "serve", path, stdout=-1) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        with start("echo.py", "ask", path, "a question", stdout=-1) as client:
            assert client.communicate()[0] == b"a question\n"
        server.kill()
