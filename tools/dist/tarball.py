"""spsc-shm-VERSION-ARCHITECTURE-linux.tar.gz: the installed tree and the tool, to be unpacked anywhere."""

import shutil
from pathlib import Path

import library
import licences
import tool
from archive import write_tarball
from project import ARCHITECTURE, ROOT, VERSION, Build, empty


def make(build: Build) -> None:
    tree = empty(build.work / "tarball")
    for part in (library.staged(build), tool.staged(build)):
        shutil.copytree(part, tree, symlinks=True, dirs_exist_ok=True)
    documents = tree / "share/doc/spsc-shm"
    documents.mkdir(parents=True)
    for name in ("CHANGELOG.md", "README.md"):
        shutil.copy(ROOT / name, documents)
    for name, text in licences.of_all(Path("tools/spsc")).items():
        (documents / name).write_bytes(text)
    root = f"spsc-shm-{VERSION}-{ARCHITECTURE}-linux"
    write_tarball(build.out / f"{root}.tar.gz", tree, root, build.epoch)
