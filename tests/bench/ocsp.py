"""OCSP under load; called by ocsp.sh with a running system.

    ocsp.py DIR [-s SECONDS] [-c CONNECTIONS] [-r RUNS]

In each run, one after the other: nginx with a static file of the size of the
answer, ocspd with one answer from its table (GET, keep-alive), ocspd with a
fresh nonce in every request (POST, signed live with P-256), openssl ocsp (POST;
it serves one connection at a time and closes it, and wrk wedges it by opening
one and closing it, so a loop here asks). The server's processes share the first
processor, the client has the second; ocspd has one front. CPU is that of all
processes of the server, from /proc/PID/stat.
"""

import argparse
import base64
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "journey")]

# pylint: disable=wrong-import-position
import machine  # noqa: E402
import system   # noqa: E402

SERVER_CPU, CLIENT_CPU = "0", "1"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("-s", dest="seconds", type=int, default=10)
    parser.add_argument("-c", dest="connections", type=int, default=64)
    parser.add_argument("-r", dest="runs", type=int, default=3)
    return parser.parse_args()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(port, path, body=None):
    """(status, body) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST" if body else "GET", path, body, {
        "Content-Type": "application/ocsp-request"} if body else {})
    answer = connection.getresponse()
    octets = answer.read()
    connection.close()
    return answer.status, octets


# --- the servers ----------------------------------------------------------------


class Server:
    """A started server with all of its processes on the first processor."""

    def __init__(self, *command, pids=None):
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CPU, *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.find = pids or self.family

    def family(self):
        """The process and its children."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [pid, *map(int, f.read().split())]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def start_nginx(folder, port, octets):
    root = os.path.join(folder, "nginx")
    os.makedirs(root, exist_ok=True)
    os.chmod(root, 0o755)
    with open(f"{root}/answer", "wb") as f:
        f.write(octets)
    with open(f"{root}/nginx.conf", "w", encoding="ascii") as f:
        f.write(f"""daemon off;
worker_processes 1;
error_log {root}/error.log;
pid {root}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	default_type application/ocsp-response;
	sendfile off;
	keepalive_requests 1000000000;
	open_file_cache max=16 inactive=1h;
	open_file_cache_valid 1h;
	server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
""")
    server = Server("nginx", "-c", f"{root}/nginx.conf", "-p", root)
    system.wait_for("nginx answers", lambda: answers(port, "/answer"))
    return server


def start_ocspd(sys_):
    with open(f"{sys_.folder}/etc/ocspd.conf", encoding="utf-8") as f:
        text = re.sub(r"(?m)^#?\s*fronts\s*=.*\n", "", f.read())
    conf = f"{sys_.folder}/etc/ocspd-bench.conf"
    with open(conf, "w", encoding="utf-8") as f:
        f.write(text + "fronts = 1\n")
    os.chmod(conf, 0o644)
    return Server(f"{sys_.folder}/bin/ocspd", "-c", conf, pids=lambda: [
        pid for pids in sys_.roles("ocspd").values() for pid in pids])


def start_openssl(sys_, port):
    """The same certificate good, by a responder key of its own."""
    root = os.path.join(sys_.folder, "openssl-ocsp")
    os.makedirs(root, exist_ok=True)
    system.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
               "/CN=ca", "-keyout", f"{root}/ca.key", "-out",
               f"{root}/ca.pem")
    issue_responder(root)
    with open(f"{root}/index.txt", "w", encoding="ascii") as f:
        f.write("V\t350101000000Z\t\t1000\tunknown\t/CN=user\n")
    server = Server("openssl", "ocsp", "-index", f"{root}/index.txt", "-port",
                    str(port), "-CA", f"{root}/ca.pem", "-rsigner",
                    f"{root}/responder.pem", "-rkey", f"{root}/responder.key")
    system.run("openssl", "ocsp", "-issuer", f"{root}/ca.pem", "-serial",
               "0x1000", "-nonce", "-reqout", f"{root}/request")
    with open(f"{root}/request", "rb") as f:
        request = f.read()
    system.wait_for("openssl ocsp answers", lambda: answers(port, "/",
                                                            request))
    return server, request


