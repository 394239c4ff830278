"""Several mailboxes in one daemon: each with a CA, rules, a profile, folders and
a language of its own, and one of them with a wrong password. A system of its
own, since it makes CAs."""

import json
import os
import signal
import sys
import unittest
import uuid

import system as journey
from system import (Person, System, certificates_in, compose, new_message_id,
                    run, serial_of, text_of, wait_for)

# Below the root of the quick start, and below another one.
NEW_CAS = (
    ("create-child", "servers", "root"),
    ("create-root", "lab-root", None),
    ("create-child", "lab", "lab-root"),
)
RULES = {
    "servers": """
        rule "clients by detail" {
            detail = { "client" }
            sender = { "*@example.test" }
            evidence = { "auth", "dkim" }
            dns = { "*.@sender-domain" }
            cn = { "@san" }
            profile = "tls-client"
            action = sign
        }
        rule "hosts of ours" {
            sender = { "*@example.test" }
            evidence = { "auth", "dkim" }
            dns = { "*.@sender-domain" }
            cn = { "@san" }
            action = sign
        }
        """,
    "lab": """
        rule "signed" {
            evidence = { "smime" }
            email = { "@sender" }
            cn = { "@sender" }
            action = sign
        }
        """,
}
# ca, profile, language, where processed mail goes; "": as shipped.
MAILBOXES = {
    "servers": ("servers", "tls-server", "de", "Fertig/Für Server"),
    "lab": ("lab", "user", "en", "Erledigt"),
    "broken": ("users", "user", "en", "Processed"),
}


