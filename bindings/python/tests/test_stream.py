"""The built-in `open`, for rings."""

import csv
import io
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import spsc_shm

CHILD = """
import sys, spsc_shm
with spsc_shm.open(sys.argv[1], "w") as file:
    for number in range(20000):
        print("line", number, file=file)
"""


def test_text_from_another_process(name: str) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD, name]) as child:
        with spsc_shm.open(name) as file:
            for number, line in enumerate(file):
                assert line == f"line {number}\n"
        assert number == 19999
        assert child.wait() == 0


def test_pickle_csv_and_copyfileobj(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))

    def write() -> None:
        with spsc_shm.open(name, "xb", capacity=65536) as file:
            pickle.dump({"a": list(range(1000))}, file)
            text = io.TextIOWrapper(file, newline="", write_through=True)
            csv.writer(text).writerows([[1, "two"], [3, "four, five"]])
            text.detach()
            with source.open("rb") as original:
                shutil.copyfileobj(original, file)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    with spsc_shm.open(name, "rb") as file:
        assert pickle.load(file) == {"a": list(range(1000))}
        rows = [file.readline().decode() for _ in range(2)]
        assert list(csv.reader(rows)) == [["1", "two"], ["3", "four, five"]]
        with io.BytesIO() as copied:
            shutil.copyfileobj(file, copied)
            assert copied.getvalue() == source.read_bytes()
    thread.join()


def test_raw_and_empty(name: str) -> None:
    with spsc_shm.open(name, "wb", buffering=0) as out, spsc_shm.open(name, "rb", 0) as file:
        assert isinstance(out, io.RawIOBase) and out.writable() and file.readable()
        assert out.write(b"123") == 3
        assert file.read(10) == b"123"
        out.close()
        assert file.read(10) == b""
    with pytest.raises(FileExistsError):
        spsc_shm.open(name, "xb")
    spsc_shm.open(name, "wb").close()
    with spsc_shm.open(name, "wb") as out, spsc_shm.open(name, "rb") as file:
        out.close()
        assert file.read() == b""


def test_modes(name: str) -> None:
    for mode in ("", "rw", "q", "a", "bt", "rr", "rbt"):
        with pytest.raises(ValueError):
            spsc_shm.open(name, mode)
    with pytest.raises(ValueError):
        spsc_shm.open(name, "rb", encoding="utf-8")
    with pytest.raises(ValueError):
        spsc_shm.open(name, "r", 0)
    with pytest.raises(TimeoutError):
        spsc_shm.open(name, "r", timeout=0.001)
    with spsc_shm.Ring.anonymous(4096) as ring:
        ring.producer().write("öäü".encode())
        ring.producer().close()
        with spsc_shm.open(ring.fileno(), encoding="utf-8") as file:
            assert file.read() == "öäü"
