"""A mailbox behind a server that writes no Authentication-Results: csrmaild
verifies DKIM itself, with keys from a name server of ours."""

import email.policy
import os
import re
import subprocess
import sys
import time
import unittest

from dkim_sign import COVERED, Key, sign
from system import SOURCE, compose, running_system, wait_for

SERVER = os.path.join(SOURCE, "tests", "support", "dns_server.py")
PATIENT_S = 150     # a key that could not be had is asked for again


class Dkim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = system = running_system()
        system.heal()
        cls.domain = system.env["MAIL_DOMAIN"]
        cls.key = Key(system.file("dkim.key", ""))
        cls.zone = system.file("zone", "")
        cls.questions = open(system.file("questions", ""), "w+")
        cls.server = subprocess.Popen(
            [sys.executable, "-B", SERVER, cls.zone],
            stdout=subprocess.PIPE, stderr=cls.questions, text=True)
        port = cls.server.stdout.readline().strip()
        with open(f"{system.folder}/etc/csrmaild.conf") as file:
            cls.shipped = file.read()
        system.configure(re.sub(
            r"(?m)^\s*authserv_id = .*$",
            f'\tdkim = verify\n\tresolver = "127.0.0.1:{port}"',
            cls.shipped, count=1))

    @classmethod
    def tearDownClass(cls):
        cls.system.configure(cls.shipped)
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()
        cls.questions.close()

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()

    def publish(self, kind="txt", text=None, selector=None):
        """A key of a name that no other test, and no cache, knows."""
        selector = selector or f"s{time.monotonic_ns()}"
        with open(self.zone, "a") as file:
            file.write(f"{selector}._domainkey.{self.domain} {kind} "
                       f"{self.key.record() if text is None else text}\n")
        return selector

    def mail(self, **options):
        mail = compose(self.user, self.user.own_csr(), **options)
        return mail["Message-ID"], mail.as_bytes(policy=email.policy.SMTP)

    def sign(self, octets, selector, **options):
        return sign(octets, options.pop("key", self.key),
                    options.pop("domain", self.domain), selector, **options)

    def evidence(self):
        return [row.get("evidence", "")
                for row in self.system.requests(self.user)]

    def assert_signed_at_once(self, message_id, octets):
        self.system.deposit(octets)
        self.user.wait_certificate(message_id)
        self.assertEqual(self.system.wait_filed(message_id), "Processed")
        self.assertEqual(self.evidence(), ["dkim"])

    def assert_held(self, message_id, octets):
        """On record, without a certificate, and no word to anybody."""
        self.system.deposit(octets)
        self.assertIn(self.system.wait_filed(message_id),
                      ("Held", "Rejected"))
        self.assertNotIn("dkim", "".join(self.evidence()))
        self.assertEqual(self.system.certificates(self.user), [])
        self.assertEqual(self.user.replies(message_id), [])

    def test_a_good_signature_vouches(self):
        message_id, octets = self.mail()
        self.assert_signed_at_once(message_id,
                                   self.sign(octets, self.publish()))

    def test_ed25519(self):
        key = Key(self.system.file("ed25519.key", ""), "ed25519")
        selector = self.publish(text=key.record())
        message_id, octets = self.mail()
        self.assert_signed_at_once(message_id, self.sign(
            octets, selector, key=key))

    def test_a_key_that_does_not_fit_one_datagram(self):
        selector = self.publish(kind="cut")
        message_id, octets = self.mail()
        self.assert_signed_at_once(message_id, self.sign(octets, selector))

    def test_two_signatures_of_which_one_is_good(self):
        message_id, octets = self.mail()
        octets = self.sign(octets, self.publish())
        octets = self.sign(octets, self.publish(text="v=DKIM1; p="))
        octets = self.sign(octets, "list", domain="list.test")
        self.assert_signed_at_once(message_id, octets)

    def test_a_signature_that_says_too_little(self):
        old = Key(self.system.file("old.key", ""), "rsa:1024")
        ways = {
            "l=": dict(tags="l=100000; "),
            "expired": dict(tags="t=1; x=1000000000; "),
            "another domain": dict(domain="evil.test"),
            "a domain below": dict(domain=f"sub.{self.domain}"),
            "From not covered": dict(covered=COVERED[1:]),
            "type not covered": dict(covered=[
                name for name in COVERED if name != "Content-Type"]),
            "Message-ID not covered": dict(covered=[
                name for name in COVERED if name != "Message-ID"]),
            "a short key": dict(key=old, text=old.record()),
            "testing": dict(text=self.key.record("t=y; ")),
            "revoked": dict(text="v=DKIM1; p="),
            "another key": dict(text=old.record()),
            "two records": dict(kind="two"),
            "no record": dict(kind="nodata"),
            "no such selector": dict(kind="nxdomain"),
        }
        for name, how in ways.items():
            with self.subTest(name):
                self.user = self.system.new_person()
                how = dict(how)
                selector = self.publish(how.pop("kind", "txt"),
                                        how.pop("text", None))
                message_id, octets = self.mail()
                self.assert_held(message_id, self.sign(octets, selector,
                                                       **how))

    def test_what_was_changed_on_its_way(self):
        other = self.system.new_person()
        selector = self.publish()
        ways = {
            "the request": lambda octets: re.sub(
                rb"-----BEGIN(.|\r|\n)*", other.own_csr().encode().replace(
                    b"\n", b"\r\n"), octets),
            "a line": lambda octets: octets + b"One more.\r\n",
            "From": lambda octets: octets.replace(
                self.user.address.encode(), other.address.encode(), 1),
            "a second From": lambda octets: b"From: " +
                other.address.encode() + b"\r\n" + octets,
            "a type": lambda octets: b"Content-Type: text/html\r\n" + octets,
        }
        for name, change in ways.items():
            with self.subTest(name):
                self.user = self.system.new_person()
                message_id, octets = self.mail()
                changed = change(self.sign(octets, selector))
                self.assertNotEqual(changed, self.sign(octets, selector))
                self.assert_held(message_id, changed)
        self.assertEqual(self.system.certificates(other), [])

    def test_what_a_mail_server_would_have_said_is_nothing(self):
        message_id, octets = self.mail()
        self.assert_held(message_id, self.system.vouched(octets))

    def test_a_mail_waits_while_the_name_server_is_silent(self):
        for kind in ("silent", "servfail"):
            with self.subTest(kind):
                late = self.system.new_person()
                self.user = late
                selector = self.publish(kind)
                late_id, octets = self.mail()
                self.system.deposit(self.sign(octets, selector))
                wait_for("the question", lambda: selector in
                         self.read_questions())
                # Others are not held up by it.
                self.user = self.system.new_person()
                message_id, octets = self.mail()
                self.assert_signed_at_once(
                    message_id, self.sign(octets, self.publish()))
                self.assertIsNone(self.system.folder_of(late_id))
                self.assertEqual(self.system.requests(late), [])
                with open(self.zone) as file:
                    zone = file.read()
                with open(self.zone, "w") as file:
                    file.write(zone.replace(
                        f"{selector}._domainkey.{self.domain} {kind}",
                        f"{selector}._domainkey.{self.domain} txt"))
                late.wait_certificate(late_id, PATIENT_S)

    def read_questions(self):
        self.questions.flush()
        with open(self.questions.name) as file:
            return file.read()

    def test_the_same_mail_again_is_the_same_request(self):
        selector = self.publish()
        message_id, octets = self.mail()
        octets = self.sign(octets, selector)
        self.assert_signed_at_once(message_id, octets)
        self.system.deposit(b"Received: from evil.test by mx.test; now\r\n" +
                            octets)
        wait_for("both filed", lambda: self.system.ca.count(
            "Processed", message_id) == 2)
        self.assertEqual(len(self.system.certificates(self.user)), 1)
        self.assertEqual(len(self.user.replies(message_id)), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
