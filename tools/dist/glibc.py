"""Is what a package says of the C library true? Nothing in it may need a symbol that is newer."""

import re
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from project import GLIBC


def _members(package: Path) -> Iterator[tuple[str, bytes]]:
    """The files in a package, by their names."""
    if package.name.endswith((".tar.gz", ".crate")):
        with tarfile.open(package) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, archive.extractfile(member).read()
    elif package.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


def check_packages(directory: Path) -> None:
    """Fails if a program or a shared library in a package needs a newer C library than `GLIBC`."""
    looked_at = 0
    for package in sorted(path for path in directory.rglob("*") if path.is_file()):
        for name, contents in _members(package):
            # Programs and shared libraries; what lies in a static library is linked elsewhere.
            if not contents.startswith(b"\x7fELF"):
                continue
            looked_at += 1
            with tempfile.NamedTemporaryFile() as file:
                file.write(contents)
                file.flush()
                said = subprocess.run(
                    ["readelf", "--version-info", "--wide", file.name],
                    check=True, stdout=subprocess.PIPE, text=True,
                ).stdout  # fmt: skip
            newest = max(re.findall(r"Name: GLIBC_([0-9.]+)", said), key=_version, default="0")
            print(f"{package.name}: {name} needs glibc {newest}")
            if _version(newest) > _version(GLIBC):
                raise SystemExit(f"which is newer than {GLIBC}")
    if not looked_at:
        print("nothing in these packages is compiled")
