# SPDX-License-Identifier: Apache-2.0
"""Machines that are joined to this one by a wire each: network namespaces and veth. What may become of a wire: packets are lost, by chance
or all, one way or both (nftables); it is slow (tbf); it is unplugged. All of it is in a namespace of this process and ends with it."""
import os
import shutil
import socket
import struct
import subprocess
import sys

SKIPPED = 77  # SKIP_RETURN_CODE of tests/fault/CMakeLists.txt
INSIDE = "HETEROSIS_TEST_IN_NAMESPACE"
NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
ESTABLISHED = "01"  # in /proc/net/tcp
ALL = 100  # percent of the packets


def call(*words: object, stdin: str = "") -> None:
    done = subprocess.run([str(word) for word in words], input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: exit status {done.returncode}: {done.stderr}{stdin}"


def skip(why: str) -> None:
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def enter_namespaces() -> None:
    """Starts this program again in namespaces in which it may lay wires. Ends it as skipped where the system does not permit that."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if INSIDE not in os.environ:
        for tool in ("ip", "nft", "tc", "nsenter"):
            assert shutil.which(tool), f"{tool} is missing: deploy/deps/install --tests"
        tried = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            skip(f"no right to make network namespaces (an unprivileged container?): {tried.stderr.strip()}")
        os.execvpe(NAMESPACES[0], [*NAMESPACES, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
    try:
        call("mount", "-t", "tmpfs", "none", "/run")  # where `ip netns` has its names
        call("ip", "link", "set", "lo", "up")
        call("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1gbit", "burst", "1mb", "latency", "1ms")
        call("tc", "qdisc", "del", "dev", "lo", "root")
        call("nft", "add", "table", "inet", "tried")
    except AssertionError as error:
        skip(f"this kernel or container lacks what the test needs: {error}")


class Machine:
    """A machine with a wire to this one. `address` is its own, `here` ours at the other end."""

    def __init__(self, number: int):
        self.name = f"machine{number}"
        self.here, self.address = f"10.77.{number}.1", f"10.77.{number}.2"
        self._inside = ["nsenter", f"--net=/run/netns/{self.name}"]
        self._device, self._far_device = f"here{number}", f"there{number}"
        call("ip", "netns", "add", self.name)
        call("ip", "link", "add", self._device, "type", "veth", "peer", "name", self._far_device, "netns", self.name)
        for prefix, device, address in (([], self._device, self.here), (self._inside, self._far_device, self.address)):
            call(*prefix, "ip", "address", "add", f"{address}/24", "dev", device)
            call(*prefix, "ip", "link", "set", device, "up")

    def start(self, command: list, log: str, **variables: str) -> subprocess.Popen:
        """Runs a program there."""
        with open(log, "ab") as stream:
            return subprocess.Popen([*self._inside, *map(str, command)], env={**os.environ, **variables}, stdout=stream, stderr=stream)

    def lose(self, to_here: int = 0, to_there: int = 0) -> None:
        """From now on that share of packets, in percent, is lost on their way; 0 heals. They are dropped where they arrive: a sender
        is told of none."""
        for prefix, device, percent in (([], self._device, to_here), (self._inside, self._far_device, to_there)):
            table = f"lose_{device}"
            chosen = "" if percent == ALL else f"numgen random mod 100 < {percent}"
            rule = f'add rule inet {table} arriving iifname "{device}" {chosen} drop\n' if percent > 0 else ""
            call(*prefix, "nft", "-f", "-", stdin=f"add table inet {table}\n"
                 f"add chain inet {table} arriving {{ type filter hook prerouting priority raw; }}\n"
                 f"flush chain inet {table} arriving\n{rule}")

    def throttle(self, kbit_per_second: int) -> None:
        """Both ways; the queue before it holds 400 ms, and what comes on top is lost."""
        for prefix, device in (([], self._device), (self._inside, self._far_device)):
            call(*prefix, "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", f"{kbit_per_second}kbit", "burst", "4kb",
                 "latency", "400ms")

    def unplug(self) -> None:
        call("ip", "link", "set", self._device, "down")

    def plug_in(self) -> None:
        call("ip", "link", "set", self._device, "up")


def connections(pid: int, peer: str) -> int:
    """How many established TCP connections to `peer` there are on the machine of that process."""
    peer_hex = f"{struct.unpack('=I', socket.inet_aton(peer))[0]:08X}"
    count = 0
    with open(f"/proc/{pid}/net/tcp") as table:
        for line in list(table)[1:]:
            remote, state = line.split()[2:4]
            count += remote.startswith(f"{peer_hex}:") and state == ESTABLISHED
    return count
