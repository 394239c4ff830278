"""Mail in, certificate out; held and approved; rejected; revoked."""

import base64
import subprocess
import time
import unittest
import urllib.request

from system import (certificates_in, compose, running_system, run, serial_of,
                    text_of, wait_for)


class Certificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()

    def certify(self, **how):
        """Mail the user's own request; the mail, the reply, the PEM."""
        mail = compose(self.user, self.user.own_csr(), **how)
        self.user.send(mail)
        return (mail,
                *self.user.wait_certificate(mail["Message-ID"]))

    def test_a_request_comes_back_as_a_certificate(self):
        mail, reply, pem = self.certify()
        self.assertIn("OK", self.system.verify(pem))
        self.assertIn(f"email:{self.user.address}",
                      run("openssl", "x509", "-noout", "-ext",
                          "subjectAltName", stdin=pem))
        self.system.wait_ocsp(pem, "good")
        self.assertEqual(self.system.wait_filed(mail["Message-ID"]),
                         "Processed")

    def test_the_reply_is_one_that_mail_programs_understand(self):
        mail, reply, pem = self.certify(subject="Grüße: mein Zertifikat")
        self.assertEqual(reply["To"], self.user.address)
        self.assertEqual(reply["From"].addresses[0].addr_spec,
                         self.system.env["CA_ADDRESS"])
        self.assertEqual(reply["Auto-Submitted"], "auto-replied")
        self.assertEqual(reply["In-Reply-To"], mail["Message-ID"])
        self.assertIn(mail["Message-ID"], reply["References"])
        self.assertIn("Grüße", reply["Subject"])
        first = next(part for part in reply.walk()
                     if not part.is_multipart())
        self.assertEqual(first.get_content_type(), "text/plain")
        self.assertIn(serial_of(pem).lower().lstrip("0"),
                      text_of(reply).lower().replace(":", ""))

    def test_the_reply_carries_the_chain(self):
        _, reply, pem = self.certify()
        p7c = [part for part in reply.walk()
               if (part.get_filename() or "").endswith(".p7c")]
        self.assertEqual(len(p7c), 1)
        self.assertEqual(p7c[0].get_content_type(),
                         "application/pkcs7-mime")
        chain = subprocess.run(
            ["openssl", "pkcs7", "-inform", "DER", "-print_certs"],
            input=p7c[0].get_payload(decode=True), stdout=subprocess.PIPE,
            check=True).stdout.decode()
        self.assertGreaterEqual(chain.count("BEGIN CERTIFICATE"), 2)
        self.assertIn(pem.split("-----")[2].strip().replace("\r", ""),
                      chain)

    def test_the_chain_of_a_ca_is_served(self):
        """What a client may fetch where it has the certificate alone."""
        url = self.system.env["CRL_URL"].replace("/crl/", "/ca/")
        with urllib.request.urlopen(url.replace(".crl", ".p7c"),
                                    timeout=10) as answer:
            self.assertEqual(answer.headers.get_content_type(),
                             "application/pkcs7-mime")
            octets = answer.read()
        chain = subprocess.run(
            ["openssl", "pkcs7", "-inform", "DER", "-print_certs"],
            input=octets, stdout=subprocess.PIPE,
            check=True).stdout.decode()
        for name in ("ISSUER_CERT", "ROOT_CERT"):
            with open(self.system.env[name], encoding="ascii") as file:
                self.assertIn(file.read().split("-----")[2].strip(), chain)

    def test_a_request_may_be_attached_in_pem_or_der(self):
        for form, content_type, name in (
                ("DER", "application/pkcs10", "smime.p10"),
                ("DER", "application/octet-stream", "request.der"),
                ("PEM", "application/pkcs10", "request.csr"),
                ("PEM", "application/x-pem-file", "request.pem")):
            with self.subTest(content_type=content_type, name=name):
                octets = self.user.own_csr(form=form)
                if form == "PEM":
                    octets = octets.encode()
                mail = compose(self.user,
                               attachment=(octets, content_type, name))
                self.user.send(mail)
                self.user.wait_certificate(mail["Message-ID"])

    def test_a_held_request_is_issued_when_a_person_approves(self):
        system, user = self.system, self.user
        mail = compose(user, system.csr(f"email:{user.address}",
                                        "email:sales@example.test", cn=user.address))
        user.send(mail)
        held = user.wait_reply(mail["Message-ID"])
        self.assertEqual(certificates_in(held), [])
        self.assertEqual(system.wait_filed(mail["Message-ID"]), "Held")
        request, = system.requests(user, "held")

        system.csrmail("request", "approve", str(request["id"]))
        _, pem = user.wait_certificate(mail["Message-ID"])
        self.assertIn("OK", system.verify(pem))
        self.assertIn("email:sales@example.test",
                      run("openssl", "x509", "-noout", "-ext",
                          "subjectAltName", stdin=pem))
        system.wait_ocsp(pem, "good")

    def test_a_rejected_request_gets_the_reasons(self):
        system, user = self.system, self.user
        mail = compose(user, system.csr(f"email:{user.address}",
                                        "email:boss@example.test", cn=user.address))
        user.send(mail)
        user.wait_reply(mail["Message-ID"])
        request, = system.requests(user, "held")
        system.csrmail("request", "reject", str(request["id"]),
                       "--reason", "boss@ belongs to the boss")
        wait_for("a reply with the reason", lambda: any(
            "boss@ belongs to the boss" in text_of(reply)
            for reply in user.replies(mail["Message-ID"])))
        self.assertFalse(any(certificates_in(reply) for reply in
                             user.replies(mail["Message-ID"])))

    def test_a_revocation_is_known_within_a_second(self):
        system = self.system
        _, _, pem = self.certify()
        system.wait_ocsp(pem, "good")
        system.revoke(pem)
        revoked_at = time.monotonic()
        while not system.ocsp(pem, "-no_nonce").startswith("revoked"):
            self.assertLess(time.monotonic() - revoked_at, 1.0)
        answer = system.ocsp(pem)
        self.assertTrue(answer.startswith("revoked"))
        self.assertIn("Reason: keyCompromise", answer)
        self.assertIn("Revocation Time:", answer)

    def test_a_revoked_certificate_is_on_the_next_crl(self):
        system = self.system
        _, _, pem = self.certify()
        system.revoke(pem, "superseded")
        wait_for("the serial on the CRL", lambda: system.is_on_crl(pem))

    def test_ocsp_answers_in_every_usual_way(self):
        system = self.system
        _, _, pem = self.certify()
        system.wait_ocsp(pem, "good", "-no_nonce")
        system.wait_ocsp(pem, "good", "-nonce")
        system.wait_ocsp(pem, "good", "-sha256")
        # GET (RFC 6960, A.1)
        request = f"{system.tmp}/request.ocsp"
        certificate = system.file("get.pem", pem)
        run("openssl", "ocsp", "-issuer", system.env["ISSUER_CERT"],
            "-no_nonce", "-cert", certificate, "-reqout", request)
        with open(request, "rb") as file:
            path = urllib.parse.quote(
                base64.b64encode(file.read()).decode(), safe="")
        with urllib.request.urlopen(
                f"{system.env['OCSP_URL'].rstrip('/')}/{path}",
                timeout=10) as answer:
            self.assertEqual(answer.headers["Content-Type"],
                             "application/ocsp-response")
            response = system.file("get.ocsp", answer.read())
        self.assertIn("Cert Status: good",
                      run("openssl", "ocsp", "-respin", response,
                          "-noverify", "-resp_text"))

    def test_a_serial_never_issued_is_unknown(self):
        self.assertIn("0x1234567890abcdef: unknown", run(
            "openssl", "ocsp", "-url", self.system.env["OCSP_URL"],
            "-issuer", self.system.env["ISSUER_CERT"], "-serial",
            "0x1234567890abcdef", "-CAfile",
            f"{self.system.folder}/chain.pem"))

    def test_the_same_mail_twice_is_one_certificate(self):
        system, user = self.system, self.user
        mail = compose(user, self.user.own_csr())
        user.send(mail)
        user.send(mail)
        user.wait_certificate(mail["Message-ID"])
        wait_for("both copies filed", lambda: system.ca.count(
            "Processed", mail["Message-ID"]) == 2)
        self.assertEqual(len(system.certificates(user)), 1)
        self.assertEqual(len({reply["Message-ID"] for reply in
                              user.replies(mail["Message-ID"])}), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
