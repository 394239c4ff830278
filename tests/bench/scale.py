"""ocspd on large stores; called by scale.sh.

    scale.py BINDIR WORKDIR [-n CERTIFICATES ...] [-s SECONDS] [-c CONNECTIONS]
             [-r STARTS]

For each number of certificates, of which every tenth is revoked: a store with
their statuses (and nothing else: the rows that ocspd reads), one CA, ocspd
with one front. Then, each said as it is measured:

    start    from exec to the first signed answer, the store's pages dropped
             from memory before (cold) and not (warm)
    memory   PSS of all processes of ocspd: with an empty table, and with an
             answer held about each of the first million
    cold     uniform: nearly every answer is signed
    warm     uniform over what is held
    zipf     exponent 1 over all: what real sites ask, a few often, most rarely

The server's processes share the first processor, the client has the second.
"""

import argparse
import base64
import glob
import hashlib
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE]

# pylint: disable=wrong-import-position
import machine  # noqa: E402

SERVER_CPU, CLIENT_CPU = "0", "1"
HELD = 1_000_000
HELD_ANSWERS = 'responses_total{process="front.0",status="successful",' \
    'from="held"}'
NOW = int(time.time())
DAY = 86400


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("work")
    parser.add_argument("-n", dest="certificates", type=int, nargs="+",
                        default=[1_000, 1_000_000, 10_000_000])
    parser.add_argument("-s", dest="seconds", type=int, default=10)
    parser.add_argument("-c", dest="connections", type=int, default=64)
    parser.add_argument("-r", dest="starts", type=int, default=5)
    return parser.parse_args()


def run(*command):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


# --- the store --------------------------------------------------------------------


def serial(i):
    """As scale_load.c makes it."""
    octets = bytearray(hashlib.md5(str(i).encode()).digest())
    octets[0] = octets[0] & 0x3f | 0x40
    return bytes(octets)


def status_rows(n):
    """In the order of serials, so that the tree grows at its end."""
    numbers = sorted(range(n), key=serial)
    for change, i in enumerate(numbers, 1):
        revoked = i % 10 == 0
        yield (1, serial(i), 2 if revoked else 1,
               NOW - DAY if revoked else None, 1 if revoked else None,
               NOW + 365 * DAY, change + 10)


def make_store(path, n, ca):
    """What csrmaild would have, as far as ocspd reads it."""
    db = sqlite3.connect(path)
    os.chmod(path, 0o640)
    db.execute("PRAGMA cache_size = -4000000")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA journal_mode = OFF")
    for step in sorted(glob.glob(f"{SOURCE}/common/schema/0*.sql")):
        with open(step, encoding="utf-8") as f:
            db.executescript(f.read())
    db.execute("INSERT INTO ca (id, name, cert, key_sha1, not_before,"
               " not_after, change) VALUES (1, 'users', ?, ?, ?, ?, 1)",
               (ca.der, ca.key_sha1, NOW - DAY, NOW + 3650 * DAY))
    db.executemany(
        "INSERT INTO status (issuer_id, serial, state, revoked_at, reason,"
        " not_after, change) VALUES (?, ?, ?, ?, ?, ?, ?)", status_rows(n))
    db.execute("UPDATE change_counter SET last = ?", (n + 10,))
    db.commit()
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


class Ca:
    """A CA and what it takes to certify ocspd's keys, by openssl."""

    def __init__(self, folder):
        self.folder = folder
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj",
            "/CN=users", "-keyout", f"{folder}/ca.key", "-out",
            f"{folder}/ca.pem")
        self.der = run("openssl", "x509", "-in", f"{folder}/ca.pem",
                       "-outform", "DER")
        said = run("openssl", "x509", "-in", f"{folder}/ca.pem", "-noout",
                   "-ocspid").decode()
        names = [line.split()[-1].lower() for line in said.splitlines()]
        self.name_hash, self.key_hash = names
        self.key_sha1 = bytes.fromhex(self.key_hash)

    def certify(self, p10):
        with open(f"{self.folder}/ext", "w", encoding="ascii") as f:
            f.write("keyUsage=critical,digitalSignature\n"
                    "extendedKeyUsage=OCSPSigning\nnoCheck=yes\n")
        return run("openssl", "x509", "-req", "-inform", "DER", "-in", p10,
                   "-CA", f"{self.folder}/ca.pem", "-CAkey",
                   f"{self.folder}/ca.key", "-days", "14", "-extfile",
                   f"{self.folder}/ext", "-outform", "DER")


