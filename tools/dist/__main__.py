"""Builds the packages: python3 tools/dist [OPTIONS] [PART …]

docs/INSTALL.md says what it needs. What comes from Python's index it installs under target/dist.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import crates
import deb
import golang
import jar
import npm
import tarball
import twice
import wheel
from glibc import check_packages
from project import ARCHITECTURES, ROOT, VERSION, Build

PARTS: dict[str, Callable[[Build], None]] = {
    "tarball": tarball.make,
    "deb": deb.make,
    "wheel": wheel.make,
    "npm": npm.make,
    "jar": jar.make,
    "go": golang.make,
    "crates": crates.make,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/dist", description="Builds the packages.")
    parser.add_argument("--out", type=Path, default=ROOT / "target/dist" / VERSION)
    parser.add_argument("part", nargs="*", help="of: " + ", ".join(PARTS) + "; without any, all")
    parser.add_argument(
        "--architecture", action="append", choices=ARCHITECTURES,
        help="what wheels, npm package, jar and Go modules are for; all by default",
    )  # fmt: skip
    parser.add_argument("--twice", action="store_true", help="builds them elsewhere too, and compares")
    arguments = parser.parse_args()
    for part in arguments.part:
        if part not in PARTS:
            parser.error(f"there is no part {part}")

    build = Build(arguments.out.resolve(), arguments.architecture or ARCHITECTURES)
    for part in arguments.part or PARTS:
        print(f"--- {part}", flush=True)
        start = time.monotonic()
        PARTS[part](build)
        print(f"--- {part}: {time.monotonic() - start:.0f} s", flush=True)
    check_packages(build.out)
    if arguments.twice:
        architectures = [f"--architecture={name}" for name in build.architectures]
        twice.compare(build, [*architectures, *arguments.part])


main()