class Mailboxes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            print("only root can run the mail servers")
            sys.exit(77)
        cls.place = f"{os.environ['JOURNEY_PLACE']}.mailboxes"
        assert journey.up(cls.place) == 0
        cls.addClassCleanup(journey.down, cls.place)
        with open(cls.place, encoding="ascii") as file:
            cls.system = System(file.read())
        cls.make_cas()
        for name, rules in RULES.items():
            with open(f"{cls.system.folder}/etc/policies/rules/{name}.conf",
                      "w", encoding="ascii") as file:
                file.write(rules)
        cls.guests = {title: Person(
            cls.system, f"guest-{title}@{cls.system.env['MAIL_DOMAIN']}",
            cls.system.env["GUEST_PASSWORD"]) for title in MAILBOXES}
        cls.write_configuration()
        cls.system.start()
        wait_for("three mailboxes of four", cls.three_are_open)

    @classmethod
    def make_cas(cls):
        etc = f"{cls.system.folder}/etc"
        for pid in cls.system.roles()["main"]:
            os.kill(pid, signal.SIGTERM)
        wait_for("csrmaild ends", lambda: not cls.system.roles())
        for command, name, parent in NEW_CAS:
            cls.secret(f"etc/{name}.passphrase", f"{name}-passphrase")
            cls.system.csrmail(
                "ca", command, name, "--subject", f"O=Example, CN={name}",
                "--passphrase-file", f"{etc}/{name}.passphrase",
                *(("--parent", parent, "--parent-passphrase-file",
                   f"{etc}/{parent}.passphrase") if parent else ()))

    @classmethod
    def secret(cls, name, text):
        path = f"{cls.system.folder}/{name}"
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(path, 0o600)

    @classmethod
    def write_configuration(cls):
        system, env = cls.system, cls.system.env
        cls.secret("secret/guest", env["GUEST_PASSWORD"])
        cls.secret("secret/wrong", "not-it")
        path = f"{system.folder}/etc/csrmaild.conf"
        with open(path, encoding="utf-8") as file:
            conf = file.read()
        start, end = conf.index('mailbox "'), conf.index('# A CA that signs')
        block, ca = conf[start:end], conf[conf.index('ca "users"'):]
        for title, (name, profile, language, processed) in MAILBOXES.items():
            changed = block
            for old, new in (
                    ('mailbox "users"', f'mailbox "{title}"'),
                    (env["CA_ADDRESS"], cls.guests[title].address),
                    # The one account that sends may send as itself alone.
                    ('#envelope_sender = ""',
                     f'envelope_sender = "{env["CA_ADDRESS"]}"'),
                    ('ca = "users"', f'ca = "{name}"'),
                    ('rules = "staff"',
                     f'rules = "{title if title in RULES else "staff"}"'),
                    ('#profile = "user"', f'profile = "{profile}"'),
                    ('#language = "en"', f'language = "{language}"'),
                    ('#processed = "Processed"',
                     f'processed = "{processed}"'),
                    ("secret/mail", "secret/wrong" if title == "broken"
                     else "secret/guest")):
                assert old in changed, old
                changed = changed.replace(old, new)
            conf += changed
        for name in ("servers", "lab"):
            conf += ca.replace("users", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(conf)

    @classmethod
    def status(cls):
        return json.loads(cls.system.csrmail("status", "--json",
                                             check=False))

    @classmethod
    def three_are_open(cls):
        mailboxes = cls.status().get("mailboxes", {})
        return {t for t, m in mailboxes.items() if m["connected"]} == {
            "users", "servers", "lab"}

    def setUp(self):
        self.user = self.system.new_person()

    def issuer_of(self, pem):
        return run("openssl", "x509", "-noout", "-issuer", stdin=pem)

    def host_csr(self):
        host = f"{uuid.uuid4().hex[:8]}.example.test"
        return self.system.csr(f"DNS:{host}", cn=host)

    def ask(self, csr, to):
        mail = compose(self.user, csr, to=to)
        self.user.send(mail, to=[to])
        return mail["Message-ID"]

    # --- tests ------------------------------------------------------------

    def test_each_has_its_ca_profile_language_and_folders(self):
        message_id = self.ask(self.host_csr(),
                              self.guests["servers"].address)
        reply, pem = self.user.wait_certificate(message_id)
        self.assertIn("CN = servers", self.issuer_of(pem))
        self.assertIn("TLS Web Server Authentication", run(
            "openssl", "x509", "-noout", "-ext", "extendedKeyUsage",
            stdin=pem))
        self.assertEqual(reply["From"].addresses[0].addr_spec,
                         self.guests["servers"].address)
        self.assertIn("Ihr Zertifikat ist ausgestellt", text_of(reply))
        wait_for("filed", lambda: self.guests["servers"].count(
            '"Fertig/F&APw-r Server"', message_id) == 1)
        # The same from the other one, as shipped.
        message_id = self.ask(self.user.own_csr(),
                              self.system.env["CA_ADDRESS"])
        reply, pem = self.user.wait_certificate(message_id)
        self.assertNotIn("CN = servers", self.issuer_of(pem))
        self.assertNotIn("Zertifikat ist ausgestellt", text_of(reply))
        self.assertEqual(self.system.wait_filed(message_id), "Processed")

    def test_the_part_behind_the_plus_chooses_the_profile(self):
        name, domain = self.guests["servers"].address.split("@")
        message_id = self.ask(self.host_csr(), f"{name}+client@{domain}")
        _, pem = self.user.wait_certificate(message_id)
        usage = run("openssl", "x509", "-noout", "-ext", "extendedKeyUsage",
                    stdin=pem)
        self.assertIn("TLS Web Client Authentication", usage)
        self.assertNotIn("Server", usage)

    def test_a_mail_to_two_of_them_is_decided_by_each(self):
        both = [self.system.env["CA_ADDRESS"],
                self.guests["servers"].address]
        mail = compose(self.user, self.user.own_csr(), to=", ".join(both))
        self.user.send(mail, to=both)
        message_id = mail["Message-ID"]
        replies = wait_for("two answers", lambda: (
            lambda found: found if len(found) == 2 else None)(
                self.user.replies(message_id)))
        by_sender = {r["From"].addresses[0].addr_spec: r for r in replies}
        self.assertEqual(set(by_sender), set(both))
        self.assertEqual(len(certificates_in(by_sender[both[0]])), 1)
        self.assertEqual(certificates_in(by_sender[both[1]]), [])
        self.assertIn("wurde abgelehnt", text_of(by_sender[both[1]]))
        self.assertEqual({(r["ca"], r["state"])
                          for r in self.system.requests(self.user)},
                         {("users", "issued"), ("servers", "rejected")})
        self.assertEqual(self.system.wait_filed(message_id), "Processed")
        wait_for("filed", lambda: self.guests["servers"].count(
            "Rejected", message_id) == 1)

    def test_a_wrong_password_is_said_and_holds_up_nobody(self):
        broken = self.status()["mailboxes"]["broken"]
        self.assertFalse(broken["connected"])
        self.assertIn("[AUTHENTICATIONFAILED] Authentication failed",
                      broken["answer"])
        self.assertTrue(broken["next_attempt"])
        self.assertIn("mailbox broken: AUTHENTICATE PLAIN: the server "
                      "answered", "\n".join(self.status()["trouble"]))
        before = self.system.roles()["intake"]
        self.assertEqual(len(before), 4)
        message_id = self.ask(self.user.own_csr(),
                              self.system.env["CA_ADDRESS"])
        self.user.wait_certificate(message_id)
        self.assertEqual(self.system.roles()["intake"], before)

    def test_a_signed_mail_sent_on_to_another_ca_serves_its_signer_only(self):
        """What the signature covers need not name the CA: see "When are two
        mails the same?" in docs/architecture.md."""
        lab = self.guests["lab"]
        key, cert, csr = self.signing_pair()
        header = f"From: {self.user.address}\r\nSubject: renew\r\n"
        signed = self.sign(key, cert, csr)

        def deposit(more):
            message_id = new_message_id()
            with lab.imap() as server:
                status, answer = server.append("INBOX", None, None, (
                    header + f"Message-ID: {message_id}\r\n" + more +
                    signed).encode())
                self.assertEqual(status, "OK", answer)
            return message_id

        other = self.system.new_person()
        message_id = deposit(f"To: {self.system.env['CA_ADDRESS']}\r\n"
                             f"Reply-To: {other.address}\r\n"
                             f"Sender: {other.address}\r\n")
        _, pem = self.user.wait_certificate(message_id)
        self.assertIn("CN = lab\n", self.issuer_of(pem))
        # Again, and under another name.
        again = deposit(f"To: {lab.address}\r\n")
        wait_for("filed", lambda: lab.count("Erledigt", again) == 1)
        header = header.replace(self.user.address, other.address)
        stolen = deposit(f"To: {lab.address}\r\n")
        wait_for("held", lambda: lab.count("Held", stolen) == 1)
        self.assertEqual(self.user.replies(again), [])
        for message_id in (message_id, again, stolen):
            self.assertEqual(other.replies(message_id), [])
        self.assertEqual(self.system.certificates(other), [])
        self.assertEqual(len([c for c in self.system.certificates(self.user)
                              if c["ca"] == "lab"]), 1)

    def signing_pair(self):
        """A key and its certificate of the CA for people, and a request."""
        csr = self.user.own_csr()
        message_id = self.ask(csr, self.system.env["CA_ADDRESS"])
        _, pem = self.user.wait_certificate(message_id)
        key = next(f"{self.system.tmp}/{name}"
                   for name in os.listdir(self.system.tmp)
                   if name.endswith(".key") and self.is_key_of(
                       f"{self.system.tmp}/{name}", pem))
        return key, self.system.file(f"{serial_of(pem)}.pem", pem), \
            self.user.own_csr()

    def is_key_of(self, key, pem):
        return run("openssl", "pkey", "-in", key, "-pubout") == \
            run("openssl", "x509", "-noout", "-pubkey", stdin=pem)

    def sign(self, key, cert, csr):
        entity = "Content-Type: text/plain\r\n\r\n" + \
            csr.replace("\n", "\r\n")
        return run("openssl", "cms", "-sign", "-md", "sha256", "-signer",
                   cert, "-inkey", key, "-binary", "-crlfeol", stdin=entity)


if __name__ == "__main__":
    unittest.main(verbosity=2)
