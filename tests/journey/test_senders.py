"""Who may have a certificate without a person: only who is proved."""

import re
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

# From fields, and others, by which {other}, who is logged in, would be taken
# for {user}: each is a way in which some program reads another mailbox than
# RFC 5322 says, or one where there is none or more than one.
MASKS = {
    "the mailbox itself": "From: {user}",
    "in capitals": "From: {USER}",
    "as the display name": 'From: "{user}" <{other}>',
    "as an encoded display name":
        "From: =?utf-8?q?{encoded}?= <{other}>",
    "as an encoded word": "From: =?utf-8?q?{encoded}?=",
    "an encoded word in angles": "From: <=?utf-8?q?{encoded}?=>",
    "in a comment behind": "From: {other} ({user})",
    "in a comment in front": "From: ({user}) {other}",
    "a comment inside": "From: {local}(@evil.test)@{domain}",
    "in a group": "From: people: {user};",
    "in a group of two": "From: people: {user}, {other};",
    "behind a route": "From: <@mx.{domain}:{user}>",
    "with a quoted local part": 'From: "{local}"@{domain}',
    "with a quoted at": 'From: "{user}"@{domain}',
    "as the second of two": "From: {other}, {user}",
    "as the first of two": "From: {user}, {other}",
    "two pairs of angles": "From: <{user}> <{other}>",
    "behind a semicolon": "From: {other}; {user}",
    "in a folded line": "From: {other},\r\n {user}",
    "as a subaddress": "From: {local}+ca@{domain}",
    "with a dot behind the domain": "From: {user}.",
    "with a domain in brackets": "From: {local}@[{domain}]",
    "with a blank in it": "From: {local} @{domain}",
    "with a letter that looks alike": "From: {lookalike}@{domain}",
    "in a second From": "From: {other}\r\nFrom: {user}",
    "in a first From": "From: {user}\r\nFrom: {other}",
    "in a FROM": "From: {other}\r\nFROM: {user}",
    "in a From with a blank": "From: {other}\r\nFrom : {user}",
    "in Sender": "From: {other}\r\nSender: {user}",
    "in Sender alone": "Sender: {user}",
    "in Resent-From": "From: {other}\r\nResent-From: {user}",
    "in Reply-To": "From: {other}\r\nReply-To: {user}",
    "in an empty From": "From: \r\nSender: {user}",
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

    def masked(self, mail, mask):
        """The octets, with that in the place of the From field."""
        local, domain = self.user.address.split("@")
        fields = mask.format(
            user=self.user.address, other=self.other.address, local=local,
            domain=domain, USER=self.user.address.upper(),
            encoded=self.user.address.replace("@", "=40"),
            lookalike=local.replace("e", "\u0435", 1))
        octets = mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))
        return re.sub(rb"(?m)^From: .*\r\n", lambda _: fields.encode() +
                      b"\r\n", octets, count=1)

    def test_a_user_with_the_mask_of_another(self):
        for name, mask in MASKS.items():
            with self.subTest(name):
                mail = compose(self.user, self.user.own_csr())
                self.other.send(self.masked(mail, mask))
                self.assert_not_signed(mail["Message-ID"])

    def test_a_stranger_with_the_mask_of_a_user(self):
        """Nobody is logged in, and our server's own name stands above."""
        for name, mask in MASKS.items():
            with self.subTest(name):
                mail = compose(self.user, self.user.own_csr())
                mail["Authentication-Results"] = FORGED["dkim"]
                self.other.send(self.masked(mail, mask), login=False)
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
