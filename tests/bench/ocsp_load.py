"""The clients of the OCSP bench, on a processor of their own: wrk, which keeps
its connections, and ab, which makes one for each request.

Each measurement is a row: requests a second, processor seconds of the server
for 100,000 of them, the share of the time that it was busy, and what half and
99 of 100 requests took at most, in milliseconds.
"""

import collections
import os
import re
import resource
import subprocess

import machine
from ocsp_servers import CLIENT_CPU, is_in_our_network

HERE = os.path.dirname(os.path.abspath(__file__))
LINGER_S = 30

# By GET (body None), or by POST; fresh_nonce: with wrk, its last 16 octets are
# other ones each time.
Request = collections.namedtuple("Request", "path body fresh_nonce",
                                 defaults=(None, False))


class Stalled(Exception):
    """A server that did not answer all that the client asked."""


def allow_many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def client(server, seconds, *command, environment=None):
    """What the command says, and the processor seconds of the server."""
    prefix = ["taskset", "-c", str(CLIENT_CPU)]
    if not is_in_our_network(server.process.pid):
        prefix += ["nsenter", "--net", "--target", str(server.process.pid)]
    pids = server.find()
    cpu = machine.cpu_s(pids)
    try:
        done = subprocess.run(
            [*prefix, *command], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
            timeout=seconds + LINGER_S,
            env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired as e:
        raise Stalled(f"{command[0]} never ended") from e
    if server.find() != pids:
        raise AssertionError("the server has changed its processes")
    return done.stdout, machine.cpu_s(pids) - cpu


def row(n, rate, cpu, p50, p99):
    return {"rate": rate, "cpu": 1e5 * cpu / n, "busy": cpu * rate / n,
            "p50": p50, "p99": p99}


# --- keep-alive ------------------------------------------------------------


def keep_alive(server, request, connections, seconds):
    script, environment = [], {}
    if request.body is not None:
        script = ["-s", f"{HERE}/post.lua"]
        environment["OCSP_REQUEST"] = request.body.hex()
    if request.fresh_nonce:
        script = ["-s", f"{HERE}/nonce.lua"]
        environment["OCSP_REQUEST"] = request.body[:-16].hex()
    out, cpu = client(server, seconds, "wrk", "-t1", f"-c{connections}",
                      f"-d{seconds}s", "--latency", *script,
                      f"http://127.0.0.1:{server.port}{request.path}",
                      environment=environment)
    n = int(re.search(r"(\d+) requests in", out)[1])
    errors = re.search(r"Socket errors: .*", out)
    if n == 0 or errors:
        raise Stalled(errors[0] if errors else "nothing was answered")
    if "Non-2xx" in out:
        raise AssertionError(out)
    return row(n, float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), cpu,
               wrk_ms(out, "50%"), wrk_ms(out, "99%"))


def wrk_ms(out, share):
    value, unit = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", out).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


# --- a connection for each request -----------------------------------------


def one_each(server, request, connections, seconds, tmp):
    post = []
    if request.body is not None:
        with open(f"{tmp}/request", "wb") as f:
            f.write(request.body)
        post = ["-p", f"{tmp}/request", "-T", "application/ocsp-request"]
    csv = f"{tmp}/latencies.csv"
    out, cpu = client(server, seconds, "ab", "-q", "-l", "-t", str(seconds),
                      "-n", "100000000", "-c", str(connections), "-e", csv,
                      *post,
                      f"http://127.0.0.1:{server.port}{request.path}")
    if "Non-2xx" in out:
        raise AssertionError(out)
    found = re.search(r"Complete requests:\s+(\d+)", out)
    failed = re.search(r"Failed requests:\s+(\d+)", out)
    if not found or found[1] == "0" or failed[1] != "0":
        raise Stalled(out.strip().split("\n")[-1] if not found else
                      f"{failed[1]} requests failed")
    with open(csv, encoding="ascii") as f:
        took = dict(line.split(",") for line in f.read().split()[2:]
                    if "," in line)
    return row(int(found[1]),
               float(re.search(r"Requests per second:\s+([\d.]+)", out)[1]),
               cpu, float(took["50"]), float(took["99"]))


# --- the price of a signature ----------------------------------------------


def signature_us(algorithm, seconds):
    """One signature by openssl speed: processor time, microseconds."""
    out = subprocess.run(
        ["taskset", "-c", str(CLIENT_CPU), "openssl", "speed", "-seconds",
         str(seconds), algorithm], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return 1e6 / float(out.splitlines()[-1].split()[-2])