# --- ocspd ------------------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Ocspd:
    def __init__(self, programs, work, ca, db, n):
        self.programs, self.work, self.ca, self.db = programs, work, ca, db
        self.n, self.port, self.health = n, free_port(), free_port()
        self.process = None
        os.makedirs(f"{work}/published", exist_ok=True)
        self.configure(HELD)

    def configure(self, held):
        with open(f"{self.work}/ocspd.conf", "w", encoding="ascii") as f:
            f.write(f'''state_dir = "{self.work}/ocspd"
store = "{self.work}/store.db"
published_dir = "{self.work}/published"
listen = {{"127.0.0.1:{self.port}"}}
health_listen = "127.0.0.1:{self.health}"
unprivileged = true
spool_group = ""
log_level = "error"
fronts = 1
held_answers = {held}
''')

    def start(self):
        """Seconds from exec until an answer is signed."""
        began = time.monotonic()
        with open(f"{self.work}/log", "ab") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", SERVER_CPU, f"{self.programs}/ocspd", "-c",
                 f"{self.work}/ocspd.conf"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        while not self.answers():
            if time.monotonic() - began > 60:
                raise AssertionError(f"no answer; see {self.work}/log")
            time.sleep(0.0005)
        return time.monotonic() - began

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def answers(self):
        """Signed, about the first certificate; which is revoked."""
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            c.request("GET", self.path(0))
            answer = c.getresponse().read()
            c.close()
            return len(answer) > 100
        except OSError:
            return False

    def path(self, i):
        sha1 = bytes.fromhex("300906052b0e03021a0500")
        parts = (sha1 + b"\x04\x14" + bytes.fromhex(self.ca.name_hash) +
                 b"\x04\x14" + bytes.fromhex(self.ca.key_hash) +
                 b"\x02\x10" + serial(i))
        for _ in range(5):
            parts = b"\x30" + bytes([len(parts)]) + parts
        return "/" + base64.b64encode(parts).decode().replace(
            "+", "%2B").replace("/", "%2F").replace("=", "%3D")

    def get_certified(self):
        """Its first start: the key, the request, the certificate."""
        with open(f"{self.work}/log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{self.programs}/ocspd", "-c", f"{self.work}/ocspd.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        spool = f"{self.work}/ocspd/spool"
        while not (found := glob.glob(f"{spool}/users.*.p10")):
            time.sleep(0.01)
        key = bytes.fromhex(found[0].split(".")[-2])
        self.db.execute(
            "INSERT INTO responder (issuer_id, key_sha1, cert, not_before,"
            " not_after, change) VALUES (1, ?, ?, ?, ?, 2)",
            (key, self.ca.certify(found[0]), NOW - DAY, NOW + 14 * DAY))
        self.db.execute("UPDATE change_counter SET last = last + 1")
        self.db.commit()
        while not self.answers():
            time.sleep(0.01)
        self.stop()

    def pids(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [pid, *map(int, f.read().split())]

    def pss_mb(self):
        """Of all processes, by role, in MB (10^6)."""
        found = {}
        for pid in self.pids():
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            role = words[1].decode() if words[0] == b"ocspd:" else "main"
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                kib = next(int(line.split()[1]) for line in f
                           if line.startswith("Pss:"))
            found[role] = found.get(role, 0) + kib * 1024 / 1e6
        return found

    def counter(self, name):
        c = http.client.HTTPConnection("127.0.0.1", self.health, timeout=5)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        return sum(float(line.split()[-1]) for line in text.splitlines()
                   if line.startswith(f"csrmail_ocspd_{name}"))


# --- measurements -------------------------------------------------------------------


def drop_from_memory(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def cpu_ms(pids):
    """Processor time so far, finer than machine.cpu_s."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e6


def measure_start(ocspd, times):
    took = {"cold": [], "warm": []}
    for _ in range(times):
        for kind, rows in took.items():
            if kind == "cold":
                drop_from_memory(f"{ocspd.work}/store.db")
            ms = 1000 * ocspd.start()
            rows.append({"ms": ms, "cpu": cpu_ms(ocspd.pids())})
            ocspd.stop()
    for kind, rows in took.items():
        print(f"  start, {kind}: {machine.spread(rows, 'ms', '{:.1f}')} ms, "
              f"CPU {machine.spread(rows, 'cpu', '{:.1f}')} ms", flush=True)


def tell_memory(ocspd, when):
    parts = ocspd.pss_mb()
    each = ", ".join(f"{role} {mb:.1f}" for role, mb in parts.items())
    print(f"  PSS, {when}: {sum(parts.values()):.1f} MB ({each})", flush=True)


def load(options, ocspd, how, *words, over=None):
    pids = ocspd.pids()
    cpu, held = machine.cpu_s(pids), ocspd.counter(HELD_ANSWERS)
    done = json.loads(run(
        "taskset", "-c", CLIENT_CPU, f"{options.programs}/bench_scale_load",
        str(ocspd.port), ocspd.ca.name_hash, ocspd.ca.key_hash,
        str(over or ocspd.n), str(options.connections), *map(str, words)))
    cpu = machine.cpu_s(pids) - cpu
    held = ocspd.counter(HELD_ANSWERS) - held
    print(f"  {how}: {done['requests'] / done['seconds']:.0f}/s, "
          f"{1e5 * cpu / done['requests']:.2f} CPU s a 100k, "
          f"{100 * held / done['requests']:.1f} % from the table, "
          f"p50 {done['p50']:.2f} ms, p99 {done['p99']:.2f} ms, "
          f"tryLater {done['try_later']}", flush=True)
    return done


def measure(options, n):
    work = f"{options.work}/{n}"
    os.makedirs(work)
    ca = Ca(work)
    began = time.monotonic()
    db = make_store(f"{work}/store.db", n, ca)
    size = os.stat(f"{work}/store.db").st_size
    print(f"\n{n} certificates, {(n + 9) // 10} revoked: {size / 1e6:.0f} MB "
          f"of statuses, made in {time.monotonic() - began:.0f} s")
    ocspd = Ocspd(options.programs, work, ca, db, n)
    ocspd.get_certified()
    measure_start(ocspd, options.starts)
    ocspd.start()
    tell_memory(ocspd, "nothing held")
    load(options, ocspd, "uniform, cold", "uniform", options.seconds, 1)
    held = min(n, HELD)
    load(options, ocspd, f"first pass over {held}", "each", 0, held)
    load(options, ocspd, f"second pass over {held}", "each", 0, held)
    tell_memory(ocspd, f"{held} held")
    load(options, ocspd, f"uniform over {held}, warm", "uniform",
         options.seconds, 2, over=held)
    ocspd.stop()
    ocspd.start()
    load(options, ocspd, "Zipf, cold", "zipf", options.seconds, 3)
    load(options, ocspd, "Zipf, after it", "zipf", 5 * options.seconds, 4)
    load(options, ocspd, "Zipf, warm", "zipf", options.seconds, 5)
    ocspd.stop()
    db.close()
    shutil.rmtree(work)


def main():
    options = arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    machine.describe("openssl", "libssl3", "libsqlite3-0")
    for n in options.certificates:
        measure(options, n)
    print(f"load:     {os.getloadavg()[0]:.2f} at the end; "
          f"{soft} descriptors were allowed")


if __name__ == "__main__":
    main()
