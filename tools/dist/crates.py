"""The crate, as cargo packages it. It is built from its own package."""

import shutil

from project import VERSION, Build, run


def make(build: Build) -> None:
    run("cargo", "package", "--quiet", "--locked", "--allow-dirty", "-p", "spsc-shm")
    shutil.copy(build.cargo_target / f"package/spsc-shm-{VERSION}.crate", build.out)
