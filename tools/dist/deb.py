"""Debian packages: libspsc-shm0, libspsc-shm-dev and spsc-tools, for this machine's processor."""

import os
import shutil
from email.utils import formatdate
from pathlib import Path

import library
import licences
import tool
from project import ROOT, VERSION, Build, empty, output_of, run

CHANGELOG = """\
spsc-shm ({version}-1) unstable; urgency=medium

  * Version {version}. What is new is in the changelog of spsc-shm.

 -- {maintainer}  {date}
"""
# What is compiled, and the directory of its crate.
CRATES = {"libspsc-shm0": ".", "libspsc-shm-dev": ".", "spsc-tools": "tools/spsc"}
COPYRIGHT = """\
spsc-shm, copyright 2026 the spsc-shm developers, is under the licence of your choice, of MIT and Apache
2.0. Their texts come first. Linked into it is what the rest of this file names, each under its own licence.

"""


def make(build: Build) -> None:
    source = empty(build.work / "deb") / "spsc-shm"
    debian = source / "debian"
    shutil.copytree(ROOT / "tools/dist/debian", debian)
    architecture = output_of("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    staged = source / "staged/usr"
    for part in (library.staged(build, libdir=f"lib/{architecture}"), tool.staged(build)):
        shutil.copytree(part, staged, symlinks=True, dirs_exist_ok=True)

    control = (debian / "control").read_text().splitlines()
    maintainer = next(line for line in control if line.startswith("Maintainer: ")).partition(" ")[2]
    date = formatdate(build.epoch)
    changelog = CHANGELOG.format(version=VERSION, maintainer=maintainer, date=date)
    (debian / "changelog").write_text(changelog)
    own = (debian / "copyright").read_text().partition("License: Expat\n")[2]
    for package, crate in CRATES.items():
        others = licences.of_others(Path(crate))
        (debian / f"{package}.copyright").write_text(f"{COPYRIGHT}{own}\n{others}")
        (debian / f"{package}.docs").write_text("README.md\n")
        # They are not for Debian's own archive.
        (debian / f"{package}.lintian-overrides").write_text("initial-upload-closes-no-bugs\n")
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    for path in source.rglob("*"):
        os.utime(path, (build.epoch, build.epoch), follow_symlinks=False)

    # Nothing is compiled here, so that no compiler is needed, and nothing may be cleaned away.
    unchanged = ("--no-pre-clean", "--no-check-builddeps")
    run("dpkg-buildpackage", "--build=binary", "--no-sign", *unchanged, cwd=source)
    for package in source.parent.glob("*.deb"):
        shutil.copy(package, build.out)
