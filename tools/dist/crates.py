"""The crates, as cargo packages them. The library is built from its own package; the tools ask for one
of a library that may not be published yet."""

import shutil

from project import ROOT, VERSION, Build, run


def make(build: Build) -> None:
    _package(build, "spsc-shm", ".")
    unpublished = ("--no-verify", "--config", f"patch.crates-io.spsc-shm.path='{ROOT}'")
    _package(build, "spsc-tools", "tools/spsc", *unpublished)
    _package(build, "spsc-bridge", "tools/bridge", *unpublished)


def _package(build: Build, name: str, directory: str, *options: str) -> None:
    words = ("--quiet", "--locked", "--allow-dirty", "-p", name, *options)
    run("cargo", "package", *words, cwd=ROOT / directory)
    shutil.copy(build.cargo_target / f"package/{name}-{VERSION}.crate", build.out)
