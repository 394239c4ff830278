"""CAs whose keys are in a token (PKCS#11): SoftHSM, with a system of its own.

The daemons run as root with a user for each role; there is no mail server, all
requests come from the command line. One test is about a passphrase of a file.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import uuid

from system import run, serial_of, wait_for

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "a PIN of 24 octets, typed"
WRONG_PIN = "another PIN"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Stand:
    """A root whose key is a file, and below it CAs of the token."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="csrmail-softhsm.", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.processes = []
        self.make_programs()
        self.make_system()
        self.make_token()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    # --- setting up -----------------------------------------------------

    def make_programs(self):
        os.mkdir(self.path("bin"))
        for program in ("csrmaild", "ocspd", "csrmail"):
            shutil.copy(os.path.join(os.environ["CSRMAIL_BIN"], program),
                        self.path("bin"))

    def make_system(self):
        self.ocsp_port = free_port()
        password = self.write("password", "none\n")
        run(self.path("bin/csrmail"), "init", "--yes",
            "--conf-dir", self.path("etc"), "--state-dir",
            self.path("state"), "--run-dir", self.path("run"),
            "--ocspd-dir", self.path("ocspd"), "--name", "Token test",
            "--address", "ca@example.test", "--imap-host", "127.0.0.1",
            "--imap-port", str(free_port()), "--imap-tls", "none",
            "--smtp-host", "127.0.0.1", "--smtp-port", str(free_port()),
            "--smtp-tls", "none", "--user", "ca@example.test",
            "--password-file", password, "--authserv-id", "example.test",
            "--staff", "*@example.test",
            "--ocsp-url", f"http://127.0.0.1:{self.ocsp_port}",
            "--ocsp-listen", f"127.0.0.1:{self.ocsp_port}",
            "--health-listen", "")
        self.conf = self.path("etc/csrmaild.conf")
        self.root_pass = self.find_passphrase("root")

    def find_passphrase(self, ca):
        for folder, _, files in os.walk(self.folder):
            if f"{ca}.passphrase" in files:
                return os.path.join(folder, f"{ca}.passphrase")
        raise AssertionError(f"no passphrase of {ca}")

    def make_token(self):
        """As the signer's user, who alone uses it."""
        user = pwd.getpwnam("csrmail-sign")
        self.tokens = self.path("tokens")
        os.mkdir(self.tokens, 0o700)
        os.chown(self.tokens, user.pw_uid, user.pw_gid)
        conf = self.write("softhsm2.conf",
                          f"directories.tokendir = {self.tokens}\n"
                          "objectstore.backend = file\n", 0o644)
        self.softhsm = {"SOFTHSM2_CONF": conf, "PATH": os.environ["PATH"]}
        self.as_signer("softhsm2-util", "--init-token", "--free", "--label",
                       "csrmail", "--pin", PIN, "--so-pin", "officer 1")
        self.pin = self.write("pin", PIN + "\n")
        with open(self.conf) as file:
            text = file.read()
        # Sections end the file; keys of the whole stand before them.
        self.write("etc/csrmaild.conf",
                   f'pkcs11_module = "{MODULE}"\n'
                   f'pkcs11_environment = {{"SOFTHSM2_CONF={conf}"}}\n'
                   f'pkcs11_paths = {{"{self.tokens}", "{conf}"}}\n' + text,
                   0o644)

    def as_signer(self, *command):
        user = pwd.getpwnam("csrmail-sign")
        return subprocess.run(
            command, env=self.softhsm, user=user.pw_uid, group=user.pw_gid,
            extra_groups=[], check=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60).stdout

    def add_ca(self, name):
        url = f"http://127.0.0.1:{self.ocsp_port}"
        with open(self.conf, "a") as file:
            file.write(f'\nca "{name}" {{\n'
                       f'\tpassphrase_file = "{self.pin}"\n'
                       f'\tocsp_url = "{url}"\n'
                       f'\tcrl_url = "{url}/crl/{name}.crl"\n'
                       f'\tresponder_spool = "{self.path("ocspd/spool")}"\n'
                       "}\n")

    # --- daemons ----------------------------------------------------------

    def start(self, program, **environment):
        with open(self.path(f"{program}.log"), "ab") as log:
            process = subprocess.Popen(
                [self.path("bin", program), "-c",
                 self.path("etc", f"{program}.conf")], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, env={**os.environ, **environment})
        self.processes.append(process)
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        self.processes.remove(process)

    def end(self):
        for process in list(self.processes):
            self.stop(process)
        shutil.rmtree(self.folder)

    # --- the command line ---------------------------------------------------

    def csrmail(self, *arguments, check=True):
        return run(self.path("bin/csrmail"), "-c", self.conf, *arguments,
                   check=check)

    def status(self):
        done = subprocess.run(
            [self.path("bin/csrmail"), "-c", self.conf, "status", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            timeout=60)
        return json.loads(done.stdout) if done.returncode in (0, 1) else None

    def key_is(self, ca, is_open):
        status = self.status()
        return status is not None and status["keys"].get(ca) == is_open

    def wait_key(self, ca, is_open=True):
        wait_for(f"the key of {ca} is {'open' if is_open else 'shut'}",
                 lambda: self.key_is(ca, is_open))

    def csr(self):
        path = self.path(uuid.uuid4().hex)
        run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-keyout", f"{path}.key", "-out",
            f"{path}.csr", "-subj", "/CN=www.example.test", "-addext",
            "subjectAltName=DNS:www.example.test")
        return f"{path}.csr"

    def sign(self, ca, *options):
        return self.csrmail("cert", "sign", self.csr(), "--ca", ca,
                            "--profile", "tls-server", *options)

    def chain(self, ca):
        path = self.path(f"{ca}.chain.pem")
        with open(path, "w") as file:
            file.write(self.csrmail("ca", "export", ca, "--chain"))
        return path

    def certificate(self, pem):
        path = self.path(f"{uuid.uuid4().hex}.pem")
        with open(path, "w") as file:
            file.write(pem)
        return path


