"""Dovecot and Postfix with every kind of TLS and login: a mail in, a
certificate out. The configuration changes by `csrmail reload`."""

import os
import re
import unittest

from system import certificates_in, compose, running_system, wait_for

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
    "TLS 1.3 alone, and several sessions":
        (("implicit", "password"),
         ("starttls", "password", "tls_min = 1.3\n\tsessions = 3")),
}


class Logins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.conf = f"{cls.system.folder}/etc/csrmaild.conf"
        with open(cls.conf) as file:
            cls.shipped = file.read()
        # Of root alone, as the password is.
        cls.token = cls.write("secret/token", TOKEN, 0o600)
        cls.command = cls.write(
            "bin/get-token", "#!/bin/sh\n"
            "test \"$(id -un)\" = csrmail-exec || exit 1\n"
            f"echo '{{\"access_token\":\"{TOKEN}\",\"expires_in\":3600}}'",
            0o755)

    @classmethod
    def write(cls, name, text, mode):
        path = f"{cls.system.folder}/{name}"
        with open(path, "w") as file:
            file.write(text + "\n")
        os.chmod(path, mode)
        return path

    def setUp(self):
        self.system.heal()
        self.addCleanup(self.put, self.shipped)

    def put(self, conf):
        before = self.system.roles().get("intake")
        with open(self.conf, "w") as file:
            file.write(conf)
        self.system.csrmail("reload")
        wait_for("new roles", lambda: self.system.roles().get(
            "intake", before) != before)
        wait_for("csrmail status is good", self.system.is_ready)

    def change(self, section, port, tls, login, more=""):
        """A section of the configuration, with its login changed."""
        section = re.sub(r"(?m)^(\s*)port = .*$", rf"\g<1>port = {port}",
                         section, count=1)
        section = re.sub(r"(?m)^(\s*)#?tls = .*$", rf"\g<1>tls = {tls}",
                         section, count=1)
        extra = {"password": "", "token file":
                 f'auth = xoauth2\n\ttoken_file = "{self.token}"',
                 "token command": "auth = xoauth2\n\ttoken_command = "
                 f'{{"{self.command}"}}'}[login]
        if extra:
            section = re.sub(r"(?m)^\s*password_file = .*$",
                             lambda _: "\t" + extra, section, count=1)
        return re.sub(r"(?m)^(\s*user = .*)$", lambda m: m.group(1) + "\n\t" +
                      more, section, count=1)

    def configuration(self, imap, smtp):
        env = self.system.env
        cut = self.shipped.index('mailbox "')
        ports = {"implicit": env["IMAPS_PORT"], "starttls": env["IMAP_PORT"]}
        head = self.change(self.shipped[:cut], {
            "implicit": env["SMTPS_PORT"],
            "starttls": env["SUBMISSION_PORT"]}[smtp[0]], *smtp)
        return head + self.change(self.shipped[cut:], ports[imap[0]], *imap)

    def test_a_certificate_comes_by_each_way(self):
        for way, (imap, smtp) in WAYS.items():
            with self.subTest(way):
                self.put(self.configuration(imap, smtp))
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
