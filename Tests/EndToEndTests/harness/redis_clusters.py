"""A Redis Cluster of real servers, whose slots move and whose masters die as a test says."""

import contextlib
import functools
import shutil
import subprocess

from harness.sockets import free_ports
from harness.waiting import await_until

# How long a server may be silent until the others call it dead.
NODE_TIMEOUT_MS = 2000
SLOTS = 16384
PATIENCE = 60.0


class Member:
    """A server of a cluster, without a memory of its own but for who the others are."""

    def __init__(self, folder, port, bus_port):
        folder.mkdir()
        # Debian's redis-tools has the server under another name, by which it would check a file.
        self.program = folder / "redis-server"
        self.program.symlink_to(shutil.which("redis-server") or shutil.which("redis-check-rdb"))
        self.folder, self.port, self.bus_port = folder, port, bus_port
        self.address = f"127.0.0.1:{port}"
        self.process = None

    def start(self):
        flags = [
            *("--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", self.folder),
            *("--cluster-enabled", "yes", "--cluster-port", self.bus_port),
            *("--cluster-node-timeout", NODE_TIMEOUT_MS, "--cluster-require-full-coverage", "no"),
            *("--cluster-replica-validity-factor", 0, "--logfile", self.folder / "log"),
        ]
        self.process = subprocess.Popen([self.program, *map(str, flags)])
        await_until(self.is_up, f"Redis to listen on {self.address}", PATIENCE)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def is_up(self):
        return self.cli("PING", check=False) == "PONG"

    def cli(self, *words, check=True):
        """What `redis-cli` prints of a command."""
        ended = subprocess.run(
            ["redis-cli", "-p", str(self.port), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=20,
            check=check,
        )
        return ended.stdout.strip()

    @functools.cached_property
    def id(self):
        return self.cli("CLUSTER", "MYID")

    @property
    def is_master(self):
        return self.cli("ROLE").startswith("master")

    def keys(self):
        return int(self.cli("DBSIZE"))

    def redirections(self, kind):
        """How many commands the server has answered by `MOVED` or `ASK`."""
        for line in self.cli("INFO", "errorstats").splitlines():
            if line.startswith(f"errorstat_{kind}:count="):
                return int(line.split("=")[1])
        return 0


class Cluster:
    """Three masters, to begin with the first three members, and a replica of each."""

    def __init__(self, folder):
        ports = free_ports(12)
        self.members = [
            Member(folder / f"redis-{number}", ports[number], ports[number + 6])
            for number in range(6)
        ]

    @property
    def addresses(self):
        return [member.address for member in self.members]

    @property
    def running(self):
        return [member for member in self.members if member.process]

    @property
    def masters(self):
        """Those that are up and own slots."""
        return [member for member in self.running if member.is_master and self.slots(member)]

    def start(self):
        for member in self.members:
            member.start()
        masters, replicas = self.members[:3], self.members[3:]
        for number, member in enumerate(masters):
            slots = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            member.cli("CLUSTER", "ADDSLOTSRANGE", *slots)
            member.cli("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for member in self.members[1:]:
            first = self.members[0]
            member.cli("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus_port)
        await_until(
            lambda: all(len(self.known_to(member)) == 6 for member in self.members),
            "the members to know each other",
            PATIENCE,
            0.1,
        )
        for master, replica in zip(masters, replicas, strict=True):
            replica.cli("CLUSTER", "REPLICATE", master.id)
        self.await_whole()

    def kill(self):
        for member in self.members:
            member.kill()

    def known_to(self, member):
        """The lines by which a member tells whom it knows, by identity."""
        lines = member.cli("CLUSTER", "NODES").splitlines()
        return {line.split()[0]: line for line in lines}

    def slots(self, member):
        """The ranges of slots that a member owns, as it says itself."""
        (own,) = (line for line in self.known_to(member).values() if "myself" in line.split()[2])
        return own.split()[8:]

    def is_whole(self):
        """Whether each slot has an owner whom all agree on, and each master has its replica."""
        running = self.running
        replicas = [each for each in running if "slave" in each.cli("ROLE").splitlines()[0]]
        return (
            all("cluster_state:ok" in each.cli("CLUSTER", "INFO") for each in running)
            and all(f"cluster_slots_ok:{SLOTS}" in each.cli("CLUSTER", "INFO") for each in running)
            and len(self.masters) == 3
            and len(replicas) == len(running) - 3
            and all("connected" in each.cli("ROLE") for each in replicas)
        )

    def await_whole(self):
        await_until(self.is_whole, "the cluster to be whole", PATIENCE, 0.1)

    def begin_move(self, slot, source, target):
        """Moves a slot's keys; until the end of the move the source says `ASK` for them."""
        target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        keys = source.cli("CLUSTER", "GETKEYSINSLOT", slot, 1000).split()
        source.cli("MIGRATE", "127.0.0.1", target.port, "", 0, 10_000, "KEYS", *keys)

    def end_move(self, slot, target, masters):
        """Tells all masters; from then on all but the target say `MOVED`."""
        for member in [target, *(each for each in masters if each is not target)]:
            member.cli("CLUSTER", "SETSLOT", slot, "NODE", target.id)


@contextlib.contextmanager
def cluster(folder):
    servers = Cluster(folder)
    try:
        servers.start()
        yield servers
    finally:
        servers.kill()
