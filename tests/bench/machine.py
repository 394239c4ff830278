"""What the benches say about the machine, and how they count."""

import os
import statistics
import subprocess

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def output(*command):
    """The first line that a command says, on either stream."""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip().split("\n")[0]


def package(name):
    """A Debian package with its version."""
    return name + " " + output("dpkg-query", "-W", "-f=${Version}", name)


def describe(*packages):
    """Say once where the figures come from."""
    with open("/proc/cpuinfo", encoding="ascii") as f:
        model = next(line.split(":")[1].strip() for line in f
                     if line.startswith("model name"))
    print(f"machine:  {model}, {os.cpu_count()} processors, "
          f"{output('uname', '-sr')}")
    print(f"versions: {', '.join(package(name) for name in packages)}")
    print(f"load:     {' '.join(f'{x:.2f}' for x in os.getloadavg())} "
          "before the first run", flush=True)


def cpu_s(pids):
    """Processor seconds of these processes so far, user and system."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_A_SECOND


def programs_cpu_s(name_of):
    """Processor seconds so far by what name_of(pid) calls a process (None:
    left out), with those of children that it has waited for."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = name_of(pid)
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if name is not None:
            found[name] = found.get(name, 0) + \
                sum(int(ticks) for ticks in fields[11:15]) / TICKS_A_SECOND
    return found


def memory_kib(pids, kind):
    """KiB of these processes together; kind: "Rss" or "Pss"."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f
                          if line.startswith(kind + ":"))
    return total


def machine_cpu_s():
    """Processor seconds of everything that runs here, so far."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq = (
            int(n) for n in f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS_A_SECOND


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def spread(rows, key, form="{:.0f}"):
    """The median and, in brackets, the least and the most."""
    values = [row[key] for row in rows]
    return f"{form} ({form} to {form})".format(
        statistics.median(values), min(values), max(values))
