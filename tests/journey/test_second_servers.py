"""The main job between other servers: Cyrus for IMAP, Exim for SMTP."""

import os
import unittest

from second_mail import SecondSystem
from system import certificates_in, compose, running_system, wait_for

# IMAP, SMTP: how and where.
WAYS = {"implicit TLS": ("implicit", "imaps", "smtps"),
        "STARTTLS": ("starttls", "imap", "smtp")}
# What a server may do without: the mail is filed, and once, all the same.
LESS = ("MOVE", "MOVE UIDPLUS", "IDLE", "NAMESPACE")
FOLDERS = {"processed": "CA/Erledigt für heute", "held": "CA/Held",
           "rejected": "CA/Rejected", "unreadable": "CA/Unreadable"}
FILED = {"processed": "CA/Erledigt f&APw-r heute", "held": "CA/Held"}


class SecondServers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = SecondSystem(running_system().folder)

    def setUp(self):
        self.addCleanup(self.system.servers.stop)
        self.addCleanup(self.system.configure, self.system.shipped)
        self.namespace("INBOX.")

    def namespace(self, prefix, without=""):
        """Cyrus anew, with or without "INBOX." before its folders."""
        self.prefix = prefix
        self.system.servers.stop()
        self.system.servers.start(prefix == "", without)
        self.system.folders = [prefix + name for name in (
            "Processed", "Held", "Rejected", "Unreadable")]

    def configure(self, *changes, is_good=None):
        conf = self.system.conf
        for old, new in changes:
            self.assertIn(old, conf)
            conf = conf.replace(old, new)
        self.system.configure(conf, is_good)

    def ask(self, user, *names):
        mail = compose(user, self.system.csr(
            f"email:{user.address}", *names, cn=user.address))
        user.send(mail)
        return mail["Message-ID"]

    def assert_served(self, folder=None):
        """One mail in, one certificate out, and the mail in one place."""
        user = self.system.new_person()
        message_id = self.ask(user)
        reply, _ = user.wait_certificate(message_id)
        self.assertEqual(len(certificates_in(reply)), 1)
        self.assertEqual(reply["From"].addresses[0].addr_spec,
                         self.system.env["CA_ADDRESS"])
        folder = folder or self.prefix + "Processed"
        wait_for("the mail is filed", lambda: self.system.ca.count(
            f'"{folder}"', message_id) == 1)
        self.assertEqual(len(user.replies(message_id)), 1)
        self.assertEqual(len(self.system.certificates(user)), 1)

    def test_a_certificate_comes_by_each_way(self):
        for way, (tls, imap, smtp) in WAYS.items():
            with self.subTest(way):
                ports = self.system.servers.ports
                conf = self.system.conf.replace(
                    f"port = {ports['imaps']}", f"port = {ports[imap]}"
                ).replace(f"port = {ports['smtp']}", f"port = {ports[smtp]}")
                self.system.configure(set_tls(conf, tls))
                self.assert_served()

    def test_news_come_without_a_poll(self):
        self.configure(("#poll_interval_s = 60", "poll_interval_s = 3600"))
        for _ in range(3):
            self.assert_served()

    def test_a_server_that_can_less(self):
        for less in LESS:
            with self.subTest(less):
                prefix = "" if less == "NAMESPACE" else "INBOX."
                self.namespace(prefix, less)
                self.configure(("#poll_interval_s = 60",
                                "poll_interval_s = 1"))
                self.assert_served()

    def test_folders_of_other_names(self):
        changes = [(f'#{key} = "{key.capitalize()}"', f'{key} = "{name}"')
                   for key, name in FOLDERS.items()]
        for prefix, separator in (("INBOX.", "."), ("", "/")):
            with self.subTest(prefix):
                self.namespace(prefix)
                self.configure(*changes)
                places = {key: prefix + name.replace("/", separator)
                          for key, name in FILED.items()}
                self.assert_served(places["processed"])
                message_id = self.ask(self.system.new_person(),
                                      "email:other@example.test")
                wait_for("held", lambda: self.system.ca.count(
                    places["held"], message_id) == 1)

    def test_a_mail_that_comes_twice(self):
        self.configure()
        user = self.system.new_person()
        mail = compose(user, user.own_csr())
        for _ in range(2):
            self.system.deposit(self.system.vouched(mail))
        message_id = mail["Message-ID"]
        user.wait_certificate(message_id)
        wait_for("both filed", lambda: self.system.ca.count(
            self.prefix + "Processed", message_id) == 2)
        self.assertEqual(len(self.system.requests(user)), 1)
        self.assertEqual(len(user.replies(message_id)), 1)

    def test_servers_that_restart_in_the_middle(self):
        self.configure(("#poll_interval_s = 60", "poll_interval_s = 1"))
        users = [self.system.new_person() for _ in range(12)]
        asked = []
        for n, user in enumerate(users):
            asked.append(self.ask(user))
            if n in (5, 9):
                self.namespace("INBOX.")
        for user, message_id in zip(users, asked):
            with self.subTest(user.address):
                user.wait_certificate(message_id)
                self.assertEqual(len(self.system.certificates(user)), 1)
                self.assertEqual(self.system.wait_filed(message_id),
                                 "INBOX.Processed")

    def test_wrong_passwords(self):
        """What the servers say is shown, and mail waits."""
        wrong = self.system.file("wrong", "not-it\n")
        os.chmod(wrong, 0o600)
        right = f'password_file = "{self.system.folder}/secret/mail"'
        user = self.system.new_person()
        self.configure((right, f'password_file = "{wrong}"'),
                       is_good=lambda: self.says(
                           "authentication failure"))
        message_id = self.ask(user)
        wait_for("delivery", lambda: self.system.ca.count(
            "INBOX", message_id) == 1)
        # IMAP mended, SMTP not yet.
        cut = self.system.conf.index('mailbox "')
        self.system.configure(
            self.system.conf[:cut].replace(
                right, f'password_file = "{wrong}"') +
            self.system.conf[cut:])
        self.assertEqual(self.system.wait_filed(message_id),
                         "INBOX.Processed")
        wait_for("Exim's answer is shown",
                 lambda: self.says("535 Incorrect authentication data"))
        self.assertEqual(user.replies(message_id), [])
        self.configure()
        user.wait_certificate(message_id)
        self.assertEqual(len(self.system.certificates(user)), 1)

    def says(self, words):
        return words in self.system.csrmail("status", check=False)


def set_tls(conf, tls):
    return "\n".join(
        line[:len(line) - len(line.lstrip())] + f"tls = {tls}"
        if line.strip().lstrip("#").startswith("tls = ") else line
        for line in conf.split("\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
