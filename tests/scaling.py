"""More than one ocspd: on one store, on an island, behind a cache.

    scaling.py FOLDER-OF-PROGRAMS

The real programs, unprivileged and without mail servers, and nginx where it is
installed. docs/scaling.md says what is shown here.
"""

import base64
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import backup
from backup import run, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
NGINX_CONF = f"{os.path.dirname(HERE)}/docs/examples/nginx-ocsp-cache.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
MAX_AGE_S = 3


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Ocspd:
    """One ocspd with a folder of its own."""

    def __init__(self, ca, name, **keys):
        self.ca, self.state, self.process = ca, f"{ca.place}/{name}", None
        self.log, self.port = f"{ca.place}/{name}.log", free_port()
        self.health = free_port()
        self.keys = {"state_dir": self.state,
                     "store": f"{ca.state}/store.db",
                     "published_dir": f"{ca.state}/published",
                     "health_listen": f"127.0.0.1:{self.health}", **keys}

    def start(self):
        conf = f"{self.ca.place}/{os.path.basename(self.state)}.conf"
        with open(conf, "w", encoding="ascii") as f:
            f.write(f'listen = {{"127.0.0.1:{self.port}"}}\n'
                    'unprivileged = true\nspool_group = ""\nfronts = 1\n')
            for key, value in self.keys.items():
                f.write(f"{key} = {json.dumps(value)}\n")
        with open(self.log, "a", encoding="ascii") as log:
            self.process = subprocess.Popen(
                [f"{backup.PROGRAMS}/ocspd", "-c", conf], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def said(self, what):
        with open(self.log, encoding="ascii") as f:
            return what in f.read()

    def requests(self, ca="users"):
        return glob.glob(f"{self.state}/spool/{ca}.*.p10")

    def key_files(self, ca="users"):
        return {os.path.basename(path) for path in
                glob.glob(f"{self.state}/keys/{ca}.*.key")}

    def counter(self, line):
        c = http.client.HTTPConnection("127.0.0.1", self.health, timeout=10)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        return sum(int(found) for found in re.findall(
            f"(?m)^csrmail_ocspd_{line}.* ([0-9]+)$", text))


def request_der(ca, serial):
    path = f"{ca.place}/request"
    run("openssl", "ocsp", "-issuer", f"{ca.state}/published/users.pem",
        "-serial", "0x" + serial, "-no_nonce", "-reqout", path)
    with open(path, "rb") as f:
        return f.read()


def ask(ca, port, serial, nonce=False):
    """"good", ..., signature verified; or what the error is called."""
    done = subprocess.run(
        ["openssl", "ocsp", "-url", f"http://127.0.0.1:{port}/", "-issuer",
         f"{ca.state}/published/users.pem", "-serial", "0x" + serial,
         "-nonce" if nonce else "-no_nonce", "-CAfile",
         f"{ca.place}/chain.pem"], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60)
    error = re.search(r"Responder Error: (\w+)", done.stdout)
    if error:
        return error[1]
    found = re.search(r"(?m)^0x\w+: (\w+)", done.stdout)
    if not found or "Response verify OK" not in done.stdout:
        return done.stdout
    return found[1]


class Scaling(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="csrmail-scaling.")
        self.addCleanup(place.cleanup)
        self.ca = backup.Ca(place.name, "--unprivileged")
        self.addCleanup(self.ca.stop)
        # Each with its own spool, and csrmaild looks into both.
        path = f"{place.name}/etc/csrmaild.conf"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        one = f'"{place.name}/ocspd/spool"'
        self.assertIn(f"responder_spool = {one}", text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(f"responder_spool = {one}",
                                 f"responder_spool = {{{one}, "
                                 f'"{place.name}/ocspd-2/spool"}}'))
        os.makedirs(f"{place.name}/ocspd-2/spool")
        self.ca.start()
        self.serials = [self.ca.sign() for _ in range(2)]
        with open(f"{place.name}/chain.pem", "w", encoding="ascii") as out:
            for name in ("root", "users"):
                with open(f"{self.ca.state}/published/{name}.pem",
                          encoding="ascii") as f:
                    out.write(f.read())

    def ocspd(self, name, **keys):
        ocspd = Ocspd(self.ca, name, **keys)
        ocspd.start()
        self.addCleanup(ocspd.stop)
        return ocspd

    def await_answer(self, port, serial, want):
        return wait_for(f"{serial} {want}",
                        lambda: ask(self.ca, port, serial) == want)

    def responders(self):
        return self.ca.rows("SELECT count(*) FROM responder JOIN ca"
                            " ON ca.id = issuer_id WHERE name = 'users'"
                            )[0][0]

    def export(self):
        return self.ca.csrmail("export", "index", f"{self.ca.place}/exported")

    def carry(self, island):
        """As scp and mv would: never in its place before it is whole."""
        self.export()
        shutil.copy(f"{self.ca.place}/exported", island.keys["store"] + ".new")
        os.rename(island.keys["store"] + ".new", island.keys["store"])

    def island(self, **keys):
        place = f"{self.ca.place}/carried"
        os.makedirs(place, exist_ok=True)
        return self.ocspd("island", **{
            "store": f"{place}/index", "max_index_age_s": 3600,
            "published_dir": place, **keys})

    def certify(self, island):
        """Its request by hand to the CA, the certificate with an index."""
        request, = wait_for("the island asks", island.requests)
        self.ca.csrmail("cert", "sign", request, "--ca", "users", "--profile",
                        "ocsp-responder", "-o", f"{self.ca.place}/unused.pem")
        self.carry(island)

    # --- one store --------------------------------------------------------

    def test_several_on_one_store(self):
        one, two = self.ocspd("ocspd"), self.ocspd("ocspd-2")
        for each in (one, two):
            self.await_answer(each.port, self.serials[0], "good")
        self.assertEqual(len(one.key_files()), 1)
        self.assertEqual(len(two.key_files()), 1)
        self.assertFalse(one.key_files() & two.key_files())
        self.assertEqual(self.responders(), 2)
        self.ca.revoke(self.serials[0])
        for each in (one, two):
            self.await_answer(each.port, self.serials[0], "revoked")
            self.assertEqual(ask(self.ca, each.port, self.serials[1], True),
                             "good")
        # One more or less is nothing to the other.
        two.stop()
        self.assertEqual(ask(self.ca, one.port, self.serials[1]), "good")
        # Requests that were answered are gone from both spools.
        self.assertEqual(one.requests() + two.requests(), [])

    def make_request(self, name):
        """A key that is no ocspd's, and a request for it; its KEYID."""
        path = f"{self.ca.place}/{name}"
        run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-subj", "/CN=x", "-keyout",
            f"{path}.key", "-outform", "DER", "-out", f"{path}.p10")
        return f"{path}.p10"

    def test_a_day_has_its_limit_by_every_way(self):
        one = self.ocspd("ocspd")
        self.await_answer(one.port, self.serials[0], "good")
        sign = ("--ca", "users", "--profile", "ocsp-responder", "-o",
                f"{self.ca.place}/unused.pem")
        for i in range(7):
            self.ca.csrmail("cert", "sign", self.make_request(f"r{i}"), *sign)
        self.assertEqual(self.responders(), 8)
        told = self.ca.csrmail("cert", "sign", self.make_request("more"),
                               *sign, code=65)
        self.assertIn("8 responder certificates in a day are enough", told)
        # Nor does another ocspd get one by its spool.
        two = self.ocspd("ocspd-2")
        wait_for("it asks", two.requests)
        wait_for("csrmaild says no", self.has_refused)
        self.assertEqual(self.responders(), 8)
        self.assertEqual(ask(self.ca, one.port, self.serials[0], True),
                         "good")

    def has_refused(self):
        with open(f"{self.ca.place}/log", encoding="utf-8") as f:
            return "responder.refused" in f.read()

    # --- an island -----------------------------------------------------------

    def test_an_island_answers_from_what_is_carried(self):
        good, later = self.serials
        island = self.island()
        self.await_answer(island.port, good, "trylater")
        self.carry(island)
        self.certify(island)
        self.await_answer(island.port, good, "good")
        self.assertEqual(ask(self.ca, island.port, "7777"), "unknown")
        # What happens at home is not known here before it is carried.
        self.ca.revoke(later, "keyCompromise")
        new = self.ca.sign()
        self.assertEqual(ask(self.ca, island.port, later), "good")
        self.assertEqual(ask(self.ca, island.port, new), "unknown")
        pids = self.children(island)
        self.carry(island)
        self.await_answer(island.port, later, "revoked")
        self.assertEqual(ask(self.ca, island.port, later, True), "revoked")
        self.assertEqual(ask(self.ca, island.port, new), "good")
        # No process was started anew for that.
        self.assertEqual(self.children(island), pids)
        # Half of a file is named in the log, and the last one stays.
        with open(f"{self.ca.place}/exported", "rb") as f:
            half = f.read()[:9000]
        with open(island.keys["store"] + ".new", "wb") as f:
            f.write(half)
        os.rename(island.keys["store"] + ".new", island.keys["store"])
        wait_for("it is refused", lambda: island.said("index.refused"))
        self.assertEqual(ask(self.ca, island.port, later, True), "revoked")

    def children(self, ocspd):
        pid = ocspd.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return sorted(f.read().split())

    def test_an_old_index_is_no_answer(self):
        island = self.island()
        self.carry(island)
        self.certify(island)
        self.await_answer(island.port, self.serials[0], "good")
        island.stop()
        island.keys["max_index_age_s"] = 2
        island.start()
        self.await_answer(island.port, self.serials[0], "trylater")
        wait_for("health tells", lambda: self.health(island).startswith(
            "the store was last read at"))
        self.carry(island)
        self.await_answer(island.port, self.serials[0], "good")

    def health(self, ocspd):
        c = http.client.HTTPConnection("127.0.0.1", ocspd.health, timeout=10)
        c.request("GET", "/health")
        found = json.loads(c.getresponse().read())["trouble"]
        c.close()
        return found[0] if found else ""

    def test_export_replaces_an_index_and_nothing_else(self):
        told = self.export()
        # Two users' certificates, and what is below the root.
        self.assertRegex(told, r"\d+ certificates, 0 revoked, as of 20")
        self.ca.revoke(self.serials[0])
        self.assertRegex(self.export(), r"\d+ certificates, 1 revoked")
        self.assertEqual(glob.glob(f"{self.ca.place}/exported.*"), [])
        victim = f"{self.ca.place}/victim"
        with open(victim, "w", encoding="ascii") as f:
            f.write("precious\n" * 100)
        told = self.ca.csrmail("export", "index", victim, code=73)
        self.assertIn("no index", told)
        with open(victim, encoding="ascii") as f:
            self.assertEqual(f.read(), "precious\n" * 100)
        self.ca.csrmail("export", "index", f"{self.ca.state}/store.db",
                        code=73)

    # --- a cache --------------------------------------------------------------

    def start_nginx(self, port, upstream):
        place = f"{self.ca.place}/nginx"
        os.makedirs(f"{place}/cache")
        with open(NGINX_CONF, encoding="utf-8") as f:
            text = f.read()
        for old, new in (("/var/cache/nginx/ocsp", f"{place}/cache"),
                         ("listen 80;", f"listen 127.0.0.1:{port};"),
                         ("listen [::]:80;", ""),
                         ("127.0.0.1:8080", f"127.0.0.1:{upstream}")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(f"{place}/nginx.conf", "w", encoding="utf-8") as f:
            f.write(f"daemon off;\npid {place}/pid;\n"
                    f"error_log {place}/error.log;\nworker_processes 1;\n"
                    + ("user root;\n" if os.geteuid() == 0 else "") +
                    "events { worker_connections 256; }\nhttp {\n" +
                    "".join(f"{kind}_temp_path {place}/{kind};\n" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi",
                             "scgi")) + text + "}\n")
        process = subprocess.Popen(
            [NGINX, "-p", place, "-c", f"{place}/nginx.conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.terminate(), process.wait(30)))

    def get(self, port, serial, **fields):
        """(X-Cache, status, ETag, body)"""
        path = "/" + base64.b64encode(request_der(
            self.ca, serial)).decode().replace("+", "%2B").replace(
                "/", "%2F").replace("=", "%3D")
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        c.request("GET", path, headers=fields)
        answer = c.getresponse()
        body = answer.read()
        c.close()
        return (answer.getheader("X-Cache"), answer.status,
                answer.getheader("ETag"), body)

    @unittest.skipUnless(NGINX, "nginx is not installed")
    def test_behind_nginx(self):
        one = self.ocspd("ocspd", max_age_s=MAX_AGE_S)
        self.await_answer(one.port, self.serials[0], "good")
        port = free_port()
        self.start_nginx(port, one.port)
        self.await_answer(port, self.serials[0], "good")     # by POST
        first = wait_for("nginx keeps it", lambda: (
            f := self.get(port, self.serials[0])) and f[0] == "HIT" and f)
        # As ocspd gave it, and nobody asked ocspd; 304 comes from the cache.
        direct = self.get(one.port, self.serials[0])
        self.assertEqual(first[1:], direct[1:])
        asked = one.counter("http_requests_total")
        self.assertGreater(asked, 0)
        for _ in range(20):
            self.get(port, self.serials[0])
        self.assertEqual(self.get(port, self.serials[0], **{
            "If-None-Match": first[2]})[1], 304)
        self.assertLess(one.counter("http_requests_total") - asked, 20)
        # A revocation is seen when max-age is over, not much later.
        self.ca.revoke(self.serials[0])
        self.await_answer(one.port, self.serials[0], "revoked")
        revoked = self.get(one.port, self.serials[0])
        wait_for("the cache has it", lambda: self.get(
            port, self.serials[0])[3] == revoked[3])
        self.assertEqual(self.get(port, self.serials[0])[3], revoked[3])
        # What may not be kept is not: nonces, errors, POST.
        self.assertEqual(ask(self.ca, port, self.serials[1], True), "good")
        before = one.counter("http_requests_total")
        for _ in range(3):
            self.assertEqual(ask(self.ca, port, self.serials[1]), "good")
        self.assertGreaterEqual(one.counter("http_requests_total") - before,
                                3)
        # Without ocspd nothing is invented.
        one.stop()
        wait_for("no answer", lambda: self.get(port, self.serials[0])[1] >=
                 500)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    backup.PROGRAMS = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
