"""Dovecot and Postfix with every kind of TLS and login: a mail in, a
certificate out. The configuration changes by `csrmail reload`."""

import os
import re
import unittest

from system import certificates_in, compose, run, running_system

TOKEN = "rig-token"     # init/rig.sh
# IMAP: tls, login; SMTP: tls, login, more.
WAYS = {
    "implicit TLS and a password":
        (("implicit", "password"), ("implicit", "password", "")),
    "STARTTLS and a password":
        (("starttls", "password"), ("starttls", "password", "")),
    "STARTTLS and a token of a command":
        (("starttls", "token command"), ("starttls", "token command", "")),
    "implicit TLS and a token in a file":
        (("implicit", "token file"), ("implicit", "token file", "")),
    # Postfix has no EXTERNAL: there it is the connection that is let in.
    "a client certificate":
        (("starttls", "client certificate"),
         ("implicit", "client certificate", "")),
    "TLS 1.3 alone, and several sessions":
        (("implicit", "password"),
         ("starttls", "password", "tls_min = 1.3\n\tsessions = 3")),
}


class Logins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        with open(f"{cls.system.folder}/etc/csrmaild.conf") as file:
            cls.shipped = file.read()
        # Of root alone, as the password is.
        cls.token = cls.write("secret/token", TOKEN, 0o600)
        cls.command = cls.write(
            "bin/get-token", "#!/bin/sh\n"
            "test \"$(id -un)\" = csrmail-exec || exit 1\n"
            f"echo '{{\"access_token\":\"{TOKEN}\",\"expires_in\":3600}}'",
            0o755)

        cls.make_client_certificate(cls.system.env["CA_ADDRESS"])

    @classmethod
    def make_client_certificate(cls, name, trusted=True):
        """By the mail servers' CA, or by itself."""
        tls, place = f"{cls.system.folder}/tls", cls.system.folder + "/secret"
        run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-keyout", f"{place}/client.key",
            "-out", f"{place}/client.csr",
            "-subj", f"/CN={name}")
        signer = ("-CA", f"{tls}/ca.crt", "-CAkey", f"{tls}/ca.key",
                  "-CAcreateserial") if trusted else \
            ("-signkey", f"{place}/client.key")
        run("openssl", "x509", "-req", "-in", f"{place}/client.csr",
            "-days", "7", *signer, "-out", f"{place}/client.crt")
        cls.certificate = f'client_certificate = "{place}/client.crt"\n\t' \
            f'client_key_file = "{place}/client.key"'

    @classmethod
    def write(cls, name, text, mode):
        path = f"{cls.system.folder}/{name}"
        with open(path, "w") as file:
            file.write(text + "\n")
        os.chmod(path, mode)
        return path

    def setUp(self):
        self.system.heal()
        self.addCleanup(self.system.configure, self.shipped)

    def change(self, section, port, tls, login, more="", sasl=True):
        """A section of the configuration, with its login changed."""
        if not sasl:
            section = re.sub(r"(?m)^(\s*)user = .*$", r'\g<1>user = ""',
                             section, count=1)
        section = re.sub(r"(?m)^(\s*)port = .*$", rf"\g<1>port = {port}",
                         section, count=1)
        section = re.sub(r"(?m)^(\s*)#?tls = .*$", rf"\g<1>tls = {tls}",
                         section, count=1)
        extra = {"password": "", "token file":
                 f'auth = xoauth2\n\ttoken_file = "{self.token}"',
                 "token command": "auth = xoauth2\n\ttoken_command = "
                 f'{{"{self.command}"}}', "client certificate":
                 ("auth = external\n\t" if sasl else "") + self.certificate
                 }[login]
        if extra:
            section = re.sub(r"(?m)^\s*password_file = .*$",
                             lambda _: "\t" + extra, section, count=1)
        return re.sub(r"(?m)^(\s*user = .*)$", lambda m: m.group(1) + "\n\t" +
                      more, section, count=1)

    def configuration(self, imap, smtp):
        env = self.system.env
        cut = self.shipped.index('mailbox "')
        ports = {"implicit": env["IMAPS_PORT"], "starttls": env["IMAP_PORT"]}
        sasl = smtp[1] != "client certificate"
        head = self.change(self.shipped[:cut], {
            "implicit": env["SMTPS_PORT"],
            "starttls": env["SUBMISSION_PORT"]}[smtp[0]] if sasl else
            env["SMTPS_CERTIFICATE_PORT"], *smtp, sasl=sasl)
        return head + self.change(self.shipped[cut:], ports[imap[0]], *imap)

    def test_a_certificate_comes_by_each_way(self):
        for way, (imap, smtp) in WAYS.items():
            with self.subTest(way):
                self.system.configure(self.configuration(imap, smtp))
                roles = self.system.roles()
                self.assertEqual("exec" in roles, "command" in imap[1])
                self.assertEqual(len(roles["submit"]),
                                 3 if "sessions" in smtp[2] else 1)
                user = self.system.new_person()
                mail = compose(user, user.own_csr())
                user.send(mail)
                reply, _ = user.wait_certificate(mail["Message-ID"])
                self.assertEqual(len(certificates_in(reply)), 1)
                self.assertEqual(self.system.wait_filed(
                    mail["Message-ID"]), "Processed")

    def test_a_certificate_lets_in_whom_it_names_and_nobody_else(self):
        refused = "AUTHENTICATE EXTERNAL: the server answered \\\"NO"
        for name in ("other", None):
            with self.subTest(name):
                conf = self.configuration(
                    ("starttls", "client certificate"),
                    ("starttls", "password", ""))
                if name:
                    self.make_client_certificate(
                        f"{name}@{self.system.env['MAIL_DOMAIN']}")
                else:   # one that the server's CA did not sign
                    self.make_client_certificate(
                        self.system.env["CA_ADDRESS"], trusted=False)
                self.addCleanup(self.make_client_certificate,
                                self.system.env["CA_ADDRESS"])
                self.system.configure(conf, lambda: refused in
                                      self.system.csrmail(
                                          "status", "--json", check=False))


if __name__ == "__main__":
    unittest.main(verbosity=2)
