"""The wheel. maturin itself refuses a tag that is not true."""

from project import GLIBC, ROOT, Build, run, target


def make(build: Build) -> None:
    tag = "manylinux_" + GLIBC.replace(".", "_")
    assert build.tools
    run(
        "maturin", "build", "--quiet", "--release", "--locked", "--target", target(),
        "--compatibility", tag, "--out", build.out,
        cwd=ROOT / "bindings/python",
    )  # fmt: skip
