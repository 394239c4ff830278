"""Programs that ask OCSP, asking ours: what each says of a good, a revoked and
an unknown certificate, in its own words.

OpenSSL, curl (GET), GnuTLS, NSS and Java. The servers that staple answers, and
the clients that look at those, are in test_ocsp_stapling.py.
"""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import statuses
from statuses import STATUSES, read
from system import SOURCE, run, running_system, wait_for

PROGRAMS = {"curl": "curl", "ocsptool": "gnutls-bin",
            "certutil": "libnss3-tools", "ocspclnt": "libnss3-tools",
            "vfychain": "libnss3-tools", "java": "openjdk-17-jdk-headless"}
ASK_OCSP = os.path.join(SOURCE, "tests", "support", "AskOcsp.java")


def said(*command, stdin=None):
    """(exit code, both streams) of a command that may fail."""
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.system.heal()
        cls.of = statuses.one_of_each(cls.system)
        cls.chain = f"{cls.system.folder}/chain.pem"
        cls.foreign_ca = cls.make_foreign_ca()

    @classmethod
    def make_foreign_ca(cls):
        """A CA that has nothing to do with ours."""
        path = os.path.join(cls.system.tmp, "foreign.pem")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Foreign",
            "-days", "2", "-keyout", path + ".key", "-out", path)
        return path

    def setUp(self):
        self.system.heal()
        self.env = self.system.env

    # --- OpenSSL ----------------------------------------------------------

    def openssl(self, *options, ca=None):
        return said("openssl", "ocsp", "-url", self.env["OCSP_URL"],
                    "-issuer", self.env["ISSUER_CERT"], "-CAfile",
                    ca or self.chain, *options)[1]

    def test_openssl_by_either_hash_with_and_without_nonce(self):
        for digest in ("-sha1", "-sha256"):
            for nonce in ("-nonce", "-no_nonce"):
                for status in STATUSES:
                    with self.subTest(digest=digest, nonce=nonce,
                                      status=status):
                        path = self.of[status].path
                        out = self.openssl(
                            digest, nonce, "-header", "Host=localhost",
                            "-cert", path)
                        self.assertIn("Response verify OK", out)
                        self.assertIn(f"{path}: {status}\n", out)
                        # "WARNING: no nonce in response"
                        self.assertNotIn("WARNING", out)

    def test_openssl_tells_why_a_certificate_is_revoked(self):
        out = self.openssl("-cert", self.of["revoked"].path)
        self.assertIn("Reason: keyCompromise", out)
        self.assertIn("Revocation Time: ", out)

    def test_openssl_asks_about_all_three_at_once(self):
        paths = [self.of[status].path for status in STATUSES]
        out = self.openssl(*(word for path in paths
                             for word in ("-cert", path)))
        self.assertIn("Response verify OK", out)
        for status, path in zip(STATUSES, paths):
            self.assertIn(f"{path}: {status}\n", out)

    def test_openssl_does_not_believe_it_below_another_ca(self):
        out = self.openssl("-cert", self.of["good"].path, ca=self.foreign_ca)
        self.assertIn("Response Verify Failure", out)

    def test_a_certificate_that_is_revoked_now_was_good_before(self):
        certificate = statuses.good(self.system)
        self.assertIn(": good\n", self.openssl("-cert", certificate.path))
        statuses.revoke(self.system, certificate)
        self.assertIn(": revoked\n", self.openssl("-cert", certificate.path))

    # --- GET, by curl -----------------------------------------------------

    def test_curl_by_get(self):
        for status in STATUSES:
            with self.subTest(status=status):
                path = self.of[status].path
                run("openssl", "ocsp", "-issuer", self.env["ISSUER_CERT"],
                    "-no_nonce", "-cert", path, "-reqout", path + ".request")
                word = urllib.parse.quote(base64.b64encode(
                    read(path + ".request", "rb")).decode(), safe="")
                self.assertEqual(
                    run("curl", "-sS", "-o", path + ".answer", "-w",
                        "%{http_code} %{content_type}",
                        f"{self.env['OCSP_URL']}/{word}"),
                    "200 application/ocsp-response")
                out = run("openssl", "ocsp", "-respin", path + ".answer",
                          "-issuer", self.env["ISSUER_CERT"], "-cert", path,
                          "-CAfile", self.chain)
                self.assertIn("Response verify OK", out)
                self.assertIn(f"{path}: {status}\n", out)

    # --- GnuTLS -----------------------------------------------------------

    def ocsptool(self, status, *options, trust=None):
        """It finds the responder in the certificate."""
        return said("ocsptool", "--ask", "--load-cert", self.of[status].path,
                    "--load-issuer", self.env["ISSUER_CERT"],
                    "--load-trust", trust or self.chain, *options)

    def test_gnutls(self):
        for options in ((), ("--nonce",)):
            for status in STATUSES:
                with self.subTest(options=options, status=status):
                    code, out = self.ocsptool(status, *options)
                    self.assertEqual(code, 0, out)
                    self.assertIn(f"Certificate Status: {status}\n", out)
                    self.assertIn("Verifying OCSP Response: Success.", out)
                    self.assertEqual("Nonce: " in out, options != (), out)

    def test_gnutls_does_not_believe_it_below_another_ca(self):
        _, out = self.ocsptool("good", trust=self.foreign_ca)
        self.assertIn("Verifying OCSP Response: Failure", out)

    # --- NSS --------------------------------------------------------------

    # ocspclnt tells what the answer says. vfychain, NSS's newer way through a
    # chain, calls what the CA does not know revoked as well.
    NSS_CHECK = {
        "good": "succeeded.",
        "revoked": "Peer's Certificate has been revoked.",
        "unknown": "The OCSP server has no status for the certificate.",
    }
    NSS_CHAIN = {
        "good": "Chain is good!",
        "revoked": "ERROR -8180: Peer's Certificate has been revoked.",
        "unknown": "ERROR -8180: Peer's Certificate has been revoked.",
    }

    def nss_folder(self):
        folder = "sql:" + tempfile.mkdtemp(dir=self.system.tmp)
        run("certutil", "-N", "-d", folder, "--empty-password")
        for name, trust, path in (
                ("root", "CT,C,C", self.env["ROOT_CERT"]),
                ("issuer", ",,", self.env["ISSUER_CERT"]),
                *((status, ",,", self.of[status].path)
                  for status in STATUSES)):
            run("certutil", "-A", "-d", folder, "-n", name, "-t", trust,
                "-a", "-i", path)
        return folder

    def test_nss(self):
        folder = self.nss_folder()
        for status in STATUSES:
            with self.subTest(status=status):
                for question in (("-S", status), ("-V", status, "-u", "s")):
                    self.assertIn(self.NSS_CHECK[status],
                                  said("ocspclnt", "-d", folder,
                                       *question)[1])
                code, out = said(
                    "vfychain", "-d", folder, "-pp", "-u", "1", "-g", "leaf",
                    "-m", "ocsp", "-s", "failIfNoInfo", "-a",
                    self.of[status].path, "-a", self.env["ISSUER_CERT"])
                self.assertIn(self.NSS_CHAIN[status], out)
                self.assertEqual(code == 0, status == "good")

    # --- Java -------------------------------------------------------------

    JAVA = ["good", "revoked KEY_COMPROMISE",
            "UNDETERMINED_REVOCATION_STATUS: Certificate's revocation "
            "status is unknown"]

    def test_java(self):
        lines = "".join(
            f"{self.env['ROOT_CERT']} {self.env['ISSUER_CERT']} "
            f"{self.of[status].path}\n" for status in STATUSES)
        for options in ((), ("nonce",)):
            # By GET where the request is short enough, and by POST.
            for get in ("true", "false"):
                with self.subTest(options=options, get=get):
                    code, out = said(
                        "java", f"-Dcom.sun.security.ocsp.useget={get}",
                        ASK_OCSP, *options, stdin=lines)
                    self.assertEqual((code, out.splitlines()),
                                     (0, self.JAVA))

    # --- the certificate of the CA ------------------------------------------

    def ask_root(self, *subject):
        return said("openssl", "ocsp", "-url", self.env["OCSP_URL"],
                    "-issuer", self.env["ROOT_CERT"], *subject, "-CAfile",
                    self.env["ROOT_CERT"])[1]

    def test_the_root_answers_for_its_cas_while_its_key_is_there(self):
        path = f"{self.env['CONF_DIR']}/csrmaild.conf"
        before = read(path)
        self.addCleanup(self.system.csrmail, "reload")
        self.addCleanup(self.rewrite, path, before)
        self.rewrite(path, before + f"""
ca "root" {{
	passphrase_file = "{self.env['CONF_DIR']}/root.passphrase"
	responder_spool = "{self.system.folder}/ocspd/spool"
}}
""")
        self.system.csrmail("reload")
        issuer = self.env["ISSUER_CERT"]
        out = wait_for("the root's responder is certified", lambda: next(
            (out for out in [self.ask_root("-cert", issuer)]
             if "internalerror" not in out), None))
        self.assertIn("Response verify OK", out)
        self.assertIn(f"{issuer}: good\n", out)
        self.assertIn("0x1234: unknown\n", self.ask_root("-serial", "0x1234"))

    @staticmethod
    def rewrite(path, text):
        with open(path, "w") as f:
            f.write(text)


if __name__ == "__main__":
    missing = {package for program, package in PROGRAMS.items()
               if shutil.which(program) is None}
    if missing:
        print(f"not installed: {' '.join(sorted(missing))}")
        sys.exit(77)
    unittest.main(verbosity=2)
