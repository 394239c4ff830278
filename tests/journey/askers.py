"""Clients of ocspd: one that asks a front of its choice, and crowds of them.

Certificates come from the command line, requests from openssl; answers are read
here as far as the status goes, so that asking takes a millisecond.
"""

import base64
import concurrent.futures
import http.client
import json
import os
import signal
import ssl
import subprocess
import urllib.parse
import uuid

from system import run, wait_for

CROWD = os.path.join(os.environ.get("CSRMAIL_BIN", ""), "crowd")
STATUS = {0x80: "good", 0xa1: "revoked", 0x82: "unknown"}
TRY_LATER = bytes.fromhex("30030a0103")


def server_of(system):
    url = urllib.parse.urlsplit(system.env["OCSP_URL"])
    return url.hostname, url.port


# --- certificates and requests ---------------------------------------------


def content(der, at=0):
    """Where the content of the TLV there begins and ends."""
    length, at = der[at + 1], at + 2
    if length & 0x80:
        n = length & 0x7f
        length, at = int.from_bytes(der[at:at + n], "big"), at + n
    return at, at + length


def sequence(body):
    assert len(body) < 128
    return b"\x30" + bytes([len(body)]) + body


def serial_in(der):
    """The INTEGER of a certificate's serial, header and all."""
    at, _ = content(der)            # Certificate
    at, _ = content(der, at)        # TBSCertificate
    _, at = content(der, at)        # behind version
    return der[at:content(der, at)[1]]


def issuer_in(request):
    """What all CertIDs of an issuer have before the serial."""
    at = 0
    for _ in range(5):  # OCSPRequest, TBSRequest, requestList, Request, CertID
        at, end = content(request, at)
    last = at
    for _ in range(3):  # hashAlgorithm, issuerNameHash, issuerKeyHash
        _, last = content(request, last)
    assert last < end
    return request[at:last]


class Certificate:
    """Issued by the command line, with the path of its OCSP request."""

    def __init__(self, system, csr, issuer):
        path = os.path.join(system.tmp, f"{uuid.uuid4().hex}.pem")
        system.csrmail("cert", "sign", csr, "--ca",
                       system.env["ISSUER_NAME"], "--profile", "user", "-o",
                       path)
        with open(path, encoding="ascii") as f:
            self.pem = f.read()
        self.serial = serial_in(ssl.PEM_cert_to_DER_cert(self.pem))
        self.hex = self.serial[2:].hex().upper().removeprefix("00")
        self.path = "/" + urllib.parse.quote(base64.b64encode(sequence(
            sequence(sequence(sequence(sequence(issuer + self.serial)))))),
            safe="")

    def status_in(self, body):
        """What the answer says of it; None: tryLater. The status stands
        behind the CertID, and that ends in the serial."""
        if body == TRY_LATER:
            return None
        at = body.index(self.serial) + len(self.serial)
        return STATUS[body[at]]


def issue(system, n):
    """So many certificates, all for one request."""
    csr = system.file(f"{uuid.uuid4().hex}.csr", system.csr(
        "email:many@example.test", cn="many"))
    template = os.path.join(system.tmp, f"{uuid.uuid4().hex}.req")
    run("openssl", "ocsp", "-issuer", system.env["ISSUER_CERT"], "-serial",
        "1", "-no_nonce", "-reqout", template)
    with open(template, "rb") as f:
        issuer = issuer_in(f.read())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: Certificate(system, csr, issuer),
                             range(n)))


# --- one front --------------------------------------------------------------


class Asker:
    """A connection that is kept, and comes again when it is ended."""

    def __init__(self, system):
        self.server = server_of(system)
        self.connection = http.client.HTTPConnection(*self.server, timeout=10)

    def ask(self, certificate):
        self.connection.request("GET", certificate.path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{answer.status} {body!r}")
        return certificate.status_in(body)

    def front(self, fronts):
        """Which of these processes has the other end."""
        ours = self.connection.sock.getsockname()[1]
        inode = server_side(self.server[1], ours)
        for pid in fronts:
            if f"socket:[{inode}]" in links(pid):
                return pid
        return None

    def close(self):
        self.connection.close()


def server_side(port, client_port):
    """The inode of the socket that a server on 127.0.0.1 has for a client."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            if int(words[1].split(":")[1], 16) == port and \
                    int(words[2].split(":")[1], 16) == client_port:
                return words[9]
    raise AssertionError("the connection is gone")


def links(pid):
    """What the descriptors of a process are."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return found


def fronts(system):
    return [pid for name, pids in system.roles("ocspd").items()
            if name.startswith("front") for pid in pids]


def an_asker_for_each_front(system, certificate):
    """The kernel deals connections out; so until each has one."""
    found = {}

    def dial():
        asker = Asker(system)
        asker.ask(certificate)
        if found.setdefault(asker.front(fronts(system)), asker) != asker:
            asker.close()
        return set(found) >= set(fronts(system))
    wait_for("a connection to each front", dial)
    return list(found.values())


# --- crowds -----------------------------------------------------------------


class Crowd:
    """A started crowd; wait() or end() tell what it met."""

    def __init__(self, system, certificate, close=False, **options):
        host, port = server_of(system)
        self.file = system.file(f"{uuid.uuid4().hex}.http", (
            f"GET {certificate.path} HTTP/1.1\r\nHost: {host}\r\n" +
            ("Connection: close\r\n" if close else "") + "\r\n").encode())
        command = [CROWD, str(port), self.file]
        for name, value in options.items():
            command += [f"-{name}", str(value)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        text=True)

    def wait(self):
        out, _ = self.process.communicate(timeout=300)
        if self.process.returncode != 0:
            raise AssertionError(f"crowd: exit {self.process.returncode}")
        return json.loads(out)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """For a test that fails; nothing when it has ended."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


# --- what it costs ----------------------------------------------------------


def descriptors(system):
    """{pid: how many}, of all processes of ocspd."""
    return {pid: len(os.listdir(f"/proc/{pid}/fd"))
            for pids in system.roles("ocspd").values() for pid in pids}


def is_sanitized(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return "libasan" in f.read()


def memory_kib(system):
    """{pid: PSS}, likewise."""
    found = {}
    for pid in descriptors(system):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            found[pid] = next(int(line.split()[1]) for line in f
                              if line.startswith("Pss:"))
    return found
