"""What is wrong is answered or refused on record, and the daemon lives on."""

import unittest

from system import (certificates_in, compose, new_message_id, run,
                    running_system, text_of)

REFUSED = ("Rejected", "Unreadable")


def raw(user, header, body=b""):
    """A mail by octets, with the fields that every mail has."""
    message_id = new_message_id()
    head = (f"From: {user.address}\r\n"
            f"To: {user.system.env['CA_ADDRESS']}\r\n"
            f"Subject: odd\r\nMessage-ID: {message_id}\r\n"
            "MIME-Version: 1.0\r\n").encode()
    return message_id, head + header + b"\r\n\r\n" + body


def nested_messages(n):
    return (b"Content-Type: message/rfc822\r\n\r\n" * n +
            b"Content-Type: text/plain\r\n\r\ndeep\r\n")


def nested_multiparts(n):
    opened = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" %
        (i, i + 1) for i in range(n))
    return opened + b"".join(b"--b%d--\r\n" % i for i in range(n, -1, -1))


class BadMail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()
        self.alive = self.lasting_roles()

    def lasting_roles(self):
        """All but the parsers, which may die of a mail."""
        roles = self.system.roles()
        roles.pop("parser", None)
        return roles

    def tearDown(self):
        """Nothing was issued, nobody died, the next mail is served."""
        self.assertEqual(self.system.certificates(self.user), [])
        self.assertEqual(self.lasting_roles(), self.alive)
        mail = compose(self.user, self.user.own_csr())
        self.user.send(mail)
        self.user.wait_certificate(mail["Message-ID"])

    def refused(self, content=None, folders=REFUSED, **how):
        """Mail it as a proved user; the answer's text."""
        mail = compose(self.user, content, **how)
        self.user.send(mail)
        self.assertIn(self.system.wait_filed(mail["Message-ID"]), folders)
        reply = self.user.wait_reply(mail["Message-ID"])
        self.assertEqual(certificates_in(reply), [])
        return text_of(reply)

    def refused_raw(self, message_id, octets):
        """Laid into INBOX, since Postfix would change it on the way."""
        self.system.deposit(self.system.vouched(octets))
        self.assertIn(self.system.wait_filed(message_id), REFUSED)

    def test_no_request_in_the_mail(self):
        self.assertIn("request", self.refused("Hello, how are you?\n"))

    def test_broken_pem(self):
        lines = self.user.own_csr().splitlines()
        lines[2] = lines[2][:10] + "*" + lines[2][11:]
        self.refused("\n".join(lines) + "\n")

    def test_pem_cut_in_the_middle(self):
        text = self.user.own_csr()
        self.refused(text[:len(text) // 2] + "\n")

    def test_der_with_octets_behind_it(self):
        der = self.user.own_csr(form="DER") + b"\0\0"
        self.refused(attachment=(der, "application/pkcs10", "r.p10"))

    def test_wrong_signature(self):
        der = bytearray(self.user.own_csr(form="DER"))
        der[-1] ^= 1
        answer = self.refused(attachment=(bytes(der), "application/pkcs10",
                                          "r.p10"))
        self.assertIn("signature", answer)

    def test_rsa_1024(self):
        answer = self.refused(self.user.own_csr(
            key=("rsa", "rsa_keygen_bits:1024")))
        self.assertIn("1024", answer)

    def test_a_ca_certificate_is_asked_for(self):
        answer = self.refused(self.user.own_csr(
            extensions=("basicConstraints=critical,CA:TRUE",)))
        self.assertIn("CA", answer)

    def test_a_private_key_in_the_mail(self):
        key = run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                  "ec_paramgen_curve:P-256")
        answer = self.refused(self.user.own_csr() + key)
        self.assertIn("key", answer)

    def test_20_megabytes(self):
        mail = compose(self.user, self.user.own_csr(), attachment=(
            b"\0" * 15_000_000, "application/octet-stream", "big.bin"))
        self.user.send(mail)
        self.assertIn(self.system.wait_filed(mail["Message-ID"]), REFUSED)

    def test_a_quote_as_boundary(self):
        self.refused_raw(*raw(
            self.user,
            b'Content-Type: multipart/mixed; boundary="\\""',
            b'--"\r\n\r\nx\r\n--"--\r\n'))

    def test_120000_opening_parentheses_in_content_type(self):
        self.refused_raw(*raw(
            self.user, b"Content-Type: text/plain " + b"(" * 120_000))

    def test_a_million_parentheses_in_from(self):
        """Nobody is proved by this: refused on record, without a reply."""
        message_id = new_message_id()
        self.system.deposit(
            f"Message-ID: {message_id}\r\nFrom: ".encode() +
            b"(" * 1_000_000 + b"\r\nSubject: odd\r\n\r\nx\r\n")
        self.assertIn(self.system.wait_filed(message_id), REFUSED)

    def test_30000_messages_in_messages(self):
        self.refused_raw(*raw(
            self.user, b"Content-Type: message/rfc822",
            nested_messages(30_000)))

    def test_10000_multiparts_in_multiparts(self):
        self.refused_raw(*raw(
            self.user,
            b"Content-Type: multipart/mixed; boundary=b0",
            nested_multiparts(10_000)))

    def test_100000_header_fields(self):
        self.refused_raw(*raw(
            self.user, b"\r\n".join([b"X-A: b"] * 100_000)))

    def test_nothing_but_nul(self):
        """IMAP cannot carry NUL; the nearest that arrives."""
        message_id, octets = raw(self.user, b"Content-Type: text/plain",
                                 b"\x01\x80\xff" * 1000)
        self.refused_raw(message_id, octets)


if __name__ == "__main__":
    unittest.main(verbosity=2)
