"""The power fails at each named point of the order of writes; what the system
does next is the same as if it had not: one certificate, one reply (a second
one only with the same Message-ID), the mail filed once."""

import unittest

from system import certificates_in, compose, running_system, wait_for

# In the order in which a mail passes them.
ON_A_MAIL = (
    "intake.before-submit",
    "registrar.before-commit",
    "registrar.after-commit",
    "intake.before-move",
    "intake.after-move",
    "registrar.after-reserve",
    "signer.before-journal",
    "signer.after-journal",
    "submit.before-send",
    "submit.after-250",
)
ON_A_REVOCATION = (
    "registrar.after-revoke",
    "registrar.after-crl-reserve",
    "registrar.before-crl-rename",
)


class Crashes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()

    def setUp(self):
        self.system.heal()

    def tearDown(self):
        """No later test meets the crash of this one."""
        self.system.kill_all()
        self.system.heal()

    def start_to_crash_at(self, point):
        self.system.kill_all()
        self.daemon = self.system.start(CSRMAIL_TEST_CRASH_AT=point)

    def has_crashed(self):
        return self.daemon.poll() is not None

    def wait_crash(self):
        wait_for("the crash", self.has_crashed)
        wait_for("all roles gone", lambda: not self.system.roles())

    def test_a_mail_is_finished_after_a_crash_anywhere(self):
        system = self.system
        for point in ON_A_MAIL:
            with self.subTest(point):
                user = system.new_person()
                mail = compose(user, user.own_csr())
                self.start_to_crash_at(point)
                user.send(mail)
                self.wait_crash()
                system.start()
                user.wait_certificate(mail["Message-ID"])
                self.assertEqual(system.wait_filed(mail["Message-ID"]),
                                 "Processed")
                wait_for("csrmail status is good", system.is_ready)
                replies = user.replies(mail["Message-ID"])
                self.assertEqual(len({r["Message-ID"] for r in replies}), 1)
                self.assertLessEqual(len(replies),
                                     2 if point == "submit.after-250" else 1)
                self.assertEqual(len({certificates_in(r)[0]
                                      for r in replies}), 1)
                self.assertEqual(len([
                    row for row in system.certificates(user)
                    if row["state"] == "issued"]), 1)

    def test_a_revocation_is_finished_after_a_crash_anywhere(self):
        system = self.system
        for point in ON_A_REVOCATION:
            with self.subTest(point):
                system.heal()
                user = system.new_person()
                mail = compose(user, user.own_csr())
                user.send(mail)
                _, pem = user.wait_certificate(mail["Message-ID"])
                self.start_to_crash_at(point)
                # A CRL may have been due before; then it is too late.
                wait_for("csrmail status is good", lambda:
                         system.is_ready() or self.has_crashed())
                too_late = self.has_crashed()
                # Its answer may be lost in the crash.
                system.revoke(pem, check=False)
                self.wait_crash()
                system.start()
                wait_for("csrmail status is good", system.is_ready)
                if too_late:
                    system.revoke(pem)
                system.wait_ocsp(pem, "revoked")
                wait_for("the serial on the CRL",
                         lambda: system.is_on_crl(pem))


if __name__ == "__main__":
    unittest.main(verbosity=2)
