"""The wheels, one for each processor. maturin itself refuses a tag that is not true."""

from pathlib import Path

import licences
from project import GLIBC, ROOT, Build, run, target


def make(build: Build) -> None:
    package = ROOT / "bindings/python"
    (package / "LICENSES-of-others").write_text(licences.of_others(Path("bindings/python")))
    tag = "manylinux_" + GLIBC.replace(".", "_")
    for architecture in build.architectures:
        build.compiler_for(architecture)
        run(
            "maturin", "build", "--quiet", "--release", "--locked", "--target", target(architecture),
            "--compatibility", tag, "--out", build.out, cwd=package,
        )  # fmt: skip
