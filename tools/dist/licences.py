"""What a compiled file owes to others: the licences of the crates that are in it."""

import json
from collections import defaultdict
from functools import cache
from pathlib import Path

from project import ROOT, output_of, target

RUST = """\
The Rust standard library
    https://www.rust-lang.org
    MIT OR Apache-2.0

"""


def own() -> dict[str, bytes]:
    """The licences of this project, by the names of their files."""
    return {name: (ROOT / name).read_bytes() for name in ("LICENSE-APACHE", "LICENSE-MIT")}


def of_all(crate: Path) -> dict[str, bytes]:
    """The same, and those of others."""
    return own() | {"LICENSES-of-others": of_others(crate).encode()}


@cache
def of_others(crate: Path) -> str:
    """The names and licences of all crates that `crate` links, and the licences' texts."""
    manifest = ROOT / crate / "Cargo.toml"
    # Neither what only tests need, nor what only the build does.
    linked = output_of(
        "cargo", "tree", "--locked", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}",
        "--target", target(), "--manifest-path", manifest,
    )  # fmt: skip
    names = {tuple(line.split()[:2]) for line in linked.splitlines()}
    described = output_of(
        "cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", target(),
        "--manifest-path", manifest,
    )  # fmt: skip
    packages = [
        package
        for package in json.loads(described)["packages"]
        if package["source"] and (package["name"], "v" + package["version"]) in names
    ]

    titles = defaultdict(list)
    for package in sorted(packages, key=lambda package: package["name"]):
        title = (
            f"{package['name']} {package['version']}\n    {package['repository']}\n    {package['license']}\n"
        )
        titles[_text(package)].append(title)
    parts = [RUST + _mit("The Rust Project Contributors")]
    parts += ["".join(same) + "\n" + text for text, same in titles.items()]
    return ("\n" + "=" * 80 + "\n\n").join(parts)


def _text(package: dict) -> str:
    """The text of its licence: of several to choose from the MIT licence, or else the shortest."""
    texts = {
        path.name.upper(): path.read_text().strip() + "\n"
        for path in sorted(Path(package["manifest_path"]).parent.iterdir())
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))
    }
    mit = [text for name, text in texts.items() if "MIT" in name]
    if texts:
        return min(mit or texts.values(), key=len)
    # Some crates under the MIT licence leave its text in their repository.
    if "MIT" not in package["license"]:
        raise SystemExit(f"{package['name']} has no text of its licence")
    return _mit(", ".join(package["authors"]) or "its authors")


def _mit(holder: str) -> str:
    terms = (ROOT / "LICENSE-MIT").read_text().split("\n\n", 2)[2]
    return f"Copyright (c) {holder}\n\n{terms}"
