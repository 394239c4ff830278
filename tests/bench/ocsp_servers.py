"""The servers of the OCSP bench: each started with all of its processes on one
processor, asked until it answers, and looked at from /proc.
"""

import base64
import ctypes
import http.client
import os
import re
import shutil
import subprocess
import threading
import time

import machine
import system

SERVER_CPU, CLIENT_CPU = (sorted(os.sched_getaffinity(0)) * 2)[:2]
CONNECTIONS_MAX = 4096
STARTED_S = 30


def fetch(port, path, body=None):
    """(status, body) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST" if body else "GET", path, body, {
        "Content-Type": "application/ocsp-request"} if body else {})
    answer = connection.getresponse()
    octets = answer.read()
    connection.close()
    return answer.status, octets


def is_in_our_network(pid):
    return os.readlink(f"/proc/{pid}/ns/net") == os.readlink(
        "/proc/self/ns/net")


def within_network_of(pid, ask):
    """ask(), by a thread in the network that the process is in."""
    if is_in_our_network(pid):
        return ask()
    answer = []

    def work():
        with open(f"/proc/{pid}/ns/net", "rb") as ns:
            if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
            answer.append(ask())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return answer[0]


class Server:
    """One of them. What answers, and not with an error of five octets such as
    tryLater, has started; start_ms is the time until then."""

    def __init__(self, command, port, pids=None):
        self.command, self.port = command, port
        self.find = pids or self.family
        self.start_ms = None
        self.began = time.monotonic()
        self.process = subprocess.Popen(  # pylint: disable=R1732,W1509
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CPU}))

    def started(self, path="/", body=None):
        """Itself, when it has."""
        while not self.answers(path, body):
            if self.process.poll() is not None or \
                    time.monotonic() > self.began + STARTED_S:
                raise AssertionError(f"{' '.join(self.command)}: no answer")
            time.sleep(0.0005)
        self.start_ms = 1000 * (time.monotonic() - self.began)
        return self

    def answers(self, path, body):
        def ask():
            try:
                status, octets = fetch(self.port, path, body)
                return status == 200 and len(octets) > 5
            except (OSError, http.client.HTTPException):
                return False
        return self.process.poll() is None and within_network_of(
            self.process.pid, ask)

    def family(self):
        """The process and its children."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [pid, *map(int, f.read().split())]

    def memory(self):
        """Of all processes together: shared pages once (PSS), and as often
        as they are mapped (RSS)."""
        pids = self.find()
        return {"start_ms": self.start_ms,
                "rss": machine.memory_kib(pids, "Rss") / 1024,
                "pss": machine.memory_kib(pids, "Pss") / 1024}

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_nginx(folder, octets):
    root, port = os.path.join(folder, "nginx"), system.free_port()
    os.makedirs(root, exist_ok=True)
    os.chmod(root, 0o755)
    with open(f"{root}/answer", "wb") as f:
        f.write(octets)
    with open(f"{root}/nginx.conf", "w", encoding="ascii") as f:
        f.write(f"""daemon off;
worker_processes 1;
worker_rlimit_nofile {2 * CONNECTIONS_MAX};
error_log {root}/error.log;
pid {root}/nginx.pid;
events {{ worker_connections {CONNECTIONS_MAX}; }}
http {{
	access_log off;
	default_type application/ocsp-response;
	sendfile off;
	keepalive_requests 1000000000;
	open_file_cache max=16 inactive=1h;
	open_file_cache_valid 1h;
	server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
""")
    return Server(["nginx", "-c", f"{root}/nginx.conf", "-p", root],
                  port).started("/answer")


def start_cfssl(folder, octets, request):
    """It reads answers signed beforehand: the very octets of ours."""
    path, port = f"{folder}/cfssl.responses", system.free_port()
    with open(path, "wb") as f:
        f.write(base64.b64encode(octets))
    return Server(["cfssl", "ocspserve", "-address", "127.0.0.1", "-port",
                   str(port), "-responses", path, "-loglevel", "5"],
                  port).started("/", request)


