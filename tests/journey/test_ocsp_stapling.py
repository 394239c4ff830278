"""Servers that staple our answers to their certificates, and the clients that
look at what is stapled: what each says of a good, a revoked and an unknown
certificate, in its own words.

nginx, Apache and haproxy; openssl s_client, curl --cert-status, gnutls-cli and
Java. What servers do differs, and docs/guide/ocsp.md tells people the same:
nginx staples what is good and nothing else, Apache whatever it gets, haproxy
what it is given and is not unknown.
"""

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import statuses
from statuses import STATUSES, read
from system import SOURCE, free_port, run, running_system, wait_for

PROGRAMS = {"apache2": "apache2-bin", "curl": "curl",
            "gnutls-cli": "gnutls-bin", "haproxy": "haproxy",
            "java": "openjdk-17-jdk-headless", "nginx": "nginx-light"}
FETCH = os.path.join(SOURCE, "tests", "support", "Fetch.java")

# What curl says of what is stapled, and its exit code; None: nothing is.
CURL = {
    "good": (0, "SSL certificate status: good (0)"),
    "revoked": (91, "SSL certificate status: revoked (1)"),
    "unknown": (91, "SSL certificate status: unknown (2)"),
    None: (91, "No OCSP response received"),
}
# What gnutls-cli says of the chain. It trusts what has no staple, unless the
# certificate asks for one; and unknown is no bad news to it.
GNUTLS = {
    "good": "The certificate is trusted.",
    "revoked": "The certificate chain is revoked.",
    "unknown": "The certificate is trusted.",
    None: "The certificate is trusted.",
}
# What Java says, staple or not; it asks by itself.
JAVA = {
    "good": "ok",
    "revoked": "CertificateRevokedException: Certificate has been revoked, "
               "reason: KEY_COMPROMISE",
    "unknown": "CertPathValidatorException: Certificate's revocation status "
               "is unknown",
}


def said(*command, stdin=""):
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


class Server:
    """A server in a folder of its own, in the foreground, on 127.0.0.1."""

    def __init__(self, test, name):
        self.system, self.name = test.system, name
        self.folder = tempfile.mkdtemp(prefix=f"{name}.",
                                       dir=self.system.tmp)
        os.chmod(self.folder, 0o755)
        os.chmod(self.system.tmp, 0o755)
        self.log = f"{self.folder}/log"
        self.process = None
        self.test = test

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, ports, *command):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.test.addCleanup(self.stop)
        wait_for(f"{self.name} listens: see {self.log}",
                 lambda: self.process.poll() is None and
                 all(map(accepts, ports)))

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def has_said(self, text):
        return text in read(self.log)


