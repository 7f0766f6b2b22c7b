"""Is what a package says of the C library true? Nothing in it may need a symbol that is newer, or
another library.
"""

import io
import re
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from project import GLIBC

PARTS_OF_GLIBC = {
    *("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1"),
    *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"),
}


def _members(package: Path) -> Iterator[tuple[str, bytes]]:
    """The files in a package, by their names."""
    if package.name.endswith((".tar.gz", ".tgz", ".crate")):
        yield from _members_of_tar(package.read_bytes())
    elif package.suffix == ".deb":
        unpack = ["dpkg-deb", "--fsys-tarfile", package]
        yield from _members_of_tar(subprocess.run(unpack, check=True, stdout=subprocess.PIPE).stdout)
    elif package.suffix in (".jar", ".whl", ".zip"):
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)


def _members_of_tar(contents: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(contents)) as archive:
        for member in archive:
            if member.isfile():
                yield member.name, archive.extractfile(member).read()


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
                    ["readelf", "--version-info", "--dynamic", "--wide", file.name],
                    check=True, stdout=subprocess.PIPE, text=True,
                ).stdout  # fmt: skip
            newest = max(re.findall(r"Name: GLIBC_([0-9.]+)", said), key=_version, default="0")
            print(f"{package.name}: {name} needs glibc {newest}")
            if _version(newest) > _version(GLIBC):
                raise SystemExit(f"which is newer than {GLIBC}")
            others = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said)) - PARTS_OF_GLIBC
            if others:
                raise SystemExit(f"and {', '.join(others)}")
    if not looked_at:
        print("nothing in these packages is compiled")
