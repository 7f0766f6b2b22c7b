"""The jar for Java, with the shared library for each platform, and its pom."""

import shutil
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
    for name, text in licences.of_all(Path(".")).items():
        (about / name).write_bytes(text)
    run(
        "mvn", "--batch-mode", "--quiet", "-DskipTests", f"-Dresources.tree={project / 'resources'}",
        f"-Dproject.build.outputTimestamp={build.time}", "package", cwd=project,
    )  # fmt: skip
    name = f"spsc-shm-{VERSION}"
    shutil.copy(project / f"target/{name}.jar", build.out)
    shutil.copy(project / "pom.xml", build.out / f"{name}.pom")
