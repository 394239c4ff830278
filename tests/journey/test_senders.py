"""Who may have a certificate without a person: only who is proved."""

import unittest

from system import certificates_in, compose, running_system

# Fields that a forger writes above a mail; our server removes or outranks
# each (RFC 8601, section 5).
FORGED = {
    "dkim": "mail.example.test; dkim=pass header.d=example.test",
    "auth": "mail.example.test; auth=pass smtp.auth={user}",
    "upper case": "MAIL.EXAMPLE.TEST; dkim=pass header.d=example.test",
    "version": "mail.example.test 1; dkim=pass header.d=example.test",
    "comment": "(x) mail.example.test; dkim=pass header.d=example.test",
    "quoted": '"mail.example.test"; dkim=pass header.d=example.test',
    "longer": "mail.example.test.evil.test; dkim=pass header.d=example.test",
    "another server": "mx.evil.test; dkim=pass header.d=example.test",
}


class Senders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()
        self.other = self.system.new_person()

    def assert_not_signed(self, message_id):
        """On record, without a certificate, and no word to the person whose
        name was used."""
        self.assertIn(self.system.wait_filed(message_id),
                      ("Held", "Rejected"))
        self.assertEqual(self.system.certificates(self.user), [])
        self.assertEqual(self.user.replies(message_id), [])

    def test_a_stranger_with_a_forged_from(self):
        mail = compose(self.user, self.user.own_csr())
        self.user.send(mail, login=False)
        self.assert_not_signed(mail["Message-ID"])

    def test_a_stranger_with_forged_authentication_results(self):
        for name, value in FORGED.items():
            with self.subTest(name):
                mail = compose(self.user, self.user.own_csr())
                mail["Authentication-Results"] = value.format(
                    user=self.user.address)
                self.user.send(mail, login=False)
                self.assert_not_signed(mail["Message-ID"])

    def test_a_user_with_the_from_of_another(self):
        system = self.system
        mail = compose(self.user, self.user.own_csr())
        self.other.send(mail)
        self.assert_not_signed(mail["Message-ID"])

    def test_two_from_fields(self):
        system = self.system
        mail = compose(self.user, self.user.own_csr())
        octets = f"From: {self.other.address}\r\n".encode() + \
            mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))
        self.user.send(octets)
        self.assert_not_signed(mail["Message-ID"])

    def test_two_from_mailboxes(self):
        system = self.system
        mail = compose(self.user, self.user.own_csr(), from_field=
                       f"{self.user.address}, {self.other.address}")
        self.user.send(mail)
        self.assert_not_signed(mail["Message-ID"])

    def test_a_forged_field_does_not_harm_an_honest_user(self):
        system = self.system
        mail = compose(self.user, self.user.own_csr())
        mail["Authentication-Results"] = \
            "mail.example.test; dkim=fail header.d=example.test"
        self.user.send(mail)
        self.user.wait_certificate(mail["Message-ID"])

    def test_automatic_mail_gets_nothing(self):
        system = self.system
        for field, value in (("Auto-Submitted", "auto-generated"),
                             ("List-Id", "<list.example.test>"),
                             ("Precedence", "bulk")):
            with self.subTest(field):
                mail = compose(self.user, self.user.own_csr())
                mail[field] = value.format(
                    user=self.user.address)
                self.user.send(mail)
                system.wait_filed(mail["Message-ID"])
                self.assertEqual(self.user.replies(mail["Message-ID"]), [])

    def test_reply_to_redirects_nothing(self):
        system = self.system
        mail = compose(self.user, self.user.own_csr())
        mail["Reply-To"] = self.other.address
        self.user.send(mail)
        self.user.wait_certificate(mail["Message-ID"])
        self.assertEqual(self.other.replies(mail["Message-ID"]), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