class SoftHsm(unittest.TestCase):
    CAS = (("token", "p256"), ("token384", "p384"), ("tokenrsa", "rsa3072"))

    @classmethod
    def setUpClass(cls):
        cls.stand = s = Stand()
        cls.addClassCleanup(s.end)
        for name, kind in cls.CAS:
            s.csrmail("ca", "create-child", name, "--parent", "root",
                      "--subject", f"O=Token test, CN={name}", "--key-type",
                      kind, "--key-uri",
                      f"pkcs11:token=csrmail;object={name};type=private",
                      "--passphrase-file", s.pin,
                      "--parent-passphrase-file", s.root_pass)
            s.add_ca(name)
        cls.daemon = s.start("csrmaild")
        s.start("ocspd")
        for name, _ in cls.CAS:
            s.wait_key(name)

    def restart(self):
        cls = type(self)
        self.stand.stop(cls.daemon)
        cls.daemon = self.stand.start("csrmaild")

    def verify(self, ca, pem):
        s = self.stand
        self.assertIn("OK", run(
            "openssl", "verify", "-CAfile", s.chain(ca),
            s.certificate(pem)))

    def count(self):
        rows = json.loads(self.stand.csrmail("cert", "list", "--ca", "token",
                                             "--state", "issued", "--json"))
        if isinstance(rows, dict):
            rows = next(v for v in rows.values() if isinstance(v, list))
        return len(rows)

    def test_the_key_file_is_a_line_of_text_and_no_secret(self):
        with open(self.stand.path("state/keys/token.key")) as file:
            self.assertEqual(
                file.read(),
                "pkcs11:token=csrmail;object=token;type=private\n")
        for name, _ in self.CAS:
            out = self.stand.as_signer(
                "pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN,
                "--list-objects", "--type", "privkey", "--label", name)
            key = next(part for part in out.split("Private Key Object")
                       if f"label:      {name}\n" in part)
            self.assertIn("never extractable", key)
            self.assertIn("sensitive", key)

    def test_each_kind_of_key_signs_certificates(self):
        for name, _ in self.CAS:
            with self.subTest(ca=name):
                self.verify(name, self.stand.sign(name))

    def test_each_kind_of_key_signs_crls(self):
        s = self.stand
        for name, _ in self.CAS:
            with self.subTest(ca=name):
                crl = s.path(f"state/published/{name}.crl")
                wait_for(f"a CRL of {name}", lambda: os.path.exists(crl))
                self.assertIn("verify OK", run(
                    "openssl", "crl", "-inform", "DER", "-in", crl,
                    "-noout", "-CAfile", s.chain(name)))

    def test_a_root_may_be_in_the_token_too(self):
        s = self.stand
        s.stop(type(self).daemon)
        s.csrmail("ca", "create-root", "tokenroot", "--subject",
                  "O=Token test, CN=Token root", "--key-type", "p384",
                  "--key-uri", "pkcs11:token=csrmail;object=tokenroot",
                  "--passphrase-file", s.pin)
        s.csrmail("ca", "create-child", "below", "--parent", "tokenroot",
                  "--subject", "O=Token test, CN=Below", "--passphrase-file",
                  s.root_pass, "--parent-passphrase-file", s.pin)
        type(self).daemon = s.start("csrmaild")
        s.wait_key("token")
        pem = s.csrmail("ca", "export", "below")
        self.assertIn("OK", run("openssl", "verify", "-CAfile",
                                s.chain("tokenroot"), s.certificate(pem)))

    def test_a_key_that_pkcs11_tool_made_is_found(self):
        s = self.stand
        s.as_signer("pkcs11-tool", "--module", MODULE, "--login", "--pin",
                    PIN, "--keypairgen", "--key-type", "EC:prime256v1",
                    "--label", "by hand", "--id", "0a0b")
        s.stop(type(self).daemon)
        s.csrmail("ca", "create-child", "found", "--parent", "root",
                  "--subject", "O=Token test, CN=Found", "--key-type", "p256",
                  "--key-uri", "pkcs11:token=csrmail;id=%0a%0b",
                  "--passphrase-file", s.pin,
                  "--parent-passphrase-file", s.root_pass)
        s.add_ca("found")
        type(self).daemon = s.start("csrmaild")
        s.wait_key("found")
        self.verify("found", s.sign("found"))

    def test_ocsp_speaks_for_a_ca_of_the_token(self):
        s = self.stand
        pem = s.sign("token")
        certificate = s.certificate(pem)
        issuer = s.path("token.pem")
        with open(issuer, "w") as file:
            file.write(s.csrmail("ca", "export", "token"))

        def ocsp(word):
            out = run("openssl", "ocsp", "-url",
                      f"http://127.0.0.1:{s.ocsp_port}", "-issuer", issuer,
                      "-cert", certificate, "-CAfile", s.chain("token"),
                      check=False)
            return "Response verify OK" in out and \
                f"{certificate}: {word}" in out
        wait_for("OCSP says good", lambda: ocsp("good"))
        s.csrmail("cert", "revoke", serial_of(pem), "--reason",
                  "superseded")
        wait_for("OCSP says revoked", lambda: ocsp("revoked"))

    def test_a_wrong_pin_shows_and_is_mended_without_a_restart(self):
        s = self.stand
        self.addCleanup(s.write, "pin", PIN + "\n")
        s.write("pin", WRONG_PIN + "\n")
        self.restart()

        def trouble():
            status = s.status()
            return " ".join(status["trouble"]) if status else ""
        wait_for("status tells of the PIN", lambda: "PIN" in trouble())
        self.assertNotIn(WRONG_PIN, trouble())
        self.assertTrue(s.key_is("token", False))
        self.assertIn("PIN", s.csrmail("ca", "unlock", "token",
                                       "--passphrase-file", s.pin,
                                       check=False))
        s.write("pin", PIN + "\n")
        for name, _ in self.CAS:
            s.csrmail("ca", "unlock", name, "--passphrase-file", s.pin)
            s.wait_key(name)
        self.verify("token", s.sign("token"))

    def test_what_waits_for_a_locked_key_is_signed_when_it_opens(self):
        s = self.stand
        before = self.count()
        s.csrmail("ca", "lock", "token")
        s.wait_key("token", False)
        done = s.csrmail("cert", "sign", s.csr(), "--ca", "token",
                         "--profile", "tls-server", "--timeout", "1",
                         check=False)
        self.assertNotIn("BEGIN CERTIFICATE", done)
        self.assertEqual(self.count(), before)
        s.csrmail("ca", "unlock", "token", "--passphrase-file", s.pin)
        s.wait_key("token")
        wait_for("what waited is signed", lambda: self.count() > before)

    def test_another_passphrase_comes_from_the_environment(self):
        """Of the CA whose key is a file; a variable goes before it."""
        s = self.stand
        new = f"new {uuid.uuid4()}"
        old_file = s.find_passphrase("users")
        new_file = s.write("new", new + "\n")
        s.stop(type(self).daemon)
        said = s.csrmail("ca", "rekey-passphrase", "users",
                         "--passphrase-file", old_file,
                         "--new-passphrase-file", new_file)
        self.assertIn("CSRMAIL_PASSPHRASE_USERS", said)
        type(self).daemon = s.start("csrmaild",
                                    CSRMAIL_PASSPHRASE_USERS=new)
        s.wait_key("users")
        seen = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/exe") != \
                        s.path("bin/csrmaild"):
                    continue
                with open(f"/proc/{pid}/environ", "rb") as file:
                    self.assertNotIn(new.encode(), file.read())
                seen += 1
            except OSError:
                pass
        self.assertGreater(seen, 5)
        self.restart()
        wait_for("the old passphrase does not open it", lambda:
                 "passphrase does not open" in " ".join(
                     (s.status() or {"trouble": []})["trouble"]))
        s.csrmail("ca", "unlock", "users", "--passphrase-file", new_file)
        s.wait_key("users")
        self.assertIn("key.opened", s.csrmail("audit", "list"))

    def test_a_token_that_goes_away_delays_and_loses_nothing(self):
        s = self.stand
        away = s.tokens + ".away"
        name = os.listdir(s.tokens)[0]
        os.mkdir(away)
        os.rename(os.path.join(s.tokens, name), os.path.join(away, name))
        done = s.csrmail("cert", "sign", s.csr(), "--ca", "token",
                         "--profile", "tls-server", "--timeout", "1",
                         check=False)
        self.assertNotIn("BEGIN CERTIFICATE", done)
        s.wait_key("token", False)
        self.assertIn("token", " ".join(s.status()["trouble"]))
        self.assertIsNone(type(self).daemon.poll())
        os.rename(os.path.join(away, name), os.path.join(s.tokens, name))
        for ca, _ in self.CAS:
            s.csrmail("ca", "unlock", ca, "--passphrase-file", s.pin)
            s.wait_key(ca)
        self.verify("token", s.sign("token"))


def skip_unless_it_can_be_tried():
    if os.geteuid() != 0:
        why = "only root can start roles as their users"
    elif not os.path.exists(MODULE):
        why = "softhsm2 is not installed"
    elif not shutil.which("pkcs11-tool"):
        why = "opensc is not installed"
    elif not shutil.which("softhsm2-util"):
        why = "softhsm2 is not installed"
    else:
        return
    print(why)
    sys.exit(77)


if __name__ == "__main__":
    skip_unless_it_can_be_tried()
    unittest.main(verbosity=2)
