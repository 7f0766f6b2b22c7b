"""The crates, as cargo packages them. The library is built from its own package. The others ask for
what may not be published yet, so that they can only be packed."""

import shutil

from project import ROOT, VERSION, Build, run

DIRECTORIES = {
    "spsc-shm": ".",
    "spsc-shm-harness": "tools/harness",
    "spsc-tools": "tools/spsc",
    "spsc-bridge": "tools/bridge",
}
ASKS_FOR = {
    "spsc-shm-harness": ["spsc-shm"],
    "spsc-tools": ["spsc-shm", "spsc-shm-harness"],
    "spsc-bridge": ["spsc-shm"],
}


def make(build: Build) -> None:
    for name, directory in DIRECTORIES.items():
        words = ["--quiet", "--locked", "--allow-dirty", "-p", name]
        for other in ASKS_FOR.get(name, []):
            words += ["--config", f"patch.crates-io.{other}.path='{ROOT / DIRECTORIES[other]}'"]
        if name in ASKS_FOR:
            words.append("--no-verify")
        run("cargo", "package", *words, cwd=ROOT / directory)
        shutil.copy(build.cargo_target / f"package/{name}-{VERSION}.crate", build.out)
