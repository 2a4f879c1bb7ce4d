"""Networks of one machine each, whose cable a test can cut: Linux network namespaces."""

import contextlib
import functools
import itertools
import os
import shutil
import subprocess

# Addresses that RFC 2544 sets aside for tests of network devices.
NETWORK = "198.18.{}.{}"
# No machine has it: frames to it arrive and are dropped.
NOBODY = "02:00:00:00:00:01"

_numbers = itertools.count(1)


class Network:
    """A network namespace with one address, and a cable to ours."""

    def __init__(self, number):
        # Names of devices hold 15 characters at most; process numbers 7 digits.
        self.name = f"mt{os.getpid()}-{number}"
        third, fourth = os.getpid() % 256, number * 4 % 256
        self.ours = NETWORK.format(third, fourth + 1)
        self.host = NETWORK.format(third, fourth + 2)
        self.outer, self.inner = f"{self.name}o", f"{self.name}i"

    @property
    def prefix(self):
        """What comes before a command to run it in this network."""
        return ("ip", "netns", "exec", self.name)

    def open(self):
        ip("netns", "add", self.name)
        try:
            ip(*f"link add {self.outer} type veth peer name {self.inner} netns {self.name}".split())
            ip(*f"address add {self.ours}/30 dev {self.outer}".split())
            ip(*f"link set {self.outer} up".split())
            ip("-n", self.name, *f"address add {self.host}/30 dev {self.inner}".split())
            ip("-n", self.name, *f"link set {self.inner} up".split())
            self.connect()
        except BaseException:
            self.close()
            raise

    def connect(self):
        """Delivers packets, from now on or again."""
        self._send_to(self._hardware_address(self.outer), self._hardware_address(self.inner, True))

    def cut(self):
        """Loses every packet of both directions: nobody is told, nothing is refused."""
        self._send_to(NOBODY, NOBODY)

    def close(self):
        # With the namespace, once nothing runs in it, goes its end of the cable, and so the cable.
        for command in (("link", "delete", self.outer), ("netns", "delete", self.name)):
            with contextlib.suppress(subprocess.CalledProcessError):
                ip(*command)

    def _send_to(self, outer, inner):
        """Where each end sends its frames: set by hand, nobody asks who has an address."""
        ip(*f"neighbour replace {self.host} lladdr {inner} dev {self.outer} nud permanent".split())
        ip(
            *("-n", self.name),
            *f"neighbour replace {self.ours} lladdr {outer} dev {self.inner} nud permanent".split(),
        )

    def _hardware_address(self, device, is_inner=False):
        namespace = ("-n", self.name) if is_inner else ()
        return ip(*namespace, "-brief", "link", "show", device).split()[2]


@contextlib.contextmanager
def network():
    """A network for one test."""
    made = Network(next(_numbers))
    made.open()
    try:
        yield made
    finally:
        made.close()


@functools.cache
def why_none():
    """Why this machine can make no networks; None if it can."""
    if shutil.which("ip") is None:
        return "no `ip`; it is in Debian's package iproute2"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with network():
            return None
    except subprocess.CalledProcessError as error:
        return f"`{' '.join(error.cmd)}` failed: {error.stderr.strip()}"


def ip(*words):
    """What a command of iproute2 prints."""
    return subprocess.run(
        ["ip", *words], check=True, capture_output=True, text=True, timeout=60
    ).stdout
