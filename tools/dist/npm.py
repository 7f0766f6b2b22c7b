"""The npm package, with the addon for each platform."""

from pathlib import Path

import licences
from project import ARCHITECTURE, ROOT, Build, run, target

# What rustc and Node.js call a processor. This machine's comes last, as packing builds its addon again.
PROCESSORS = {"x86_64": "x64", "aarch64": "arm64"}


def make(build: Build) -> None:
    package = ROOT / "bindings/node"
    (package / "LICENSES-of-others").write_text(licences.of_others(Path("bindings/node")))
    for architecture in sorted(build.architectures, key=lambda name: name == ARCHITECTURE):
        build.compiler_for(architecture)
        target_of_it = {"SPSC_NODE_TARGET": target(architecture), "SPSC_NODE_ARCH": PROCESSORS[architecture]}
        run("node", "build.js", cwd=package, **target_of_it)
    run("npm", "pack", "--silent", "--pack-destination", build.out, cwd=package, **target_of_it)