def issue_responder(root):
    system.run("openssl", "req", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=responder",
               "-keyout", f"{root}/responder.key", "-out",
               f"{root}/responder.csr")
    system.run("openssl", "x509", "-req", "-in", f"{root}/responder.csr",
               "-CA", f"{root}/ca.pem", "-CAkey", f"{root}/ca.key", "-days",
               "2", "-set_serial", "2", "-out", f"{root}/responder.pem")


def answers(port, path, body=None):
    """Not with an error, which has five octets, such as tryLater."""
    try:
        status, octets = fetch(port, path, body)
        return status == 200 and len(octets) > 5
    except OSError:
        return False


# --- requests -------------------------------------------------------------------


def as_path(request):
    return "/" + urllib.parse.quote(base64.b64encode(request), safe="")


def make_requests(sys_):
    """For a certificate just signed: one without nonce, one that ends in it."""
    csr = sys_.file("csr", sys_.csr("email:bench@example.test", cn="bench"))
    certificate = f"{sys_.tmp}/certificate.pem"
    sys_.csrmail("cert", "sign", csr, "--ca", sys_.env["ISSUER_NAME"],
                 "--profile", "user", "-o", certificate)
    made = []
    for option in ("-no_nonce", "-nonce"):
        path = f"{sys_.tmp}/request{option}"
        system.run("openssl", "ocsp", "-issuer", sys_.env["ISSUER_CERT"],
                   "-cert", certificate, option, "-reqout", path)
        with open(path, "rb") as f:
            made.append(f.read())
    return made


# --- one measurement --------------------------------------------------------------


def load(server, url, seconds, connections, script=None, environment=None):
    command = ["taskset", "-c", CLIENT_CPU, "wrk", "-t1", f"-c{connections}",
               f"-d{seconds}s", "--latency", *(["-s", script] if script
                                               else []), url]
    pids = server.find()
    cpu = machine.cpu_s(pids)
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                         check=True, env={**os.environ,
                                          **(environment or {})}).stdout
    if server.find() != pids:
        raise AssertionError("the server has changed its processes")
    cpu = machine.cpu_s(pids) - cpu
    if "Non-2xx" in out:
        raise AssertionError(out)
    n = int(re.search(r"(\d+) requests in", out)[1])
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
            "cpu": 1e5 * cpu / n, "p50": latency_ms(out, "50%"),
            "p99": latency_ms(out, "99%"), "busy": cpu / seconds}


def load_one_by_one(server, port, request, seconds):
    """A new connection for each request; the same figures as load()."""
    octets = (b"POST / HTTP/1.0\r\nContent-Type: application/ocsp-request\r\n"
              b"Content-Length: %d\r\n\r\n" % len(request)) + request
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(CLIENT_CPU)})
    cpu = machine.cpu_s(server.find())
    took = []
    began = at = time.monotonic()
    while at - began < seconds:
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(octets)
            answer = b""
            while part := s.recv(4096):
                answer += part
        if b" 200 " not in answer[:16]:
            raise AssertionError(answer)
        now = time.monotonic()
        took.append(1000 * (now - at))
        at = now
    cpu = machine.cpu_s(server.find()) - cpu
    os.sched_setaffinity(0, cpus)
    took.sort()
    return {"rate": len(took) / (at - began), "cpu": 1e5 * cpu / len(took),
            "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100],
            "busy": cpu / (at - began)}


def latency_ms(out, share):
    value, unit = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", out).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def signatures_a_second():
    out = system.run("taskset", "-c", SERVER_CPU, "openssl", "speed",
                     "-seconds", "3", "ecdsap256")
    words = [line for line in out.splitlines() if "nistp256" in line][-1]
    return {"sign_us": 1e6 / float(words.split()[-2])}


# --- all --------------------------------------------------------------------------


