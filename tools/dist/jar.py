"""The jar for Java, with the shared library for each platform, and its pom."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import library
import licences
from project import ROOT, VERSION, Build, empty, run


def make(build: Build) -> None:
    # A copy, as Maven builds beside the sources, and what it finds there from another build it packs.
    project = empty(build.work / "java")
    shutil.copy(ROOT / "bindings/java/pom.xml", project)
    shutil.copytree(ROOT / "bindings/java/src", project / "src")
    about = project / "resources/META-INF"
    for architecture in build.architectures:
        place = about / f"native/linux-{architecture}"
        place.mkdir(parents=True)
        shutil.copy(
            library.staged(build, architecture) / f"lib/libspsc_shm.so.{VERSION}", place / "libspsc_shm.so"
        )
    for name in ("LICENSE-APACHE", "LICENSE-MIT"):
        shutil.copy(ROOT / name, about)
    (about / "LICENSES-of-others").write_text(licences.of_others(Path(".")))
    time = datetime.fromtimestamp(build.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    run(
        "mvn", "--batch-mode", "--quiet", "-DskipTests", f"-Dresources.tree={project / 'resources'}",
        f"-Dproject.build.outputTimestamp={time}", "package", cwd=project,
    )  # fmt: skip
    name = f"spsc-shm-{VERSION}"
    shutil.copy(project / f"target/{name}.jar", build.out)
    shutil.copy(project / "pom.xml", build.out / f"{name}.pom")
