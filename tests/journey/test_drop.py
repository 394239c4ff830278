"""A folder as a mailbox, beside one on a server: requests and mails lie in it
as files, answers come as files (RFC 10003, section 4); and `csrmail mail
submit`. By the users and walls of a real installation."""

import email
import email.policy
import json
import os
import shutil
import subprocess
import time
import unittest
import uuid

from system import (certificates_in, compose, run, running_system, text_of,
                    wait_for)

OWNER = "nobody"    # drops the files; no user of csrmail's
RULES = """
rule "dropped" {
	evidence = { "file" }
	dns = { "*.drop.test" }
	cn = { "*", "@san" }
	profile = "tls-server"
	action = sign
}
rule "refused" {
	dns = { "*.forbidden.test" }
	action = reject
	text = "not from here"
}
"""
MAILBOX = """
mailbox "drop" {{
	address = "drop@example.test"
	ca = "users"
	rules = "drop"
	profile = "tls-server"
	inbox = "dir:{inbox}"
	outbox = "dir:{outbox}"
	poll_interval_s = 2
	max_message_octets = 1048576
}}
"""


class Folder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.conf = f"{cls.system.folder}/etc/csrmaild.conf"
        cls.place = f"{cls.system.folder}/drop-{uuid.uuid4().hex[:6]}"
        cls.inbox, cls.outbox = f"{cls.place}/in", f"{cls.place}/out"
        os.mkdir(cls.place, 0o755)
        for folder in (cls.inbox, cls.outbox):
            os.mkdir(folder)
            shutil.chown(folder, "csrmail-imap", "csrmail-imap")
        # As docs/guide/drop-folder.md: who drops may not take away.
        os.chmod(cls.inbox, 0o3777)
        os.chmod(cls.outbox, 0o755)
        with open(cls.conf) as file:
            cls.shipped = file.read()
        rules = f"{cls.system.folder}/etc/policies/rules/drop.conf"
        with open(rules, "w") as file:
            file.write(RULES)
        cls.system.heal()
        cls.addClassCleanup(cls.restore)
        cls.put(cls.shipped + MAILBOX.format(inbox=cls.inbox,
                                             outbox=cls.outbox))

    @classmethod
    def restore(cls):
        cls.system.heal()
        cls.put(cls.shipped)

    @classmethod
    def put(cls, conf):
        before = cls.system.roles().get("intake")
        with open(cls.conf, "w") as file:
            file.write(conf)
        cls.system.csrmail("reload")
        wait_for("new roles", lambda: cls.system.roles().get(
            "intake", before) != before)
        wait_for("csrmail status is good", cls.system.is_ready)

    def setUp(self):
        os.chmod(self.outbox, 0o755)
        self.system.heal()
        self.name = f"host-{uuid.uuid4().hex[:10]}"

    # --- files --------------------------------------------------------------

    def csr(self, form="PEM", name=None, domain="drop.test"):
        host = f"{name or self.name}.{domain}"
        return self.system.csr(f"DNS:{host}", cn=host, form=form)

    def drop(self, ending, content, name=None, hidden=False):
        """As somebody else, like an editor or like cp."""
        path = f"{self.inbox}/{name or self.name}{ending}"
        at = f"{self.inbox}/.{uuid.uuid4().hex}" if hidden else path
        with open(at, "wb") as file:
            file.write(content if isinstance(content, bytes)
                       else content.encode())
        shutil.chown(at, OWNER)
        os.chmod(at, 0o644)
        if hidden:
            os.rename(at, path)
        return path

    def answer(self, ending, name=None, binary=False):
        path = f"{self.outbox}/{name or self.name}{ending}"
        wait_for(os.path.basename(path), lambda: os.path.exists(path))
        with open(path, "rb") as file:
            return file.read() if binary else file.read().decode()

    def answers(self, name=None):
        return sorted(f for f in os.listdir(self.outbox)
                      if f.startswith((name or self.name) + "."))

    def filed(self, name):
        """The folder that a file was moved to; None: still in the inbox."""
        for folder in ("Processed", "Held", "Rejected", "Unreadable"):
            if os.path.exists(f"{self.inbox}/{folder}/{name}"):
                return folder
        return None

    def wait_filed(self, name, deadline_s=60):
        return wait_for(f"{name} filed", lambda: self.filed(name),
                        deadline_s)

    def requests(self, name=None):
        return [row for row in self.system.rows("request", "list", "all")
                if f"{name or self.name}." in row.get("names", "")]

    def mailbox(self):
        return json.loads(self.system.csrmail(
            "status", "--json", check=False))["mailboxes"]["drop"]

    def own_mail(self, content, attachment=None):
        user = self.system.new_person()
        return user, compose(user, content, attachment=attachment)

    # --- requests -------------------------------------------------------------

    def test_a_request_in_der_becomes_three_files(self):
        self.drop(".p10", self.csr("DER"), hidden=True)
        pem = self.answer(".pem")
        text = self.answer(".txt")
        p7c = self.answer(".p7c", binary=True)
        self.assertIn("OK", self.system.verify(pem))
        shown = run("openssl", "pkcs7", "-inform", "DER", "-print_certs",
                    "-in", f"{self.outbox}/{self.name}.p7c")
        self.assertEqual(shown.count("BEGIN CERTIFICATE"), 3)
        self.assertTrue(p7c)
        self.assertIn(f"{self.name}.pem", text)
        self.assertIn(f"{self.name}.p7c", text)
        self.assertNotIn("\r", text + pem)
        self.assertNotIn("mail", text.split("How to install")[0])
        self.assertEqual(self.wait_filed(f"{self.name}.p10"), "Processed")
        self.assertEqual(self.answers(), [f"{self.name}.{e}" for e in
                                          ("p7c", "pem", "txt")])
        [row] = self.requests()
        self.assertEqual(
            [row[k] for k in ("state", "channel", "principal", "evidence",
                              "rule")],
            ["issued", "file", f"file:{OWNER}", "file", "dropped"])

    def test_every_name_of_a_request_is_read(self):
        for ending in (".csr", ".CRQ", ".req", ".pem", ".der"):
            with self.subTest(ending):
                name = f"{self.name}{ending[1:].lower()}"
                self.drop(ending, self.csr("DER" if ending == ".der" else
                                           "PEM", name), name)
                self.assertIn("BEGIN CERTIFICATE",
                              self.answer(".pem", name))
                self.assertEqual(self.wait_filed(name + ending),
                                 "Processed")

    def test_two_requests_in_one_file_have_their_own_certificates(self):
        self.drop(".pem", self.csr(name=f"{self.name}.a") +
                  self.csr(name=f"{self.name}.b"))
        text = self.answer(".txt")
        numbers = sorted(row["id"] for row in self.requests())
        self.assertEqual(len(numbers), 2)
        for number in numbers:
            self.assertIn(f"{self.name}.{number}.pem", text)
            self.assertIn("OK", self.system.verify(
                self.answer(f".{number}.pem")))
        self.assertEqual(len(self.answers()), 5)

    def test_what_is_broken_is_answered_and_filed(self):
        for name, octets, folder, words in (
                ("noise", os.urandom(700), "Rejected", "neither PEM"),
                ("empty", b"", "Rejected", "neither PEM"),
                ("cut", self.csr("DER")[:-7], "Rejected", ""),
                ("large", b"\0" * (2 << 20), "Rejected", "2097152 octets"),
                ("key", self.key_file(), "Rejected", "private key")):
            with self.subTest(name):
                name = f"{self.name}-{name}"
                self.drop(".p10", octets, name)
                self.assertIn(words, self.answer(".txt", name))
                self.assertEqual(self.wait_filed(f"{name}.p10"), folder)
                self.assertEqual(self.answers(name), [f"{name}.txt"])

    def key_file(self):
        return run("openssl", "ecparam", "-name", "prime256v1", "-genkey",
                   "-noout").encode()

    def test_what_policy_refuses_or_holds_is_said_and_decided_later(self):
        self.drop(".p10", self.csr("DER", f"{self.name}-no",
                                   "forbidden.test"), f"{self.name}-no")
        self.assertIn("not from here", self.answer(".txt",
                                                   f"{self.name}-no"))
        self.assertEqual(self.wait_filed(f"{self.name}-no.p10"), "Rejected")
        self.drop(".p10", self.csr("DER", domain="elsewhere.test"))
        held = self.answer(".txt")
        self.assertIn("waits for a person", held)
        self.assertEqual(self.wait_filed(f"{self.name}.p10"), "Held")
        [row] = self.requests()
        self.system.csrmail("request", "approve", str(row["id"]))
        pem = self.answer(".pem")
        self.assertIn("OK", self.system.verify(pem))
        # The first word stays as it was said.
        later = self.answer(f".{row['id']}.txt")
        self.assertIn(f"{self.name}.pem", later)
        self.assertEqual(self.answer(".txt"), held)
        # And the last: that it was revoked.
        self.system.revoke(pem, "superseded")
        wait_for("the notice", lambda: len(self.answers()) == 5)
        notice = [f for f in self.answers()
                  if f.endswith(".txt") and f not in (
                      f"{self.name}.txt", f"{self.name}.{row['id']}.txt")]
        self.assertEqual(len(notice), 1, self.answers())
        self.assertIn("revoked", self.answer("", notice[0]))

    def test_the_same_request_again_is_another_beside_the_first(self):
        csr = self.csr("DER")
        self.drop(".p10", csr)
        first = self.answer(".pem")
        self.wait_filed(f"{self.name}.p10")
        wait_for("the text", lambda: len(self.answers()) == 3)
        self.drop(".p10", csr)
        wait_for("a second request", lambda: len(self.requests()) == 2)
        number = max(row["id"] for row in self.requests())
        second = self.answer(f".{number}.pem")
        self.assertNotEqual(first, second)
        self.assertEqual(self.answer(".pem"), first)
        note = self.answer(f".{number}.txt")
        self.assertIn(f"{self.name}.pem is called {self.name}.{number}.pem",
                      note)
        self.assertEqual(self.wait_filed(f"{self.name}.p10.2"), "Processed")

    # --- mails ------------------------------------------------------------------

    def test_a_mail_in_a_file_is_answered_with_a_mail(self):
        user, mail = self.own_mail(None, (
            self.csr("DER"), "application/pkcs10", "request.p10"))
        self.drop(".eml", mail.as_bytes(policy=email.policy.SMTP))
        reply = email.message_from_string(self.answer(".eml"),
                                          policy=email.policy.default)
        self.assertEqual(reply["To"], user.address)
        self.assertEqual(reply["In-Reply-To"], mail["Message-ID"])
        self.assertEqual(len(certificates_in(reply)), 1)
        self.assertEqual(self.wait_filed(f"{self.name}.eml"), "Processed")
        self.assertEqual(user.replies(mail["Message-ID"]), [])
        [row] = self.requests()
        self.assertEqual((row["principal"], row["evidence"],
                          row["channel"]),
                         (f"mail:{user.address}", "file", "file"))
        # The same mail again is known, and nothing is answered twice.
        self.drop(".eml", mail.as_bytes(policy=email.policy.SMTP),
                  f"{self.name}-again")
        self.wait_filed(f"{self.name}-again.eml")
        self.assertEqual(len(self.requests()), 1)
        self.assertEqual(self.answers(f"{self.name}-again"), [])

    # --- files that are none --------------------------------------------------------

    def test_links_pipes_and_unfinished_files_stay_where_they_are(self):
        outside = f"{self.place}/outside-{self.name}"
        with open(outside, "wb") as file:
            file.write(self.csr("DER"))
        os.symlink(outside, f"{self.inbox}/{self.name}-symbolic.p10")
        os.mkfifo(f"{self.inbox}/{self.name}-pipe.p10")
        os.link(outside, f"{self.inbox}/{self.name}-hard.p10")
        self.drop(".p10.part", self.csr("DER"), f"{self.name}-part")
        self.drop(".p10", self.csr("DER"), f".{self.name}-hidden")
        odd = os.fsencode(f"{self.inbox}/{self.name}") + \
            b" \n\xff\xc3\xa4 " + b"x" * 100 + b".p10"
        with open(odd, "wb") as file:
            file.write(self.csr("DER", self.name + "o"))
        self.drop(".p10", self.csr("DER"))
        self.answer(".pem")
        wait_for("the odd name answered", lambda: [
            f for f in os.listdir(self.outbox)
            if f.startswith(self.name + " ") and f.endswith(".pem")])
        left = sorted(f for f in os.listdir(os.fsencode(self.inbox))
                      if os.fsencode(self.name) in f)
        self.assertEqual(left, sorted(os.fsencode(f) for f in (
            f"{self.name}-symbolic.p10", f"{self.name}-pipe.p10",
            f"{self.name}-hard.p10", f"{self.name}-part.p10.part",
            f".{self.name}-hidden.p10")))
        state = self.mailbox()
        self.assertTrue(state["connected"])
        self.assertIn("is not taken", state["answer"])
        for name in left:
            os.unlink(os.path.join(os.fsencode(self.inbox), name))
        wait_for("nothing left to say", lambda: "not taken" not in
                 self.mailbox()["answer"])

    def test_a_file_that_grows_is_read_when_it_has_stopped(self):
        octets = self.csr()
        path = f"{self.inbox}/{self.name}.p10"
        with open(path, "w") as file:
            for part in range(0, len(octets), len(octets) // 6 + 1):
                file.write(octets[part:part + len(octets) // 6 + 1])
                file.flush()
                time.sleep(0.4)    # the subject of the test: a slow writer
        self.assertIn("OK", self.system.verify(self.answer(".pem")))
        self.assertEqual(len(self.requests()), 1)

    # --- trouble ---------------------------------------------------------------------

    def test_answers_wait_for_a_folder_that_cannot_be_written(self):
        shutil.chown(self.outbox, "root")
        self.addCleanup(self.restore_outbox)
        self.drop(".p10", self.csr("DER"))
        self.assertEqual(self.wait_filed(f"{self.name}.p10"), "Processed")
        wait_for("trouble in csrmail status", lambda:
                 not self.mailbox()["connected"])
        self.assertIn("out folder", self.mailbox()["answer"])
        [mail] = wait_for("a mail that waits", lambda: [
            row for row in self.system.rows("mail", "list", "queued")
            if self.name in row["recipient"]])
        # The mailbox on the server is not held up.
        user = self.system.new_person()
        asked = compose(user, user.own_csr())
        user.send(asked)
        user.wait_certificate(asked["Message-ID"])
        self.restore_outbox()
        self.system.csrmail("mail", "retry", str(mail["id"]))
        self.assertIn("OK", self.system.verify(self.answer(".pem")))
        wait_for("no trouble", lambda: self.mailbox()["connected"])

    def restore_outbox(self):
        """Root's before, so that csrmail-imap could not write there."""
        shutil.chown(self.outbox, "csrmail-imap")

    def test_an_inbox_that_cannot_be_changed_is_told_and_mended(self):
        os.chmod(f"{self.inbox}/Processed", 0o500)
        shutil.chown(f"{self.inbox}/Processed", "root")
        self.drop(".p10", self.csr("DER"))
        pem = self.answer(".pem")
        wait_for("trouble in csrmail status", lambda:
                 not self.mailbox()["connected"])
        self.assertTrue(os.path.exists(f"{self.inbox}/{self.name}.p10"))
        shutil.chown(f"{self.inbox}/Processed", "csrmail-imap")
        os.chmod(f"{self.inbox}/Processed", 0o750)
        self.assertEqual(self.wait_filed(f"{self.name}.p10", 120),
                         "Processed")
        # It was recognised: one request, one answer.
        self.assertEqual(len(self.requests()), 1)
        self.assertEqual(len(self.answers()), 3)
        self.assertEqual(self.answer(".pem"), pem)

    def test_a_file_is_finished_after_a_crash_anywhere(self):
        system = self.system
        for point in ("intake.before-submit", "registrar.before-commit",
                      "registrar.after-commit", "intake.before-move",
                      "intake.after-move", "signer.after-journal",
                      "drop.before-rename", "drop.after-rename"):
            with self.subTest(point):
                self.name = f"host-{uuid.uuid4().hex[:10]}"
                system.kill_all()
                daemon = system.start(CSRMAIL_TEST_CRASH_AT=point)
                self.drop(".p10", self.csr("DER"), hidden=True)
                wait_for("the crash", lambda: daemon.poll() is not None)
                wait_for("all roles gone", lambda: not system.roles())
                system.start()
                pem = self.answer(".pem")
                self.assertIn("OK", system.verify(pem))
                self.assertEqual(self.wait_filed(f"{self.name}.p10"),
                                 "Processed")
                wait_for("all answers", lambda: len(self.answers()) >= 3)
                wait_for("csrmail status is good", system.is_ready)
                wait_for("nothing waits", lambda: not [
                    row for row in system.rows("mail", "list", "queued")
                    if self.name in row["recipient"]])
                self.assertEqual(self.answers(), [
                    f"{self.name}.{e}" for e in ("p7c", "pem", "txt")])
                self.assertEqual(len(self.requests()), 1)
                self.assertEqual(
                    [f for f in os.listdir(self.outbox)
                     if f.startswith(".")], [])

    # --- by hand -------------------------------------------------------------------------

    def submit(self, name, octets, *options, code=0):
        path = self.system.file(f"{self.name}{name}", octets)
        done = subprocess.run(
            [*self.system.env["CSRMAIL"].split(), "mail", "submit", path,
             *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def test_a_mail_that_is_handed_in_is_like_one_that_came(self):
        user = self.system.new_person()
        mail = compose(user, user.own_csr())
        octets = self.system.vouched(mail)
        said = self.submit(".eml", octets, "--mailbox", "users")
        self.assertIn("in users: processed", said)
        self.assertIn("issued", said)
        reply, _ = user.wait_certificate(mail["Message-ID"])
        [row] = self.system.requests(user)
        self.assertEqual((row["channel"], row["evidence"], row["state"]),
                         ("cli", "dkim", "issued"))
        # Again: the same submission, and no second reply.
        self.assertIn("it is known", self.submit(
            ".eml", octets, "--mailbox", "users"))
        self.assertEqual(len(self.system.requests(user)), 1)
        self.assertEqual(len(user.replies(mail["Message-ID"])), 1)
        # Standard input is a mail; and what policy would say of a file.
        self.assertIn("it is known", run(
            *self.system.env["CSRMAIL"].split(), "mail", "submit", "-",
            "--mailbox", "users", stdin=octets.decode()))
        self.assertIn("dropped: matches", self.system.csrmail(
            "policy", "test", "--mailbox", "drop", self.system.file(
                f"{self.name}.p10", self.csr("DER"))))
        # Nobody vouches for what has no such field.
        forged = compose(user, user.own_csr()).as_bytes(
            policy=email.policy.SMTP)
        self.assertIn("held", self.submit(".eml", forged, "--mailbox",
                                          "users"))

    def test_what_cannot_be_taken_by_hand_is_said(self):
        self.assertIn("which mailbox", self.submit(".eml", b"x", code=65))
        self.assertIn("no mailbox nowhere", self.submit(
            ".eml", b"x", "--mailbox", "nowhere", code=65))
        self.assertIn("empty", self.submit(".eml", b"", code=65))
        self.assertIn("1048576", self.submit(
            ".eml", b"x" * (2 << 20), "--mailbox", "users", code=65))
        self.assertIn("rejected", self.submit(
            ".eml", b"From: somebody@example.test\r\n\r\nno request",
            "--mailbox", "users", code=65))
        # All of what a mailbox takes passes.
        large = (b"From: somebody@example.test\r\nMessage-ID: <" +
                 uuid.uuid4().hex.encode() + b"@x>\r\n\r\n")
        large += (b"x" * 70 + b"\r\n") * ((1048576 - len(large)) // 72)
        self.assertIn("No certificate signing request", self.submit(
            ".eml", large, "--mailbox", "users", code=65))

    def test_a_request_handed_in_to_a_folder_is_answered_there(self):
        said = self.submit(".p10", self.csr("DER"), "--mailbox", "drop")
        self.assertIn("held", said)     # nothing vouches for it
        [row] = self.requests()
        self.assertEqual((row["principal"], row.get("evidence", "")),
                         ("unix:root", ""))
        self.assertIn("waits for a person", self.answer(".txt"))
        self.system.csrmail("request", "approve", str(row["id"]))
        self.assertIn("OK", self.system.verify(self.answer(".pem")))

    def test_without_a_daemon_it_is_to_be_tried_later(self):
        self.system.kill_all()
        self.assertIn("is it running", self.submit(".eml", b"x", code=75))


if __name__ == "__main__":
    unittest.main(verbosity=2)
