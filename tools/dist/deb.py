"""Debian packages: libspsc-shm0, libspsc-shm-dev and spsc-tools, for this machine's processor."""

import shutil
from email.utils import formatdate
from pathlib import Path

import library
import licences
import tool
from project import ROOT, VERSION, Build, empty, output_of, run

CHANGELOG = """\
spsc-shm ({version}-1) unstable; urgency=medium

  * Version {version}. What is new in it stands in the changelog of spsc-shm.

 -- {maintainer}  {date}
"""
TOOL_COPYRIGHT = """\
The tool spsc, copyright 2026 the spsc-shm developers, is under the licence of libspsc-shm0, which
stands here first. Into it is linked what the rest of this file names, each under its own licence.

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
    for package in ("libspsc-shm0", "libspsc-shm-dev", "spsc-tools"):
        (debian / f"{package}.docs").write_text("README.md\n")
        # They are not for Debian's own archive.
        (debian / f"{package}.lintian-overrides").write_text("initial-upload-closes-no-bugs\n")
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    own = (debian / "copyright").read_text().partition("License: Expat\n")[2]
    others = licences.of_others(Path("tools/spsc"))
    (debian / "spsc-tools.copyright").write_text(f"{TOOL_COPYRIGHT}{own}\n{others}")

    # Nothing is compiled here, and what is there must not be cleaned away.
    run("dpkg-buildpackage", "--build=binary", "--no-sign", "--no-pre-clean", cwd=source)
    for package in source.parent.glob("*.deb"):
        shutil.copy(package, build.out)
