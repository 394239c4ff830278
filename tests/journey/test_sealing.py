"""Replies of a mailbox with a signing certificate: signed, or not sent."""

import email
import email.policy
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import unittest
import uuid

from system import certificates_in, compose, run, running_system, wait_for

WAITS_S = 180   # a mail that could not be signed is tried every minute


class Sealing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.system.heal()
        cls.conf = f"{cls.system.folder}/etc/csrmaild.conf"
        with open(cls.conf, encoding="utf-8") as file:
            cls.shipped = file.read()
        cls.key, cls.cert = cls.make_identity()

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()
        self.addCleanup(self.put, self.shipped)

    # --- certificates and configurations ---------------------------------

    @classmethod
    def new_key(cls, address):
        """What an administrator does first: a key and a request."""
        name = uuid.uuid4().hex
        cls.system.csrmail("request", "new", address, "--no-passphrase",
                           "--out-dir", cls.system.tmp, "--name", name)
        return f"{cls.system.tmp}/{name}.key", f"{cls.system.tmp}/{name}.p10"

    @classmethod
    def make_identity(cls, address=None):
        """Of the mailbox's own CA, by the profile for users."""
        key, request = cls.new_key(address or cls.system.env["CA_ADDRESS"])
        cert = request.replace(".p10", ".pem")
        cls.system.csrmail("cert", "sign", request, "--ca", "users",
                           "--profile", "user", "--chain", "-o", cert)
        return key, cert

    def expired(self):
        """One that ended yesterday."""
        key, request = self.new_key(self.system.env["CA_ADDRESS"])
        cert = request.replace(".p10", ".old")
        run("openssl", "x509", "-req", "-inform", "DER", "-in", request,
            "-signkey", key, "-days", "-1", "-out", cert,
            "-extfile", self.system.file(
                "extensions", "subjectAltName=email:" +
                self.system.env["CA_ADDRESS"]))
        return key, cert

    def signing(self, key, cert, more=""):
        """The configuration with the mailbox's certificate."""
        return re.sub(r'(?m)^(mailbox ".*" \{)$', lambda m: m.group(1) +
                      f'\n\tsmime_certificate = "{cert}"\n'
                      f'\tsmime_key_file = "{key}"\n{more}', self.shipped,
                      count=1)

    def write(self, conf):
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(conf)

    def put(self, conf):
        before = self.system.roles().get("registrar")
        self.write(conf)
        self.system.csrmail("reload")
        wait_for("new roles", lambda: self.system.roles().get(
            "registrar", before) != before)
        wait_for("csrmail status is good", self.system.is_ready)

    # --- mails ------------------------------------------------------------

    def ask(self):
        mail = compose(self.user, self.user.own_csr())
        self.user.send(mail)
        return mail["Message-ID"]

    def raw_reply(self, message_id):
        """The octets that our mail server delivered."""
        with self.user.imap() as server:
            numbers = self.user.search(server, "INBOX", "In-Reply-To",
                                       message_id)
            self.assertEqual(len(numbers), 1)
            return server.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1]

    def signed_reply(self, message_id):
        self.user.wait_certificate(message_id, WAITS_S)
        return self.raw_reply(message_id)

    def verify(self, octets, program="cms"):
        """What is covered, as an independent program gives it back."""
        out = os.path.join(self.system.tmp, uuid.uuid4().hex)
        done = subprocess.run(
            ["openssl", program, "-verify", "-in", self.system.file(
                f"{uuid.uuid4().hex}.eml", octets), "-out", out,
             "-CAfile", self.system.env["ROOT_CERT"], "-purpose",
             "smimesign"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        if done.returncode != 0:
            return None
        with open(out, "rb") as file:
            return file.read()

    def trouble(self):
        said = self.system.csrmail("status", "--json", check=False)
        return json.loads(said)["trouble"] if said.strip() else []

    # --- the tests ----------------------------------------------------------

    def test_a_reply_is_signed_as_it_is_delivered(self):
        self.put(self.signing(self.key, self.cert))
        message_id = self.ask()
        octets = self.signed_reply(message_id)
        reply = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual(reply.get_content_type(), "multipart/signed")
        for field, value in (("From", self.system.env["CA_ADDRESS"]),
                             ("To", self.user.address),
                             ("In-Reply-To", message_id),
                             ("Auto-Submitted", "auto-replied")):
            self.assertEqual(reply[field], value)
        for program in ("cms", "smime"):
            covered = self.verify(octets, program)
            self.assertIsNotNone(covered, program)
            self.assertEqual(len(certificates_in(email.message_from_bytes(
                covered, policy=email.policy.default))), 1)
            # And it is what the signature is about.
            self.assertIsNone(self.verify(octets.replace(
                b"your certificate was", b"your Certificate was"), program))

    def cut(self, octets):
        """What is signed, and the signature, as files (RFC 1847, 2.1)."""
        boundary = re.search(rb'\r\n boundary="([^"]*)"\r\n', octets).group(1)
        _, entity, rest = octets.split(b"\r\n--" + boundary + b"\r\n")
        signature = email.message_from_bytes(rest.split(
            b"\r\n--" + boundary + b"--")[0]).get_payload(decode=True)
        return self.system.file("entity", entity), self.system.file(
            "changed", entity + b"x"), self.system.file("p7s", signature)

    @unittest.skipIf(shutil.which("certtool") is None, "no certtool")
    def test_gnutls_accepts_it(self):
        self.put(self.signing(self.key, self.cert))
        entity, changed, signature = self.cut(self.signed_reply(self.ask()))
        for file, good in ((entity, True), (changed, False)):
            said = run("certtool", "--p7-verify", "--inder", "--infile",
                       signature, "--load-data", file, "--load-certificate",
                       self.system.file("signer", self.signer()), check=good)
            self.assertEqual("Signature status: ok" in said, good, said)

    @unittest.skipIf(shutil.which("cmsutil") is None, "no cmsutil")
    def test_nss_accepts_it(self):
        """Thunderbird's library; it looks at the chain too."""
        self.put(self.signing(self.key, self.cert))
        entity, changed, signature = self.cut(self.signed_reply(self.ask()))
        trust = f"sql:{self.system.tmp}"
        run("certutil", "-N", "-d", trust, "--empty-password")
        run("certutil", "-A", "-d", trust, "-n", "root", "-t", ",C,", "-i",
            self.system.env["ROOT_CERT"])
        for file, good in ((entity, True), (changed, False)):
            said = run("cmsutil", "-D", "-d", trust, "-c", file, "-i",
                       signature, "-h", "0", "-n", check=False)
            self.assertEqual("GoodSignature" in said, good, said)

    def signer(self):
        with open(self.cert, encoding="ascii") as file:
            return file.read().split("-----END CERTIFICATE-----")[0] + \
                "-----END CERTIFICATE-----\n"

    def test_other_mailboxes_do_not_sign(self):
        self.assertNotIn("sealer", self.system.roles())
        message_id = self.ask()
        reply, _ = self.user.wait_certificate(message_id)
        self.assertEqual(reply.get_content_type(), "multipart/mixed")

    def test_the_keys_are_in_the_sealer_alone(self):
        self.put(self.signing(self.key, self.cert))
        pid = self.system.roles()["sealer"][0]
        self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)  # not dumpable
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            said = file.read()
        uid = pwd.getpwnam("csrmail-seal").pw_uid
        self.assertRegex(said, rf"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        self.assertRegex(said, r"Seccomp:\t2\n")
        opened = [os.readlink(f"/proc/{pid}/fd/{fd}")
                  for fd in os.listdir(f"/proc/{pid}/fd")]
        self.assertEqual([path for path in opened if path in
                          (self.key, self.cert)], [])
        for role, pids in self.system.roles().items():
            for other in pids:
                self.assertEqual([fd for fd in os.listdir(f"/proc/{other}/fd")
                                  if os.path.realpath(f"/proc/{other}/fd/"
                                                      f"{fd}") == self.key],
                                 [], role)

    def refused(self, conf, key, why):
        """csrmaild -t says where and why; a reload changes nothing."""
        self.write(conf)
        done = subprocess.run([*self.system.env["CSRMAILD"].split(), "-t"],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        line = next(n for n, text in enumerate(conf.splitlines(), 1)
                    if text.strip().startswith(key + " ="))
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn(f"csrmaild.conf:{line}: {key}: ", done.stdout)
        self.assertIn(why, done.stdout)
        roles = self.system.roles()
        self.system.csrmail("reload")
        message_id = self.ask()
        reply, _ = self.user.wait_certificate(message_id)
        self.assertEqual(reply.get_content_type(), "multipart/mixed")
        self.assertEqual(self.system.roles(), roles)

    def test_a_wrong_configuration_names_file_and_line(self):
        other_key, _ = self.new_key(self.system.env["CA_ADDRESS"])
        user_key, user_cert = self.make_identity(self.user.address)
        open_key = f"{self.key}.open"
        shutil.copy(self.key, open_key)
        os.chmod(open_key, 0o644)
        passphrase = self.system.file("passphrase", "secret\n")
        os.chmod(passphrase, 0o600)
        for conf, key, why in (
                (self.signing(other_key, self.cert), "smime_key_file",
                 "not the key of the certificate"),
                (self.signing(user_key, user_cert), "smime_certificate",
                 "no rfc822Name " + self.system.env["CA_ADDRESS"]),
                (self.signing(self.key, self.key), "smime_certificate",
                 "whole certificates"),
                (self.signing(open_key, self.cert), "smime_key_file",
                 "others can reach it"),
                (self.signing("/nowhere", self.cert), "smime_key_file",
                 "No such file"),
                (self.signing(self.key, self.cert, "\tsmime_passphrase_file"
                              f' = "{passphrase}"\n'),
                 "smime_passphrase_file", "not encrypted")):
            with self.subTest(why):
                self.refused(conf, key, why)

    def test_an_encrypted_key(self):
        passphrase = self.system.file("passphrase", "secret\n")
        os.chmod(passphrase, 0o600)
        sealed = f"{self.key}.sealed"
        run("openssl", "pkcs8", "-topk8", "-scrypt", "-in", self.key, "-out",
            sealed, "-passout", f"file:{passphrase}")
        os.chmod(sealed, 0o600)
        self.put(self.signing(sealed, self.cert, "\tsmime_passphrase_file = "
                              f'"{passphrase}"\n'))
        self.assertIsNotNone(self.verify(self.signed_reply(self.ask())))

    def test_mails_wait_while_the_certificate_has_expired(self):
        self.put(self.signing(*self.expired()))
        message_id = self.ask()
        self.assertEqual(self.system.wait_filed(message_id), "Processed")
        wait_for("csrmail status tells it", lambda: any(
            "cannot sign its replies, and they wait: its signing certificate "
            "has expired on" in sentence for sentence in self.trouble()))
        wait_for("the outbox tells it", lambda: any(
            "expired" in row["last_answer"] for row in self.system.rows(
                "mail", "list", "queued") if row["recipient"] ==
            self.user.address))
        self.assertEqual(self.user.replies(message_id), [])
        # Another one, and nothing but a reload.
        self.put(self.signing(self.key, self.cert))
        octets = self.signed_reply(message_id)
        self.assertIsNotNone(self.verify(octets))
        self.assertFalse(any("sign" in s for s in self.trouble()))

    def test_the_sealer_dies_with_a_mail(self):
        self.put(self.signing(self.key, self.cert))
        self.system.kill_all()
        daemon = self.system.start(
            CSRMAIL_TEST_CRASH_AT="sealer.before-answer")
        message_id = self.ask()
        wait_for("the crash", lambda: daemon.poll() is not None)
        wait_for("all roles gone", lambda: not self.system.roles())
        self.assertEqual(self.user.replies(message_id), [])
        self.system.start()
        octets = self.signed_reply(message_id)
        self.assertIsNotNone(self.verify(octets))
        # Alone: the set comes back, and goes on.
        pids = self.system.roles()["sealer"]
        os.kill(pids[0], signal.SIGKILL)
        wait_for("another sealer", lambda: self.system.roles().get(
            "sealer", pids) != pids)
        self.assertIsNotNone(self.verify(self.signed_reply(self.ask())))

    def test_a_key_that_is_gone_stops_nothing_else(self):
        """After the start nobody looks before the set starts anew."""
        key = f"{self.key}.lost"
        shutil.copy(self.key, key)
        os.chmod(key, 0o600)
        self.put(self.signing(key, self.cert))
        os.rename(key, f"{key}.away")
        pids = self.system.roles()["sealer"]
        os.kill(pids[0], signal.SIGKILL)
        wait_for("csrmail status tells it", lambda: any(
            "they wait: smime_key_file: " in s for s in self.trouble()))
        wait_for("the mailbox is open", self.system.is_ready)
        message_id = self.ask()
        self.assertEqual(self.system.wait_filed(message_id), "Processed")
        self.assertTrue(self.system.certificates(self.user))
        self.assertEqual(self.user.replies(message_id), [])
        os.rename(f"{key}.away", key)
        self.put(self.signing(key, self.cert))
        self.assertIsNotNone(self.verify(self.signed_reply(message_id)))

    def test_a_signed_reply_is_not_answered(self):
        """It comes to a mailbox of csrmail, by a list, or sent on."""
        self.put(self.signing(self.key, self.cert))
        octets = self.signed_reply(self.ask())
        message_id = f"<{uuid.uuid4()}@example.test>"
        again = re.sub(rb"(?m)^Message-ID: .*\r$", b"Message-ID: " +
                       message_id.encode() + b"\r", octets, count=1)
        again = re.sub(rb"(?m)^From: .*\r$", b"From: " +
                       self.user.address.encode() + b"\r", again, count=1)
        before = self.queued()
        self.system.deposit(self.system.vouched(again))
        self.assertNotEqual(self.system.wait_filed(message_id), "Processed")
        # An answer is on record before the mail is filed.
        self.assertEqual(self.queued(), before)

    def queued(self):
        """All mails to this person, sent or not."""
        return [row["id"] for row in self.system.rows(
            "mail", "list", "--limit", "1000") if row["recipient"] ==
            self.user.address]


if __name__ == "__main__":
    unittest.main(verbosity=2)
