"""Every mail of tests/data/mail through the whole daemon, each with the outcome
that expected.json says; then mails with octets changed, of which nothing may
be certified that was not in the originals.

MAIL_MUTATIONS says how many of those (200)."""

import base64
import email
import email.header
import hashlib
import json
import os
import re
import sqlite3
import unittest

from mutations import MAILS, mutations, originals
from system import (FOLDERS, Person, run, running_system, wait_for)

FOLDER_OF = {"processed": "Processed", "held": "Held",
             "rejected": "Rejected", "unreadable": "Unreadable"}


def unfolded(value):
    return re.sub(r"\r?\n(?=[ \t])", "", value or "").strip()


def plain_text(mail):
    """The first text of a reply, its lines joined."""
    for part in mail.walk():
        if part.get_content_type() == "text/plain":
            text = part.get_payload(decode=True).decode("utf-8")
            return " ".join(text.split())
    return ""


def certificates_of(mail):
    """SHA-256 of the public keys in a reply's .pem files."""
    found = []
    for part in mail.walk():
        if part.get_content_type() != "application/x-pem-file":
            continue
        key = run("openssl", "x509", "-noout", "-pubkey",
                  stdin=part.get_payload(decode=True).decode())
        found.append(hashlib.sha256(base64.b64decode(
            "".join(key.splitlines()[1:-1]))).hexdigest())
    return sorted(found)


class Corpus(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.system.heal()

    def lasting_roles(self):
        roles = self.system.roles()
        roles.pop("parser", None)
        return roles

    def lay_in(self, mails):
        """[(mark, octets)] into the CA's INBOX, each vouched for; returns
        when all were filed."""
        with self.system.ca.imap() as server:
            for mark, octets in mails:
                status, answer = server.append(
                    "INBOX", None, None, self.system.vouched(
                        b"X-Corpus: " + mark.encode() + b"\r\n" + octets))
                self.assertEqual(status, "OK", (mark, answer))
            wait_for("INBOX empty of them", lambda: not self.system.ca.search(
                server, "INBOX", "X-Corpus", ""), 300)

    def folders(self):
        """{mark: folder}"""
        found = {}
        with self.system.ca.imap() as server:
            for folder in FOLDERS:
                numbers = self.system.ca.search(server, folder, "X-Corpus",
                                                "")
                # A thousand at a time: servers bound their command lines.
                for at in range(0, len(numbers), 1000):
                    data = server.fetch(
                        b",".join(numbers[at:at + 1000]),
                        "(BODY.PEEK[HEADER.FIELDS (X-Corpus)])")[1]
                    for item in data:
                        if isinstance(item, tuple):
                            # A mutation may go on in this field.
                            mark = item[1].split(b":", 1)[1].split()[0]
                            found[mark.decode()] = folder
        return found

    def replies(self, address):
        """What the CA mailed there, as it was first sent."""
        person = Person(self.system, address,
                        self.system.env["GUEST_PASSWORD"])
        with person.imap() as server:
            numbers = person.search(server, "INBOX", "From",
                                    self.system.env["CA_ADDRESS"])
            return [email.message_from_bytes(
                server.fetch(n, "(BODY.PEEK[])")[1][0][1]) for n in numbers]

    def compare(self, row, folder):
        self.assertEqual(folder, FOLDER_OF[row["outcome"]], "folder")
        if row["replies"] == 0:
            address = f"guest-{row['mail']}@{self.system.env['MAIL_DOMAIN']}"
            self.assertEqual(len(self.replies(address)), 0, "replies")
            return
        replies = self.replies(row["recipient"])
        self.assertEqual(len(replies), row["replies"], "replies")
        reply = replies[0]
        text = plain_text(reply)
        for words in row["words"]:
            self.assertIn(words, text)
        want = dict(row["header"])
        form = want.pop("Content-Type")
        for name, value in want.items():
            self.assertEqual([unfolded(v) for v in reply.get_all(name, [])],
                             [value] if value else [], name)
        self.assertTrue(unfolded(reply["Content-Type"]).startswith(form),
                        reply["Content-Type"])
        if "parts" in row:
            self.assertEqual([unfolded(p["Content-Type"])
                              for p in reply.get_payload()], row["parts"])
        self.assertEqual(certificates_of(reply), row["keys"])
        self.assertEqual(len(row["keys"]), row["certificates"])

    def test_policy_test_says_what_the_answer_would(self):
        for mail, words in (("exchange-winmail-octets", "winmail.dat is"),
                            ("html-only", "HTML is not read"),
                            ("gzip", "Archives are not opened"),
                            ("outlook-opaque", "Send clear text signed"),
                            ("outlook-encrypted", "unencrypted"),
                            ("hello", None)):
            with self.subTest(mail):
                path = os.path.join(MAILS, mail + ".eml")
                said = self.system.csrmail("policy", "test", path)
                hints = json.loads(self.system.csrmail(
                    "policy", "test", path, "--json"))["hints"]
                if words is None:
                    self.assertNotIn("what to do", said)
                    self.assertEqual(hints, [])
                    continue
                self.assertRegex(said, f"what to do +.*{words}")
                self.assertIn(words, " ".join(hints))

    def test_each_mail_has_the_outcome_that_the_table_says(self):
        alive = self.lasting_roles()
        with open(os.path.join(MAILS, "expected.json"),
                  encoding="utf-8") as f:
            rows = json.load(f)
        mails = originals()
        self.assertEqual(sorted(mails), sorted(r["mail"] for r in rows))
        self.lay_in([(row["mail"], mails[row["mail"]]) for row in rows])
        folders = self.folders()
        # Replies of each are there once the last certificates are.
        self.wait_outbox_empty()
        for row in rows:
            with self.subTest(row["mail"]):
                self.compare(row, folders.get(row["mail"]))
        self.assertEqual(self.lasting_roles(), alive)

    def wait_outbox_empty(self):
        def ask():
            waiting = [r for r in self.system.rows("mail", "list", "queued")
                       if "guest-" in r["recipient"]]
            approved = self.store("SELECT count(*) FROM request WHERE state "
                                  "= 'approved'")[0][0]
            return not waiting and approved == 0
        wait_for("all answered", ask, 120)

    def store(self, sql):
        path = self.system.env["STORE"]
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()

    def test_mutated_mails_yield_no_other_certificate(self):
        """Each has a Message-ID of its own, so that none is one seen."""
        alive = self.lasting_roles()
        with open(os.path.join(MAILS, "requests.txt"),
                  encoding="ascii") as f:
            known = set(f.read().split())
        last = self.store("SELECT coalesce(max(id), 0) FROM request")[0][0]
        mails = []
        for n, (name, octets) in enumerate(mutations(
                4, int(os.environ.get("MAIL_MUTATIONS", "200")))):
            octets = octets.replace(f"<{name}.2026@".encode(),
                                    f"<{name}.{n}.mutated@".encode())
            # IMAP carries no NUL.
            mails.append((f"mutation-{n}", octets.replace(b"\0", b"?")))
        self.lay_in(mails)
        folders = self.folders()
        for mark, _ in mails:
            self.assertIn(mark, folders)
        wait_for("all decided", lambda: self.store(
            "SELECT count(*) FROM request WHERE state = 'approved'"
        )[0][0] == 0, 120)
        for number, der in self.store("SELECT id, csr FROM request WHERE "
                                      f"state = 'issued' AND id > {last}"):
            self.assertIn(hashlib.sha256(der).hexdigest(), known, number)
        self.assertEqual(self.lasting_roles(), alive)


if __name__ == "__main__":
    unittest.main(verbosity=2)
