"""Mails that ask for revocations, and how things stand."""

import os
import re
import subprocess
import unittest
import uuid

from system import (certificates_in, compose, new_message_id, run,
                    running_system, serial_of, text_of, wait_for)

# Above the system's own rules; {admin} is one person, {asker} another.
RULES = """
rule "signed" {{
	detail = {{ "signed" }}
	evidence = {{ "smime" }}
	email = {{ "@sender" }}
	cn = {{ "@sender" }}
	action = sign
}}
rule "an administrator" {{
	for = "revocation"
	sender = {{ "{admin}" }}
	evidence = {{ "smime" }}
	dns = {{ "*.example.test" }}
	cn = {{ "@san" }}
	action = revoke
}}
rule "who asks for others" {{
	for = "revocation"
	sender = {{ "{asker}" }}
	evidence = {{ "smime" }}
	action = hold
	text = "the desk will look at it"
}}
"""


class RevocationsByMail(unittest.TestCase):
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
        cls.admin = cls.system.new_person()
        cls.asker = cls.system.new_person()
        cls.write(RULES.format(admin=cls.admin.address,
                               asker=cls.asker.address) + cls.before)

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

    # --- certificates and mails -------------------------------------------

    def key_and_csr(self, name, san):
        path = os.path.join(self.system.tmp, uuid.uuid4().hex)
        run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-keyout", f"{path}.key", "-out",
            f"{path}.csr", "-subj", f"/CN={name}", "-addext",
            f"subjectAltName={san}")
        return f"{path}.key", f"{path}.csr"

    def of_person(self, person):
        """Key, certificate's file and PEM, and the mail that asked for it."""
        key, csr = self.key_and_csr(person.address,
                                    f"email:{person.address}")
        with open(csr, encoding="ascii") as file:
            mail = compose(person, file.read())
        person.send(mail)
        pem = person.wait_certificate(mail["Message-ID"])[1]
        return key, self.system.file(f"{uuid.uuid4().hex}.pem", pem), pem, \
            mail["Message-ID"]

    def of_server(self):
        """By the command line, for no mailbox."""
        name = f"{uuid.uuid4().hex[:12]}.example.test"
        key, csr = self.key_and_csr(name, f"DNS:{name}")
        cert = csr[:-4] + ".pem"
        self.system.csrmail("cert", "sign", csr, "--ca",
                            self.system.env["ISSUER_NAME"], "--profile",
                            "tls-server", "-o", cert)
        with open(cert, encoding="ascii") as file:
            return key, cert, file.read()

    def sign(self, key, cert, text, sender, detail="", opaque=False):
        """A signed mail; nothing but that vouches for it."""
        local, domain = self.system.env["CA_ADDRESS"].split("@")
        message_id = new_message_id()
        out = run("openssl", "cms", "-sign", "-md", "sha256", "-signer", cert,
                  "-inkey", key, "-binary", "-crlfeol",
                  *(["-nodetach"] if opaque else []),
                  stdin="Content-Type: text/plain\r\n\r\n" +
                  text.replace("\n", "\r\n"))
        return message_id, (
            f"From: {sender}\r\nTo: {local}{detail}@{domain}\r\n"
            f"Subject: please\r\nMessage-ID: {message_id}\r\n{out}").encode()

    def deposit(self, *arguments, **options):
        message_id, octets = self.sign(*arguments, **options)
        self.system.deposit(octets)
        return message_id

    def is_good(self, pem):
        return self.system.ocsp(pem).startswith("good")

    def revocations(self, state="all"):
        return self.system.rows("revocation", "list", state)

    def revocation_of(self, pem):
        """The last one about that certificate."""
        return [row for row in self.revocations()
                if row.get("serial") == serial_of(pem).lower()][-1]

    # --- by the certificate's own key ---------------------------------------

    def test_who_has_the_key_revokes(self):
        for opaque in (False, True):
            with self.subTest(opaque=opaque):
                key, cert, pem, first = self.of_person(self.user)
                self.system.wait_ocsp(pem, "good")
                message_id = self.deposit(key, cert, "REVOKE superseded\n",
                                          self.user.address, opaque=opaque)
                reply = self.user.wait_reply(message_id)
                self.system.wait_ocsp(pem, "revoked")
                self.assertIn("superseded", self.system.ocsp(pem))
                wait_for("it on the CRL", lambda p=pem:
                         self.system.is_on_crl(p))
                self.assertRegex(text_of(reply), r"Revocation \d+: done")
                self.assertIn(serial_of(pem).lower(), text_of(reply))
                self.assertEqual(self.system.wait_filed(message_id),
                                 "Processed")
                # The answer is the only mail about it.
                self.assertEqual(len(self.user.replies(message_id)), 1)
                self.assertEqual(len(self.user.replies(first)), 1)

    def test_as_the_guide_says(self):
        """With the very command that answers and guide name."""
        key, cert, pem, _ = self.of_person(self.user)
        out = run("openssl", "cms", "-sign", "-text", "-md", "sha256",
                  "-signer", cert, "-inkey", key, "-from", self.user.address,
                  "-to", self.system.env["CA_ADDRESS"], "-subject", "revoke",
                  stdin="REVOKE keyCompromise\n")
        message_id = new_message_id()
        self.system.deposit(f"Message-ID: {message_id}\r\n".encode() +
                            re.sub("\r?\n", "\r\n", out).encode())
        self.user.wait_reply(message_id)
        self.system.wait_ocsp(pem, "revoked")
        self.assertIn("keyCompromise", self.system.ocsp(pem))
        # The key is not certified again.
        mail = compose(self.user, run(
            "openssl", "req", "-new", "-key", key, "-subj",
            f"/CN={self.user.address}", "-addext",
            f"subjectAltName=email:{self.user.address}"))
        self.user.send(mail)
        self.assertIn("is compromised", " ".join(text_of(self.user.wait_reply(
            mail["Message-ID"])).split()))

    def test_a_server_s_key_needs_no_mailbox(self):
        key, cert, pem = self.of_server()
        self.system.wait_ocsp(pem, "good")
        message_id = self.deposit(key, cert, "REVOKE cessationOfOperation\n",
                                  self.user.address)
        self.assertEqual(self.system.wait_filed(message_id), "Processed")
        self.system.wait_ocsp(pem, "revoked")
        row = self.revocation_of(pem)
        self.assertEqual((row["state"], row["rule"]),
                         ("revoked", "revocation by the key itself"))
        # Nobody proved to be the sender.
        self.assertEqual(self.user.replies(message_id), [])

    def test_the_same_mail_again_changes_nothing(self):
        key, cert, pem, _ = self.of_person(self.user)
        message_id, octets = self.sign(key, cert, "REVOKE\n",
                                       self.user.address)
        self.system.deposit(octets)
        self.user.wait_reply(message_id)
        n = len(self.revocations())
        self.system.deposit(octets)
        wait_for("the second one filed", lambda: self.system.ca.count(
            "Processed", message_id) == 2)
        # A stranger who has seen it.
        other = self.system.new_person()
        again = new_message_id()
        self.system.deposit(octets.replace(
            self.user.address.encode(), other.address.encode(), 1).replace(
                message_id.encode(), again.encode(), 1))
        self.assertEqual(self.system.wait_filed(again), "Processed")
        self.assertEqual(len(self.user.replies(message_id)), 1)
        self.assertEqual(other.replies(again), [])
        self.assertEqual(self.revocation_of(pem)["state"], "revoked")
        self.assertEqual(len(self.revocations()), n)

    def test_a_request_beside_it_has_the_same_reply(self):
        key, cert, pem, _ = self.of_person(self.user)
        _, csr = self.key_and_csr(self.user.address,
                                  f"email:{self.user.address}")
        with open(csr, encoding="ascii") as file:
            message_id = self.deposit(
                key, cert, "REVOKE superseded\n\n" + file.read(),
                self.user.address, detail="+signed")
        reply = self.user.wait_reply(message_id)
        self.assertEqual(len(certificates_in(reply)), 1)
        self.assertRegex(text_of(reply), r"Revocation \d+: done")
        self.system.wait_ocsp(pem, "revoked")
        self.system.wait_ocsp(certificates_in(reply)[0], "good")
        self.assertEqual(len(self.user.replies(message_id)), 1)

    def test_the_rules_can_be_tried(self):
        key, cert, _, _ = self.of_person(self.asker)
        _, octets = self.sign(key, cert, "REVOKE 4f2b superseded\n",
                              self.asker.address)
        told = self.system.csrmail("policy", "test", self.system.file(
            f"{uuid.uuid4().hex}.eml", octets))
        self.assertIn("4f2b", told)
        self.assertIn('revoke, by the rule "revocation by the key itself"',
                      told)
        told = self.system.csrmail("policy", "test", self.system.file(
            f"{uuid.uuid4().hex}.eml",
            compose(self.asker, "REVOKE\n").as_string()))
        self.assertIn("not signed", told)

    # --- by others -----------------------------------------------------------

    def test_an_administrator_revokes_by_rule(self):
        key, cert, _, _ = self.of_person(self.admin)
        pems = [self.of_server()[2] for _ in range(2)]
        user = self.of_person(self.user)[2]
        serials = [serial_of(pem) for pem in (*pems, user)]
        message_id = self.deposit(
            key, cert, "".join(f"REVOKE {s} affiliationChanged\n"
                               for s in serials), self.admin.address)
        reply = " ".join(text_of(self.admin.wait_reply(message_id)).split())
        for pem in pems:
            self.system.wait_ocsp(pem, "revoked")
        # A mailbox is on none of its lists.
        self.assertTrue(self.is_good(user))
        self.assertEqual(reply.count("done."), 2)
        self.assertIn("waits for a person", reply)
        self.assertEqual(self.system.wait_filed(message_id), "Held")
        self.system.csrmail("revocation", "reject",
                            str(self.revocation_of(user)["id"]))

    def test_a_person_decides_what_is_held(self):
        key, cert, _, _ = self.of_person(self.asker)
        pems = [self.of_server()[2] for _ in range(2)]
        ids = []
        for pem in pems:
            message_id = self.deposit(
                key, cert, f"REVOKE {serial_of(pem)} superseded\n",
                self.asker.address)
            self.assertIn("the desk will look at it",
                          str(self.asker.wait_reply(message_id)))
            self.assertEqual(self.system.wait_filed(message_id), "Held")
            ids.append((message_id, str(self.revocation_of(pem)["id"])))
        self.assertTrue(all(map(self.is_good, pems)))
        self.assertIn("superseded", self.system.csrmail("revocation", "list"))
        self.assertIn("held_revocations",
                      self.system.csrmail("status", check=False))
        self.system.csrmail("revocation", "approve", ids[0][1])
        self.system.csrmail("revocation", "reject", ids[1][1], "--reason",
                            "that one stays")
        self.system.wait_ocsp(pems[0], "revoked")
        self.assertTrue(self.is_good(pems[1]))
        for (message_id, _), words in zip(ids, ("done.", "that one stays")):
            wait_for(words, lambda m=message_id, w=words: any(
                w in text_of(reply) for reply in self.asker.replies(m)))
        self.assertIn("does not wait", self.system.csrmail(
            "revocation", "approve", ids[0][1], check=False))
        self.assertIn("unix:root", self.system.csrmail(
            "revocation", "show", ids[0][1]))

    def test_a_stranger_s_certificate_proves_nothing(self):
        pem = self.of_person(self.user)[2]
        key, csr = self.key_and_csr(self.user.address,
                                    f"email:{self.user.address}")
        cert = csr[:-4] + ".pem"
        run("openssl", "x509", "-req", "-in", csr, "-key", key, "-days", "9",
            "-copy_extensions", "copy", "-set_serial", "0x" + serial_of(pem),
            "-out", cert)
        for text in (f"REVOKE {serial_of(pem)}\n", "REVOKE\n"):
            message_id = self.deposit(key, cert, text, self.user.address)
            self.assertEqual(self.system.wait_filed(message_id), "Rejected")
            self.assertEqual(self.user.replies(message_id), [])
        self.assertTrue(self.is_good(pem))

    def test_a_revoked_certificate_speaks_for_nobody(self):
        key, cert, pem, _ = self.of_person(self.admin)
        server = self.of_server()[2]
        self.system.revoke(pem, "superseded")
        message_id = self.deposit(key, cert, f"REVOKE {serial_of(server)}\n",
                                  self.admin.address)
        self.assertEqual(self.system.wait_filed(message_id), "Rejected")
        self.assertTrue(self.is_good(server))

    def test_certificates_of_other_cas_are_out_of_reach(self):
        """The issuer's own, which the root has signed, is such a one."""
        key, cert, _, _ = self.of_person(self.admin)
        with open(self.system.env["ISSUER_CERT"], encoding="ascii") as file:
            issuer = file.read()
        message_id = self.deposit(
            key, cert, f"REVOKE {serial_of(issuer)} superseded\n",
            self.admin.address)
        self.assertIn("has issued no certificate", " ".join(text_of(
            self.admin.wait_reply(message_id)).split()))
        self.assertEqual(self.system.wait_filed(message_id), "Rejected")

    # --- what revokes nothing --------------------------------------------------

    def test_who_does_not_sign_is_told_how(self):
        pem = self.of_person(self.user)[2]
        mail = compose(self.user, f"REVOKE {serial_of(pem)} keyCompromise\n")
        self.user.send(mail)
        reply = " ".join(text_of(self.user.wait_reply(
            mail["Message-ID"])).split())
        self.assertIn("the mail is not signed", reply)
        self.assertIn("openssl cms -sign -text", reply)
        self.assertEqual(self.system.wait_filed(mail["Message-ID"]),
                         "Rejected")
        self.assertTrue(self.is_good(pem))

    def test_words_that_were_changed_count_for_nothing(self):
        key, cert, pem, _ = self.of_person(self.user)
        message_id, octets = self.sign(key, cert, "REVOKE superseded\n",
                                       self.user.address)
        self.system.deposit(octets.replace(b"REVOKE superseded",
                                           b"REVOKE keyCompromise"))
        self.assertEqual(self.system.wait_filed(message_id), "Rejected")
        # Behind what is covered.
        message_id, octets = self.sign(key, cert, "Hello\n",
                                       self.user.address)
        self.system.deposit(octets + b"\r\nREVOKE keyCompromise\r\n")
        self.assertEqual(self.system.wait_filed(message_id), "Rejected")
        self.assertTrue(self.is_good(pem))

    # --- STATUS ------------------------------------------------------------------

    def test_status_is_told_to_whom_it_is_about(self):
        pem = self.of_person(self.user)[2]
        other = self.system.new_person()
        request = self.system.requests(self.user)[0]["id"]
        for text, mine, others in (
                ("STATUS\n", f"request {request}: issued", "There is nothing"),
                (f"STATUS {request}\n", serial_of(pem).lower(),
                 "There is nothing"),
                (f"STATUS {serial_of(pem)}\n", "valid until",
                 "There is nothing")):
            for person, words in ((self.user, mine), (other, others)):
                mail = compose(person, text)
                person.send(mail)
                self.assertIn(words, " ".join(text_of(person.wait_reply(
                    mail["Message-ID"])).split()))
                self.assertEqual(self.system.wait_filed(mail["Message-ID"]),
                                 "Processed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