class OpensslFiles:
    """A CA with one certificate, good, and a responder key of its own."""

    def __init__(self, folder):
        self.root = root = os.path.join(folder, "openssl-ocsp")
        os.makedirs(root, exist_ok=True)
        system.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                   "/CN=ca", "-keyout", f"{root}/ca.key", "-out",
                   f"{root}/ca.pem")
        system.run("openssl", "req", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-subj",
                   "/CN=responder", "-keyout", f"{root}/responder.key",
                   "-out", f"{root}/responder.csr")
        system.run("openssl", "x509", "-req", "-in", f"{root}/responder.csr",
                   "-CA", f"{root}/ca.pem", "-CAkey", f"{root}/ca.key",
                   "-days", "2", "-set_serial", "2", "-out",
                   f"{root}/responder.pem")
        with open(f"{root}/index.txt", "w", encoding="ascii") as f:
            f.write("V\t350101000000Z\t\t1000\tunknown\t/CN=user\n")
        system.run("openssl", "ocsp", "-issuer", f"{root}/ca.pem", "-serial",
                   "0x1000", "-nonce", "-reqout", f"{root}/request")
        with open(f"{root}/request", "rb") as f:
            self.request = f.read()

    def start(self):
        """It can only listen on every address, so it gets a network of its
        own, with nothing but a loopback interface."""
        root, port = self.root, system.free_port()
        return Server([
            "unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"',
            "sh", "openssl", "ocsp", "-index", f"{root}/index.txt", "-port",
            str(port), "-CA", f"{root}/ca.pem", "-rsigner",
            f"{root}/responder.pem", "-rkey", f"{root}/responder.key"],
            port).started("/", self.request)


def has_networks():
    """May we make a network for a process?"""
    return subprocess.run(["unshare", "--net", "ip", "link", "set", "lo",
                           "up"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def take_over(model, path):
    """Owner, group and mode."""
    seen = os.stat(model)
    os.chown(path, seen.st_uid, seen.st_gid)
    os.chmod(path, seen.st_mode & 0o7777)


class Ocspd:
    """Ours with keys of one kind, one front, in a state folder of its own."""

    def __init__(self, sys_, kind):
        self.system, self.port = sys_, system.free_port()
        self.state = f"{sys_.folder}/ocspd-{kind}"
        for folder in ("", "/keys", "/spool"):
            os.makedirs(self.state + folder, exist_ok=True)
            take_over(f"{sys_.folder}/ocspd{folder}", self.state + folder)
        self.conf = f"{sys_.folder}/etc/ocspd-{kind}.conf"
        with open(f"{sys_.folder}/etc/ocspd.conf", encoding="utf-8") as f:
            text = f.read()
        for key, value in (
                ("state_dir", f'"{self.state}"'),
                ("listen", f'{{"127.0.0.1:{self.port}"}}'),
                ("health_listen", '""'), ("fronts", "1"),
                ("max_connections", CONNECTIONS_MAX),
                ("max_connections_per_client", CONNECTIONS_MAX),
                ("max_waiting", CONNECTIONS_MAX),
                ("responder_key", f'"{kind}"')):
            text = re.sub(rf"(?m)^#?\s*{key}\s*=.*\n", "", text)
            text += f"{key} = {value}\n"
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.conf, 0o644)

    def certify(self, request):
        """Let csrmaild certify its key, if that is still to be done: the
        request goes from its spool to the one that csrmaild looks at."""
        server = Server(self.command(), self.port)
        spool = f"{self.state}/spool"
        name = f"{self.system.env['ISSUER_NAME']}."
        theirs = f"{self.system.folder}/ocspd/spool"

        def carry():
            for file in os.listdir(spool):
                if file.startswith(name) and file.endswith(".p10") and \
                        not os.path.exists(f"{theirs}/{file}"):
                    shutil.copy(f"{spool}/{file}", f"{theirs}/{file}.new")
                    take_over(f"{spool}/{file}", f"{theirs}/{file}.new")
                    os.rename(f"{theirs}/{file}.new", f"{theirs}/{file}")
                    carried.append(f"{theirs}/{file}")
            return server.answers("/", request)

        carried = []
        system.wait_for("ocspd is certified", carry)
        for path in carried:
            os.unlink(path)
        server.stop()

    def command(self):
        return [f"{self.system.folder}/bin/ocspd", "-c", self.conf]

    def start(self, path):
        return Server(self.command(), self.port, pids=lambda: sorted(
            pid for pids in self.system.roles("ocspd").values()
            for pid in pids)).started(path)