def main():
    options = arguments()
    sys_ = system.System(options.folder)
    sys_.heal()
    cached, with_nonce = make_requests(sys_)
    for pid in sys_.roles("ocspd").get("main", []):
        os.kill(pid, signal.SIGTERM)
    system.wait_for("ocspd has ended", lambda: not sys_.roles("ocspd"))
    machine.describe("nginx-light", "openssl", "libssl3", "libsqlite3-0",
                     "wrk")

    ocsp_port = int(urllib.parse.urlsplit(sys_.env["OCSP_URL"]).port)
    path = as_path(cached)
    rows = {"nginx": [], "cached": [], "live": [], "openssl": [], "sign": []}
    for i in range(options.runs):
        print(f"run {i + 1} of {options.runs}", end="", flush=True)
        ocspd = start_ocspd(sys_)
        system.wait_for("ocspd answers", lambda: answers(ocsp_port, path) and
                        answers(ocsp_port, "/", with_nonce))
        _, answer = fetch(ocsp_port, path)
        _, fresh = fetch(ocsp_port, "/", with_nonce)
        if with_nonce[-16:] not in fresh:
            raise AssertionError("ocspd does not return the nonce")
        url = f"http://127.0.0.1:{ocsp_port}"
        load(ocspd, url + path, 1, options.connections)
        rows["cached"].append(load(ocspd, url + path, options.seconds,
                                   options.connections))
        rows["live"].append(load(
            ocspd, url + "/", options.seconds, options.connections,
            f"{HERE}/nonce.lua", {"OCSP_REQUEST": with_nonce[:-16].hex()}))
        ocspd.stop()

        port = free_port()
        nginx = start_nginx(sys_.folder, port, answer)
        url = f"http://127.0.0.1:{port}/answer"
        load(nginx, url, 1, options.connections)
        rows["nginx"].append(load(nginx, url, options.seconds,
                                  options.connections))
        nginx.stop()

        port = free_port()
        openssl, request = start_openssl(sys_, port)
        rows["openssl"].append(load_one_by_one(openssl, port, request,
                                               options.seconds))
        openssl.stop()
        rows["sign"].append(signatures_a_second())
        print("".join(f", {name} {rows[name][-1]['rate']:.0f}/s" for name in
                      ("nginx", "cached", "live", "openssl")), flush=True)

    report(options, rows, len(answer))


def report(options, rows, octets):
    print(f"""
Medians of {options.runs} runs (least to most); {options.connections} """
          f"""connections, {options.seconds} s each; an answer has {octets} octets
                          requests/s              CPU s/100k    busy  p50 ms  p99 ms""")
    for name, what in (("nginx", "nginx, static file"),
                       ("cached", "ocspd, from the table"),
                       ("live", "ocspd, nonce, P-256"),
                       ("openssl", "openssl ocsp, nonce")):
        print(f"{what:25} {machine.spread(rows[name], 'rate'):23} "
              f"{machine.median(rows[name], 'cpu'):10.2f} "
              f"{100 * machine.median(rows[name], 'busy'):6.0f}% "
              f"{machine.median(rows[name], 'p50'):7.2f} "
              f"{machine.median(rows[name], 'p99'):7.2f}")
    sign_us = machine.median(rows["sign"], "sign_us")
    live_us = 10 * machine.median(rows["live"], "cpu")

    def ratio(one, other, key):
        return machine.median(rows[one], key) / machine.median(
            rows[other], key)

    print(f"""
one P-256 signature (openssl speed): {sign_us:.1f} us
ocspd / nginx, requests/s:          {ratio('cached', 'nginx', 'rate'):.2f}
ocspd / nginx, CPU per request:     {ratio('cached', 'nginx', 'cpu'):.2f}
live answer / one signature, CPU:   {live_us / sign_us:.2f}
ocspd live / openssl ocsp, rate:    {ratio('live', 'openssl', 'rate'):.1f}
ocspd live / openssl ocsp, CPU:     {ratio('live', 'openssl', 'cpu'):.2f}""")


if __name__ == "__main__":
    main()