class Nginx(Server):
    STAPLING = """
	ssl_stapling on;
	ssl_stapling_verify on;
	ssl_trusted_certificate {folder}/chain.pem;"""

    def __init__(self, test, certificates, staple=STAPLING):
        super().__init__(test, "nginx")
        self.ports = {key: free_port() for key in certificates}
        staple = staple.format(folder=self.system.folder)
        servers = "\n".join(f"""server {{
	listen 127.0.0.1:{self.ports[key]} ssl;
	server_name localhost;
	ssl_certificate {certificate.chain};
	ssl_certificate_key {certificate.key};{staple}
	return 200 "hello";
}}""" for key, certificate in certificates.items())
        temporary = "\n".join(
            f"{kind}_temp_path {self.folder}/{kind};" for kind in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.write("nginx.conf", f"""daemon off;
worker_processes 1;
error_log stderr info;
pid {self.folder}/pid;
events {{ worker_connections 64; }}
http {{
access_log off;
{temporary}
{servers}
}}
""")
        self.start(self.ports.values(), "nginx", "-p", self.folder, "-c",
                   conf)

    def workers(self):
        pid = self.process.pid
        return set(read(f"/proc/{pid}/task/{pid}/children").split())

    def reload(self):
        """Until the old worker, with what it remembers, is gone."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        wait_for("nginx has another worker", lambda: self.workers() and
                 not self.workers() & before)


class Apache(Server):
    MODULES = "/usr/lib/apache2/modules"

    def __init__(self, test, certificates):
        super().__init__(test, "apache2")
        self.ports = {key: free_port() for key in certificates}
        hosts = "\n".join(f"""Listen 127.0.0.1:{self.ports[key]}
<VirtualHost 127.0.0.1:{self.ports[key]}>
	SSLEngine on
	SSLCertificateFile {certificate.chain}
	SSLCertificateKeyFile {certificate.key}
</VirtualHost>""" for key, certificate in certificates.items())
        modules = "\n".join(
            f"LoadModule {name}_module {self.MODULES}/mod_{name}.so"
            for name in ("mpm_event", "authz_core", "socache_shmcb", "ssl"))
        conf = self.write("apache.conf", f"""ServerRoot {self.folder}
ServerName localhost
PidFile {self.folder}/pid
DefaultRuntimeDir {self.folder}
DocumentRoot {self.folder}
ErrorLog {self.log}
{modules}
User www-data
Group www-data
SSLUseStapling on
SSLStaplingCache shmcb:{self.folder}/cache(131072)
{hosts}
""")
        self.start(self.ports.values(), "apache2", "-DFOREGROUND", "-f",
                   conf)


class Haproxy(Server):
    """Debian 12's does not ask OCSP itself: answers are brought to it. One
    that is there at the start says for which certificates more may come."""

    def __init__(self, test, certificates, bare=()):
        """bare: those that start without an answer."""
        super().__init__(test, "haproxy")
        self.ports = {key: free_port() for key in certificates}
        binds = []
        for key, certificate in certificates.items():
            path = self.write(f"{key}.pem", read(certificate.chain) +
                              read(certificate.key))
            if key not in bare:
                shutil.copy(test.answer(certificate), path + ".ocsp")
            binds.append(f"\tbind 127.0.0.1:{self.ports[key]} ssl "
                         f"crt {path}")
        conf = self.write("haproxy.conf", f"""global
	stats socket {self.folder}/sock level admin
	log stdout format raw local0
defaults
	mode http
	timeout client 30s
	timeout server 30s
	timeout connect 30s
frontend all
	http-request return status 200 content-type text/plain string hello
""" + "\n".join(binds) + "\n")
        self.start(self.ports.values(), "haproxy", "-f", conf)

    def tell(self, line):
        """A command of its stats socket, and the answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{self.folder}/sock")
            s.sendall(line.encode() + b"\n")
            answer = b""
            while part := s.recv(65536):
                answer += part
        return answer.decode()

    def bring(self, answer):
        return self.tell("set ssl ocsp-response " + base64.b64encode(
            read(answer, "rb")).decode())


class Stapling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.system.heal()
        cls.of = statuses.one_of_each(cls.system)

    def setUp(self):
        self.system.heal()
        self.env = self.system.env

    # --- what clients see ---------------------------------------------------

    def s_client(self, port):
        """The status that is stapled; None: nothing is. What it is must
        verify: curl and gnutls-cli see to that."""
        out = said("openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                   "-servername", "localhost", "-status", "-CAfile",
                   self.env["ROOT_CERT"])[1]
        if "OCSP response: no response sent" in out:
            return None
        self.assertIn("OCSP Response Status: successful (0x0)", out)
        return re.search(r"Cert Status: (\w+)", out)[1]

    def wait_staple(self, port):
        return wait_for("a staple", lambda: self.s_client(port))

    def check_curl(self, port, status):
        code, out = said("curl", "-sS", "-v", "--cert-status", "--cacert",
                         self.env["ROOT_CERT"], f"https://localhost:{port}/")
        self.assertEqual(code, CURL[status][0], out)
        self.assertIn(CURL[status][1], out)

    def gnutls(self, port):
        return said("gnutls-cli", "--x509cafile", self.env["ROOT_CERT"],
                    "--port", str(port), "localhost")

    def check_gnutls(self, port, status):
        code, out = self.gnutls(port)
        self.assertIn(GNUTLS[status], out)
        self.assertEqual(code == 0, status != "revoked", out)

    def check_clients(self, port, status):
        self.assertEqual(self.s_client(port), status)
        self.check_curl(port, status)
        self.check_gnutls(port, status)

    def answer(self, certificate):
        """The answer about it, verified, as a file."""
        path = certificate.path + ".answer"
        self.assertIn("Response verify OK", run(
            "openssl", "ocsp", "-url", self.env["OCSP_URL"], "-issuer",
            self.env["ISSUER_CERT"], "-cert", certificate.path, "-no_nonce",
            "-respout", path, "-CAfile", f"{self.system.folder}/chain.pem"))
        return path

    # --- nginx --------------------------------------------------------------

    def test_nginx_staples_what_is_good(self):
        nginx = Nginx(self, {"good": self.of["good"]})
        # It asks when the first client comes, who goes without.
        self.assertIsNone(self.s_client(nginx.ports["good"]))
        self.assertEqual(self.wait_staple(nginx.ports["good"]), "good")
        self.check_clients(nginx.ports["good"], "good")

    def test_nginx_staples_nothing_else_and_says_why(self):
        bad = {status: self.of[status] for status in ("revoked", "unknown")}
        nginx = Nginx(self, bad)
        for status, port in nginx.ports.items():
            with self.subTest(status=status):
                self.check_clients(port, None)
                wait_for("nginx says why", lambda s=status: nginx.has_said(
                    f'certificate status "{s}" in the OCSP response'))
                self.check_clients(port, None)

    def test_nginx_staples_no_more_after_a_revocation_and_a_reload(self):
        certificate = statuses.good(self.system)
        nginx = Nginx(self, {"it": certificate})
        self.wait_staple(nginx.ports["it"])
        statuses.revoke(self.system, certificate)
        nginx.reload()
        self.check_clients(nginx.ports["it"], None)
        wait_for("nginx says why", lambda: nginx.has_said(
            'certificate status "revoked" in the OCSP response'))
        self.check_clients(nginx.ports["it"], None)

    # --- Apache -------------------------------------------------------------

    def test_apache_staples_all_three(self):
        apache = Apache(self, self.of)
        for status in STATUSES:
            with self.subTest(status=status):
                self.check_clients(apache.ports[status], status)
        self.assertTrue(apache.has_said(
            "response has certificate status revoked "
            "(reason: keyCompromise)"))
        self.assertTrue(apache.has_said(
            "response has certificate status unknown"))

    # --- haproxy ------------------------------------------------------------

    def test_haproxy_staples_what_it_is_given(self):
        haproxy = Haproxy(self, {status: self.of[status] for status in
                                 ("good", "revoked")})
        for status, port in haproxy.ports.items():
            with self.subTest(status=status):
                self.check_clients(port, status)

    def test_haproxy_takes_news_while_it_runs(self):
        certificate = statuses.good(self.system)
        haproxy = Haproxy(self, {"it": certificate})
        self.check_clients(haproxy.ports["it"], "good")
        statuses.revoke(self.system, certificate)
        self.assertIn("OCSP Response updated!",
                      haproxy.bring(self.answer(certificate)))
        self.check_clients(haproxy.ports["it"], "revoked")
        serial = run("openssl", "x509", "-in", certificate.path, "-noout",
                     "-serial").strip().split("=")[1]
        self.assertIn(f"Serial Number: {serial}\n",
                      haproxy.tell("show ssl ocsp-response"))

    def test_haproxy_takes_no_answer_that_is_unknown(self):
        haproxy = Haproxy(self, {"good": self.of["good"],
                                 "unknown": self.of["unknown"]})
        self.assertIn("certificate status is unknown.", read(haproxy.log))
        self.check_clients(haproxy.ports["unknown"], None)
        self.assertIn("certificate status is unknown.",
                      haproxy.bring(self.answer(self.of["unknown"])))
        self.check_clients(haproxy.ports["unknown"], None)
        self.check_clients(haproxy.ports["good"], "good")

    def test_haproxy_takes_no_answer_where_there_was_none_at_the_start(self):
        haproxy = Haproxy(self, {"good": self.of["good"]}, bare=["good"])
        self.assertIn("Certificate ID does not match any certificate",
                      haproxy.bring(self.answer(self.of["good"])))
        self.check_clients(haproxy.ports["good"], None)

    # --- Java, which checks when it is told to ------------------------------

    def java(self, ports, *options):
        trust = f"{self.system.tmp}/trust"
        if not os.path.exists(trust):
            run("keytool", "-importcert", "-noprompt", "-file",
                self.env["ROOT_CERT"], "-keystore", trust, "-storepass",
                "changeit")
        _, out = said("java", f"-Djavax.net.ssl.trustStore={trust}",
                      "-Djavax.net.ssl.trustStorePassword=changeit",
                      *options, FETCH, *(f"https://localhost:{ports[status]}/"
                                         for status in STATUSES))
        return out.splitlines()

    def test_java_sees_it_with_and_without_a_staple(self):
        options = ["-Dcom.sun.net.ssl.checkRevocation=true",
                   "-Djava.security.properties=" + self.system.file(
                       "ocsp.properties", "ocsp.enable = true\n")]
        nginx = Nginx(self, self.of, staple="")
        self.assertEqual(self.java(nginx.ports), ["ok"] * 3)
        # Of the issuing CA only the root's CRL tells.
        self.assertEqual(self.java(nginx.ports, *options), [
            "CertPathValidatorException: Certificate does not specify OCSP "
            "responder"] * 3)
        options.append("-Dcom.sun.security.enableCRLDP=true")
        for server in (nginx, Apache(self, self.of)):
            with self.subTest(server=server.name):
                out = self.java(server.ports, *options)
                self.assertEqual(len(out), 3, out)
                for line, status in zip(out, STATUSES):
                    self.assertTrue(line.startswith(JAVA[status]), out)

    # --- must-staple (RFC 7633) ---------------------------------------------

    def test_must_staple_is_refused_without_a_staple(self):
        it = {"it": statuses.good(self.system, "must-staple")}
        _, out = self.gnutls(Nginx(self, it, staple="").ports["it"])
        self.assertIn("The certificate requires the server to include an OCSP "
                      "status in its response, but the OCSP status is missing",
                      out)
        self.check_gnutls(Apache(self, it).ports["it"], "good")
        # From the first client on, by an answer that was fetched before.
        nginx = Nginx(self, it, staple="\n\tssl_stapling on;\n"
                      f"\tssl_stapling_file {self.answer(it['it'])};")
        self.check_gnutls(nginx.ports["it"], "good")


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin"
    missing = {package for program, package in PROGRAMS.items()
               if shutil.which(program) is None}
    if missing:
        print(f"not installed: {' '.join(sorted(missing))}")
        sys.exit(77)
    unittest.main(verbosity=2)
