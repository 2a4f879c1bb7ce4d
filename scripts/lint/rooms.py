#!/usr/bin/env python3
"""Checks that the rooms (targets) import only what the design's table allows.

    scripts/lint/rooms.py

Asks SwiftPM for the targets' dependencies and reads the imports of every file: SwiftPM does not
stop a file from importing a module that its target merely inherits.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What each room may import of the others. ModelServer, Gateway, Autoscaler, Planner, Operations,
# Console and Bench never know each other: they meet in `martlet`, which may import all.
ROOMS = {
    "MartletCore": "",
    "MartletConfiguration": "",
    "MartletTensors": "Core",
    "MartletProtocols": "",
    "MartletTelemetry": "Core",
    "MartletTransport": "Core Telemetry",
    "MartletEngines": "Core Tensors Telemetry",
    "MartletRepository": "Core Tensors Protocols Telemetry",
    "MartletModelServer": "Core Tensors Protocols Engines Repository Telemetry Transport",
    "MartletGateway": "Core Configuration Protocols Telemetry Transport",
    "MartletAutoscaler": "Core Telemetry Transport",
    "MartletPlanner": "Core Autoscaler",
    "MartletOperations": "Core Telemetry Transport",
    "MartletConsole": "Core Telemetry Transport",
    "MartletBench": "Core Tensors Protocols Telemetry Transport",
}

# A shim over a C or C++ library belongs to one room; the system's zlib, which needs none, to two.
SHIMS = {
    "CHeap": "MartletCore",
    "CLiteRT": "MartletEngines",
    "CLlama": "MartletEngines",
    "COpenVINO": "MartletEngines",
    "CRapidJSON": "MartletTensors",
    "CResolver": "MartletGateway",
    "CSpawn": "MartletCore",
    "CStandardError": "MartletTelemetry",
    "CTensorFlow": "MartletEngines",
    "CZlib": "MartletTransport MartletRepository",
}

# Sockets, TLS, HTTP and gRPC come into the program in one room.
NETWORK = re.compile(r"(NIO|GRPC|HTTPTypes|AsyncHTTPClient)")
NETWORK_ROOM = "MartletTransport"

EXECUTABLE = "martlet"
TEST_KIT = "MartletTestKit"

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)",
    re.MULTILINE,
)


def allowed_in(room):
    """The modules of this package that a room may import."""
    if room == EXECUTABLE:
        return set(ROOMS)
    shims = {shim for shim, owner in SHIMS.items() if room in owner.split()}
    return shims | {f"Martlet{name}" for name in ROOMS[room].split()}


def targets():
    """The targets that are no tests, each with the names of its dependencies."""
    # A scratch folder of its own: the usual one is locked while something is built.
    with tempfile.TemporaryDirectory() as scratch:
        command = ["swift", "package", "--scratch-path", scratch, "dump-package"]
        described = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return {
        target["name"]: {next(iter(kind.values()))[0] for kind in target["dependencies"]}
        for target in json.loads(described)["targets"]
        if target["type"] != "test"
    }


def faults_of_names(room, names, where):
    """What is wrong with a room's using these modules."""
    own = set(ROOMS) | set(SHIMS) | {EXECUTABLE, TEST_KIT}
    for name in sorted(names):
        if name in own and name not in allowed_in(room) and name != room:
            yield f"{where}: {room} may not import {name}"
        if NETWORK.match(name) and room != NETWORK_ROOM:
            yield f"{where}: only {NETWORK_ROOM} may import {name}"


def faults(dependencies):
    """All that is wrong, a line each."""
    folders = {path.name for path in (ROOT / "Sources").iterdir() if path.is_dir()}
    for name in sorted(folders ^ set(dependencies)):
        yield f"Sources/{name}: there is a folder or a target of this name, not both"
    for room, names in dependencies.items():
        if room in SHIMS:
            for name in sorted(names):
                yield f"Package.swift: the shim {room} depends on {name}"
        elif room == TEST_KIT:
            # For tests only, which no arrow leads to; it may use all.
            continue
        elif room not in ROOMS and room != EXECUTABLE:
            yield f"Package.swift: {room} is not in the table of rooms (scripts/lint/rooms.py)"
        else:
            yield from faults_of_names(room, names, "Package.swift")
            for file in sorted((ROOT / "Sources" / room).rglob("*.swift")):
                imports = set(IMPORT.findall(file.read_text(encoding="utf-8")))
                yield from faults_of_names(room, imports, file.relative_to(ROOT))


def main():
    found = list(faults(targets()))
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        sys.exit(f"rooms: {len(found)} complaints")


if __name__ == "__main__":
    main()
