"""The crates, as cargo packages them. Each is built from its own package."""

import shutil

from project import VERSION, Build, run

CRATES = {"spsc-shm": "."}


def make(build: Build) -> None:
    for name, directory in CRATES.items():
        run("cargo", "package", "--quiet", "--locked", "--allow-dirty", "-p", name, "--manifest-path", f"{directory}/Cargo.toml")
        shutil.copy(build.cargo_target / f"package/{name}-{VERSION}.crate", build.out)
