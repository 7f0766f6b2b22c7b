"""The shared and the static library, and what comes with them."""

from functools import cache
from pathlib import Path

from project import ARCHITECTURE, ROOT, VERSION, Build, empty, run, target


@cache
def staged(build: Build, architecture: str = ARCHITECTURE, libdir: str = "lib") -> Path:
    """A directory with the library as it is installed under a prefix."""
    tree = build.work / "cmake" / architecture
    stage = empty(build.work / "staged" / architecture / libdir)
    run(
        "cmake", "-S", ROOT, "-B", tree, "--log-level=WARNING",
        f"-DCMAKE_C_COMPILER={build.compiler_for(architecture)}",
        f"-DSPSC_SHM_RUST_TARGET={target(architecture)}",
        "-DCMAKE_INSTALL_PREFIX=/usr",
        f"-DCMAKE_INSTALL_LIBDIR={libdir}",
    )  # fmt: skip
    run("cmake", "--build", tree, "--target", "install", DESTDIR=str(stage))
    installed = stage / "usr"
    # What only a debugger reads is most of a Rust static library.
    strip = [f"{architecture}-linux-gnu-strip", "--strip-debug", "--enable-deterministic-archives"]
    for file in (f"libspsc_shm.so.{VERSION}", "libspsc_shm.a"):
        run(*strip, installed / libdir / file)
    return installed
