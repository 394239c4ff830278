"""Evidence that a sender brings: a signed mail, and an answer to a challenge."""

import email
import email.policy
import os
import subprocess
import unittest
import uuid

from system import compose, new_message_id, run, running_system, wait_for

# Above the system's own rules, and for subaddresses that no other test uses.
RULES = """
rule "signed" {
	detail = { "signed" }
	evidence = { "smime" }
	email = { "@sender" }
	cn = { "@sender" }
	action = sign
}
rule "confirmed" {
	detail = { "confirm" }
	evidence = { "reply" }
	email = { "@sender" }
	cn = { "@sender" }
	action = sign
}
"""


class Evidence(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.system.heal()
        found = subprocess.run(
            ["find", cls.system.folder, "-path", "*/rules/staff.conf"],
            stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        cls.rules = found[0]
        with open(cls.rules, encoding="utf-8") as file:
            cls.before = file.read()
        cls.write(RULES + cls.before)

    @classmethod
    def tearDownClass(cls):
        cls.write(cls.before)

    @classmethod
    def write(cls, text):
        with open(cls.rules, "w", encoding="utf-8") as file:
            file.write(text)
        cls.system.csrmail("reload")
        wait_for("csrmaild with the new rules", cls.system.is_ready)

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()

    def address(self, detail):
        local, domain = self.system.env["CA_ADDRESS"].split("@")
        return f"{local}+{detail}@{domain}"

    def key_and_csr(self):
        path = os.path.join(self.system.tmp, uuid.uuid4().hex)
        run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-keyout", f"{path}.key", "-out",
            f"{path}.csr", "-subj", f"/CN={self.user.address}", "-addext",
            f"subjectAltName=email:{self.user.address}")
        with open(f"{path}.csr", encoding="ascii") as file:
            return f"{path}.key", file.read()

    def certificate_by_mail(self):
        """As anybody gets one: our server vouches for the sender."""
        key, csr = self.key_and_csr()
        mail = compose(self.user, csr)
        self.user.send(mail)
        pem = self.user.wait_certificate(mail["Message-ID"])[1]
        return key, self.system.file(f"{uuid.uuid4().hex}.pem", pem), pem

    def signed(self, key, cert, csr, opaque=False):
        """A mail that nothing but its signature vouches for."""
        message_id = new_message_id()
        entity = "Content-Type: text/plain\r\n\r\n" + \
            csr.replace("\n", "\r\n")
        out = run("openssl", "cms", "-sign", "-md", "sha256", "-signer", cert,
                  "-inkey", key, "-binary", "-crlfeol",
                  *(["-nodetach"] if opaque else []), stdin=entity)
        header = (f"From: {self.user.address}\r\n"
                  f"To: {self.address('signed')}\r\n"
                  f"Subject: my next one\r\nMessage-ID: {message_id}\r\n")
        self.system.deposit((header + out).encode())
        self.mail = header + out
        return message_id

    def explain(self, mail):
        """What `csrmail policy test` says of it."""
        return self.system.csrmail("policy", "test", self.system.file(
            f"{uuid.uuid4().hex}.eml", mail))

    def test_a_certificate_of_ours_renews_by_signing(self):
        key, cert, _ = self.certificate_by_mail()
        for opaque in (False, True):
            with self.subTest(opaque=opaque):
                _, csr = self.key_and_csr()
                message_id = self.signed(key, cert, csr, opaque)
                self.user.wait_certificate(message_id)
                self.assertIn("one of ours, only csrmaild knows",
                              self.explain(self.mail))
        self.assertIn("smime", [row["evidence"] for row in
                                self.system.requests(self.user)])

    def test_a_revoked_certificate_vouches_for_nobody(self):
        key, cert, pem = self.certificate_by_mail()
        self.system.revoke(pem, "superseded")
        _, csr = self.key_and_csr()
        message_id = self.signed(key, cert, csr)
        self.assertEqual(self.system.wait_filed(message_id), "Held")
        self.assertEqual(self.user.replies(message_id), [])

    def test_what_is_not_signed_is_not_taken(self):
        """A request behind the signature is nobody's word."""
        key, cert, _ = self.certificate_by_mail()
        message_id = new_message_id()
        _, other = self.key_and_csr()
        out = run("openssl", "cms", "-sign", "-md", "sha256", "-signer", cert,
                  "-inkey", key, "-binary", "-crlfeol",
                  stdin="Content-Type: text/plain\r\n\r\nHello\r\n")
        self.system.deposit((
            f"From: {self.user.address}\r\nTo: {self.address('signed')}\r\n"
            f"Message-ID: {message_id}\r\n{out}\r\n{other}").encode())
        self.assertEqual(self.system.wait_filed(message_id), "Rejected")
        self.assertIn("No certificate signing request",
                      str(self.user.wait_reply(message_id)))

    def challenge(self):
        """The mail that asks this person to confirm."""
        def ask():
            with self.user.imap() as server:
                server.select("INBOX", readonly=True)
                found = server.search(None, "HEADER", "Subject",
                                      '"csrmail:"')[1][0].split()
                return [email.message_from_bytes(
                    server.fetch(n, "(BODY.PEEK[])")[1][0][1],
                    policy=email.policy.default) for n in found]
        return wait_for("the challenge", ask)[0]

    def test_a_sender_who_confirms_gets_a_certificate(self):
        _, csr = self.key_and_csr()
        mail = compose(self.user, csr)
        mail.replace_header("To", self.address("confirm"))
        self.system.deposit(mail.as_bytes(policy=email.policy.SMTP))
        self.assertIn('sign, by the rule "confirmed"',
                      self.explain(mail.as_string()))
        self.assertEqual(self.system.wait_filed(mail["Message-ID"]), "Held")
        challenge = self.challenge()
        self.assertEqual(challenge["Auto-Submitted"], "auto-generated")
        self.assertNotIn(mail["Message-ID"], str(challenge))
        self.answer(challenge, "CONFIRM\n\nThat was me.\n")
        self.user.wait_certificate(mail["Message-ID"])
        # Once only.
        again = self.answer(challenge, "CONFIRM\n")
        self.assertIn("has expired, or it was",
                      str(self.user.wait_reply(again)))

    def answer(self, challenge, text, subtype="plain"):
        mail = compose(self.user, text, subject="Re: " + challenge["Subject"])
        mail.set_content(text, subtype=subtype)
        self.user.send(mail)
        return mail["Message-ID"]

    def test_who_says_that_it_was_not_him_confirms_nothing(self):
        _, csr = self.key_and_csr()
        mail = compose(self.user, csr)
        mail.replace_header("To", self.address("confirm"))
        self.system.deposit(mail.as_bytes(policy=email.policy.SMTP))
        challenge = self.challenge()
        quoted = "".join("> " + line for line in
                         challenge.get_content().splitlines(True))
        for name, text, subtype in (
                ("no word", "No, that was not me!\n", "plain"),
                ("quoted", f"What is this?\n\n{quoted}> CONFIRM\n", "plain"),
                ("quoted without a mark", "What is this?\n\n" +
                 challenge.get_content(), "plain"),
                ("in a sentence", "I can not confirm this.\n", "plain"),
                ("HTML alone", "<p>CONFIRM</p>\n", "html")):
            with self.subTest(name):
                answer = self.answer(challenge, text, subtype)
                reply = self.user.wait_reply(answer)
                self.assertIn("Your answer confirms nothing.", str(reply))
                self.assertEqual(reply["Subject"], "Re: Please confirm")
                self.assertEqual(self.system.wait_filed(answer), "Rejected")
                self.assertEqual([row["state"] for row in
                                  self.system.requests(self.user)],
                                 ["received"])
        self.assertEqual(self.user.replies(mail["Message-ID"]), [])
        self.answer(challenge, f"Yes.\n\n confirm\n\n{quoted}")
        self.user.wait_certificate(mail["Message-ID"])

    def test_a_stranger_cannot_confirm(self):
        _, csr = self.key_and_csr()
        mail = compose(self.user, csr)
        mail.replace_header("To", self.address("confirm"))
        self.system.deposit(mail.as_bytes(policy=email.policy.SMTP))
        challenge = self.challenge()
        other = self.system.new_person()
        answer = compose(other, "CONFIRM\n",
                         subject="Re: " + challenge["Subject"])
        other.send(answer)
        self.system.wait_filed(answer["Message-ID"])
        self.assertEqual(self.user.replies(mail["Message-ID"]), [])
        self.assertEqual([row["state"] for row in
                          self.system.requests(self.user)], ["received"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
