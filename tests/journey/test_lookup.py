"""Renewed and reissued by a person; found again; taken along as PKCS#12."""

import os
import unittest

from system import (certificates_in, compose, running_system, run, serial_of,
                    wait_for)


class Lookup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()
        self.key = os.path.join(self.system.tmp, "lookup.key")
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-out", self.key)
        address = self.user.address
        csr = run("openssl", "req", "-new", "-key", self.key, "-subj",
                  f"/CN={address}", "-addext",
                  f"subjectAltName=email:{address}")
        self.mail = compose(self.user, csr)
        self.user.send(self.mail)
        _, self.pem = self.user.wait_certificate(self.mail["Message-ID"])
        self.serial = serial_of(self.pem).lower()

    def mailed(self):
        """Every certificate that came by mail, as serials."""
        return [serial_of(pem).lower()
                for reply in self.user.replies(self.mail["Message-ID"])
                for pem in certificates_in(reply)]

    def state(self, serial):
        row, = [row for row in self.system.certificates(self.user)
                if row["serial"] == serial]
        return row["state"], row.get("superseded_by")

    def file(self, name):
        path = os.path.join(self.system.tmp, name)
        if os.path.exists(path):
            os.unlink(path)
        return path

    def signed_anew(self, verb, *options):
        new = self.file("new.pem")
        self.system.csrmail("cert", verb, self.serial, "-o", new, *options)
        with open(new, encoding="ascii") as file:
            pem = file.read()
        self.assertIn("OK", self.system.verify(pem))
        return pem, serial_of(pem).lower()

    def test_a_renewal_comes_by_mail_and_the_old_one_stays_good(self):
        pem, serial = self.signed_anew("renew")
        wait_for("the new certificate by mail",
                 lambda: serial in self.mailed())
        self.assertEqual(
            run("openssl", "x509", "-noout", "-pubkey", stdin=pem),
            run("openssl", "x509", "-noout", "-pubkey", stdin=self.pem))
        self.system.wait_ocsp(pem, "good")
        self.system.wait_ocsp(self.pem, "good")
        self.assertEqual(self.state(self.serial), ("issued", serial))

    def test_a_renewal_can_revoke_the_old_one_and_keep_still(self):
        pem, serial = self.signed_anew("renew", "--revoke-old", "--no-mail")
        self.system.wait_ocsp(self.pem, "revoked")
        self.system.wait_ocsp(pem, "good")
        # Of the revocation a mail tells, which came after the other would.
        wait_for("the notice", lambda: len(
            self.user.replies(self.mail["Message-ID"])) == 2)
        self.assertEqual(self.mailed(), [self.serial])

    def test_a_reissue_ends_the_old_one(self):
        pem, serial = self.signed_anew("reissue", "--reason",
                                       "affiliationChanged")
        self.system.wait_ocsp(self.pem, "revoked")
        self.assertIn("Reason: affiliationChanged",
                      self.system.ocsp(self.pem))
        self.system.wait_ocsp(pem, "good")
        wait_for("the new certificate by mail",
                 lambda: serial in self.mailed())
        wait_for("the old one on the CRL",
                 lambda: self.system.is_on_crl(self.pem))

    def test_a_lost_key_is_not_signed_again(self):
        self.system.revoke(self.pem, "keyCompromise")
        for verb in ("renew", "reissue"):
            self.assertIn("is compromised and is not certified again",
                          self.system.csrmail("cert", verb, self.serial,
                                              check=False))
        self.assertEqual(self.mailed(), [self.serial])

    def test_it_is_found_by_name_key_and_end(self):
        for words in (("--match", self.user.address.upper()),
                      ("--key", self.system.file("mine.pem", self.pem)),
                      ("--expiring", "36500")):
            rows = self.system.rows("cert", "list", *words)
            self.assertIn(self.serial, [row["serial"] for row in rows])
        rows = self.system.rows("cert", "list", "--match",
                                "x" + self.user.address)
        self.assertEqual(rows, [])

    def test_pkcs12_is_read_by_openssl(self):
        p12 = self.file("lookup.p12")
        self.system.csrmail(
            "cert", "export", self.serial, "--p12", "--key", self.key,
            "--p12-passphrase-file",
            self.system.file("p12.pass", "open sesame\n"), "-o", p12)
        out = run("openssl", "pkcs12", "-in", p12, "-passin",
                  "pass:open sesame", "-nodes")
        self.assertEqual(out.count("BEGIN CERTIFICATE"), 3)
        self.assertIn("BEGIN PRIVATE KEY", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
