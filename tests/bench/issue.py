"""A request becomes a certificate; called by issue.sh with a running system.

    issue.py DIR DRIVER [-n LIBRARY] [-d DAEMON] [-o OPENSSL] [-r RUNS]

Three ways, in turns within one run, each with P-256 keys and a P-256 CA:

library  DRIVER (tests/bench/issue_path.c): one process, no disk.
daemon   csrmaild through its socket, as `csrmail cert sign` does it: the
         parser's fork, the store's and the journal's flushes; the clock stops
         when the last is `issued`.
openssl  `openssl ca -batch`, one process a request.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "journey")]

# pylint: disable=wrong-import-position
import machine  # noqa: E402
import system   # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(HERE))
CONNECTIONS = 8


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("driver")
    parser.add_argument("-n", dest="library", type=int, default=10000)
    parser.add_argument("-d", dest="daemon", type=int, default=2000)
    parser.add_argument("-o", dest="openssl", type=int, default=200)
    parser.add_argument("-r", dest="runs", type=int, default=3)
    return parser.parse_args()


def make_requests(folder, n):
    """PEM of n requests, each with a new key and a name of its own."""
    def make(i):
        path = os.path.join(folder, f"request.{i}")
        name = f"host{i}.example.test"
        subprocess.run(
            ["openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-keyout", "/dev/null", "-out", path,
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
            check=True, stderr=subprocess.DEVNULL)
        with open(path, encoding="ascii") as f:
            return f.read()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(make, range(n)))


# --- the library --------------------------------------------------------------


def run_library(driver, n):
    policies = os.path.join(SOURCE, "policies")
    out = subprocess.run(
        [driver, f"{policies}/profiles/user.conf",
         f"{policies}/rules/staff.conf", str(n)],
        stdout=subprocess.PIPE, check=True, text=True).stdout
    row = json.loads(out)
    row["rate"] = n / row["seconds"]
    row["cpu"] = 1000 * row["seconds"] / n      # one thread, never waiting
    return row


# --- the daemon -----------------------------------------------------------------


class Api(http.client.HTTPConnection):
    """One connection to csrmaild's socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)

    def call(self, method, path, body=None):
        self.request(method, f"/api/v1/{path}",
                     None if body is None else json.dumps(body),
                     {"Content-Type": "application/json"})
        answer = self.getresponse()
        content = json.loads(answer.read())
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {content}")
        return content


def hand_in(path, ca, requests):
    """One after the other; the number of the last."""
    api = Api(path)
    for csr in requests:
        number = api.call("POST", "requests", {
            "ca": ca, "profile": "tls-server", "csr": csr})["id"]
    return number


def run_daemon(sys_, requests):
    path = os.path.join(sys_.folder, "run", "api.sock")
    ca = sys_.env["ISSUER_NAME"]
    pids = [pid for pids in sys_.roles("csrmaild").values() for pid in pids]
    status = Api(path)
    before = status.call("GET", "status")["counts"]["issued"]
    cpu, began = machine.cpu_s(pids), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda i: hand_in(path, ca, requests[i::CONNECTIONS]),
                      range(CONNECTIONS)))
    system.wait_for("all are issued", lambda: status.call(
        "GET", "status")["counts"]["issued"] >= before + len(requests), 300)
    wall = time.monotonic() - began
    return {"rate": len(requests) / wall,
            "cpu": 1000 * (machine.cpu_s(pids) - cpu) / len(requests)}


# --- openssl ca -------------------------------------------------------------------


def make_openssl_ca(folder):
    os.makedirs(f"{folder}/certs")
    for name, text in (("index.txt", ""), ("ca.cnf", f"""[ca]
default_ca = peer
[peer]
database = {folder}/index.txt
new_certs_dir = {folder}/certs
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
rand_serial = yes
default_md = sha256
default_days = 90
unique_subject = no
copy_extensions = copy
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
""")):
        with open(f"{folder}/{name}", "w", encoding="ascii") as f:
            f.write(text)
    system.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj",
               "/CN=Peer CA", "-keyout", f"{folder}/ca.key", "-out",
               f"{folder}/ca.crt")


def run_openssl(folder, requests):
    make_openssl_ca(folder)
    paths = []
    for i, csr in enumerate(requests):
        paths.append(f"{folder}/{i}.csr")
        with open(paths[-1], "w", encoding="ascii") as f:
            f.write(csr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    for path in paths:
        subprocess.run(["openssl", "ca", "-batch", "-notext", "-config",
                        f"{folder}/ca.cnf", "-in", path, "-out", f"{path}.crt"],
                       check=True, stderr=subprocess.DEVNULL)
    wall = time.monotonic() - began
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(f"{folder}/index.txt", encoding="ascii") as f:
        if len(f.readlines()) != len(requests):
            raise AssertionError("openssl ca did not sign them all")
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return {"rate": len(requests) / wall, "cpu": 1000 * cpu / len(requests)}


# --- all ----------------------------------------------------------------------------


def main():
    options = arguments()
    sys_ = system.System(options.folder)
    machine.describe("openssl", "libssl3", "libsqlite3-0")
    requests = make_requests(sys_.tmp, options.daemon)
    rows = {"library": [], "daemon": [], "openssl ca": []}
    for run in range(options.runs):
        rows["library"].append(run_library(options.driver, options.library))
        rows["daemon"].append(run_daemon(sys_, requests))
        rows["openssl ca"].append(run_openssl(
            f"{sys_.tmp}/openssl.{run}", requests[:options.openssl]))
    print("\n| | requests/s | CPU ms a request |\n|---|---|---|")
    for name, runs in rows.items():
        print(f"| {name} | {machine.spread(runs, 'rate')} | "
              f"{machine.spread(runs, 'cpu', '{:.2f}')} |")
    print("\n| step of the library | µs |\n|---|---|")
    for step in (key for key in rows["library"][0] if key.endswith("_us")):
        print(f"| {step[:-3].replace('_', ' ')} | "
              f"{machine.spread(rows['library'], step, '{:.1f}')} |")
    ratio = machine.median(rows["library"], "rate") / \
        machine.median(rows["openssl ca"], "rate")
    print(f"\nlibrary / openssl ca: {ratio:.1f}")


if __name__ == "__main__":
    main()
