"""Mail servers that misbehave: csrmaild keeps its deadlines, does not spin,
shows no credential in clear, says what is wrong, goes on with the others, and
delivers when they are well again.

    test_fake_servers.py        (CSRMAIL_BIN: the folder of the programs)

A daemon of its own, unprivileged, between the servers of
tests/support/fake_mail.py; no real mail server.
"""

import base64
import email.message
import email.policy
import email.utils
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "support"))
from fake_mail import SMTP_FAILURES, SMTP_STAGES, FakeImap, FakeSmtp  # noqa
from system import certificates_in, run, wait_for  # noqa

BIN = os.environ["CSRMAIL_BIN"]
PASSWORD = "a-password-of-the-fake"
TOKEN = "a.token-of-the.fake"
LOGINS = {f"ca {PASSWORD}", f'"ca" "{PASSWORD}"', f"\0ca\0{PASSWORD}",
          f"user=ca\1auth=Bearer {TOKEN}\1\1"}
TIMEOUT_S = 2           # of one command
DEADLINE_S = 120        # only a broken system meets it
ATTEMPTS = 2            # that a wrong server must have seen
COMMANDS_A_SECOND = 30  # that no server is asked more of
CPU_SHARE = 0.4        # of one processor, that nobody may use for longer

# What goes wrong: how TLS is asked for, and what `csrmail status` then says of
# the mailbox. None: it works all the same.
BEFORE_LOGIN = {
    "PREAUTH": ("starttls", "PREAUTH"),
    "BYE at greeting": ("starttls", "too busy"),
    "garbage": ("starttls", "IMAP"),
    "drip the greeting": ("starttls", "in time"),
    "flood": ("starttls", "larger than it can be"),
    "no STARTTLS": ("starttls", "does not offer"),
    "NO to STARTTLS": ("starttls", "not today"),
    "octets behind STARTTLS": ("starttls", "STARTTLS"),
    "mute": ("implicit", "in time"),
    "close at connect": ("implicit", "TLS: "),
    "expired certificate": ("implicit", "expired"),
    "wrong name": ("starttls", "mismatch"),
    "wrong password": ("starttls", "wrong, says the fake"),
    "NO to everything": ("implicit", "out of order"),
}
AFTER_LOGIN = {
    "BYE at CAPABILITY": ("implicit", "going down"),
    "BYE at LOGIN": ("implicit", "going down"),
    "BYE at SELECT": ("implicit", "going down"),
    "BYE at FETCH": ("implicit", "going down"),
    "mute at SELECT": ("implicit", "in time"),
    "garbage at FETCH": ("implicit", "IMAP"),
    "cut in a literal": ("starttls", "closed"),
    "drip a literal": ("starttls", "in time"),
    "literal of 4 GB": ("implicit", "larger than it can be"),
    "literal too long": ("implicit", "in time"),
    "literal too short": ("implicit", "IMAP"),
    "no such folder": ("implicit", "no such folder"),
    "sizes too small": ("implicit", None),
    "sizes twice": ("implicit", None),
    "news that is none": ("implicit", None),
}


# 5xx to these is about the mail, and final (RFC 5321, 4.2.1).
FINAL = ("MAIL 5xx", "RCPT 5xx", "DATA 5xx", "dot 5xx")


class Keys:
    """Certificates for the fakes, and their CA's."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = f"{folder}/ca.crt"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=Fake CA", "-keyout", f"{folder}/ca.key", "-out", self.ca)
        self.good = self.make("good", "DNS:localhost,IP:127.0.0.1", 30)
        self.expired = self.make("expired", "IP:127.0.0.1", -1)
        self.other = self.make("other", "DNS:other.example.test", 30)

    def make(self, name, names, days):
        path = f"{self.folder}/{name}"
        run("openssl", "req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{path}.key", "-out", f"{path}.csr")
        with open(f"{path}.ext", "w") as file:
            file.write(f"subjectAltName={names}\n")
        run("openssl", "x509", "-req", "-in", f"{path}.csr", "-CA", self.ca,
            "-CAkey", f"{self.folder}/ca.key", "-CAcreateserial", "-days",
            str(days), "-extfile", f"{path}.ext", "-out", f"{path}.crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{path}.crt", f"{path}.key")
        return context


def cpu_s(pid):
    """Processor time that it has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class FakeServers(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="csrmail-fakes.",
                                            ignore_cleanup_errors=True)
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.keys = Keys(self.place)
        self.servers = []
        self.daemon = None
        for name, text in (("password", PASSWORD), ("token", TOKEN)):
            self.write(name, text, 0o600)
        self.write("get-token", "#!/bin/sh\necho '{\"access_token\": \""
                   f"{TOKEN}\", \"expires_in\": 3600}}'\n", 0o755)
        run(f"{BIN}/csrmail", "init", "--yes", "--unprivileged",
            "--conf-dir", f"{self.place}/etc",
            "--state-dir", f"{self.place}/state",
            "--run-dir", f"{self.place}/run",
            "--ocspd-dir", f"{self.place}/ocspd",
            "--name", "Fakes", "--address", "ca@example.test",
            "--imap-host", "127.0.0.1", "--imap-tls", "none",
            "--imap-port", "1", "--smtp-host", "127.0.0.1",
            "--smtp-port", "1", "--smtp-tls", "none", "--user", "ca",
            "--password-file", f"{self.place}/password",
            "--authserv-id", "mail.example.test",
            "--ocsp-url", "http://127.0.0.1:1/",
            "--ocsp-listen", "127.0.0.1:0",
            "--health-listen", "127.0.0.1:0")

    def tearDown(self):
        self.stop()
        for server in self.servers:
            server.close()
        log = f"{self.place}/log"
        secrets = [PASSWORD, TOKEN] + [
            base64.b64encode(login.encode()).decode() for login in LOGINS]
        with open(log) as file:
            said = file.read()
        for secret in secrets:
            self.assertNotIn(secret, said)
            for server in self.servers:
                self.assertNotIn(secret.encode(), server.clear)

    def write(self, name, text, mode):
        path = f"{self.place}/{name}"
        with open(path, "w") as file:
            file.write(text + "\n")
        os.chmod(path, mode)
        return path

    # --- the daemon -----------------------------------------------------------

    def server_section(self, server, tls, login):
        section = [f'host = "127.0.0.1"', f"port = {server.port}",
                   f"tls = {tls}", f'ca_file = "{self.keys.ca}"',
                   'user = "ca"', f"timeout_s = {TIMEOUT_S}"]
        if login == "password":
            section.append(f'password_file = "{self.place}/password"')
        elif login == "token file":
            section += ["auth = xoauth2",
                        f'token_file = "{self.place}/token"']
        else:
            section += ["auth = xoauth2",
                        f'token_command = {{"{self.place}/get-token"}}']
        return "\n".join(section)

    def configure(self, imaps, smtp, smtp_tls, login="password",
                  more_smtp=""):
        """imaps: {title: (server, tls)}."""
        with open(f"{self.place}/etc/csrmaild.conf") as file:
            shipped = file.read()
        kept = []
        for line in shipped.splitlines():
            if line.startswith(("smtp {", 'mailbox "')):
                kept.append(None)
            elif line == "}" and None in kept:
                kept.remove(None)
                continue
            if None not in kept:
                kept.append(line)
        conf = "\n".join(kept) + "\nsmtp {\n" + self.server_section(
            smtp, smtp_tls, login) + more_smtp + "\n}\n"
        for title, (server, tls) in imaps.items():
            conf += f"""
mailbox "{title}" {{
    address = "ca@example.test"
    ca = "users"
    rules = "staff"
    authserv_id = "mail.example.test"
    poll_interval_s = 1
    imap {{
{self.server_section(server, tls, login)}
    }}
}}
"""
        with open(f"{self.place}/etc/fakes.conf", "w") as file:
            file.write(conf)
        os.chmod(f"{self.place}/etc/fakes.conf", 0o644)

    def start(self, **environment):
        with open(f"{self.place}/log", "ab") as log:
            self.daemon = subprocess.Popen(
                [f"{BIN}/csrmaild", "-c", f"{self.place}/etc/fakes.conf"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **environment})
        wait_for("csrmaild answers", self.status)

    def stop(self):
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.assertEqual(self.daemon.wait(timeout=60), 0)
            self.daemon = None

    def status(self):
        done = subprocess.run(
            [f"{BIN}/csrmail", "-c", f"{self.place}/etc/fakes.conf",
             "status", "--json"], timeout=60, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        return json.loads(done.stdout) if done.returncode in (0, 1) and \
            done.stdout else None

    def roles(self):
        """{"intake", ...: [pid, ...]} of our daemon."""
        found = {}
        with open(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children"
                  ) as file:
            for pid in file.read().split():
                with open(f"/proc/{pid}/cmdline", "rb") as words:
                    name = words.read().decode().split("\0")[1]
                found.setdefault(name, []).append(int(pid))
        return found

    def imap(self, **options):
        server = FakeImap(options.pop("tls", self.keys.good), LOGINS,
                          **options)
        self.servers.append(server)
        return server

    def smtp(self, **options):
        server = FakeSmtp(self.keys.good, LOGINS, **options)
        self.servers.append(server)
        return server

    # --- mail -------------------------------------------------------------------

    def request(self, server):
        """Lay a good request into the fake's INBOX; who sent it."""
        person = f"{uuid.uuid4().hex[:12]}@example.test"
        csr = run("openssl", "req", "-new", "-nodes", "-newkey", "ec",
                  "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout",
                  f"{self.place}/key", "-subj", f"/CN={person}", "-addext",
                  f"subjectAltName=email:{person}")
        mail = email.message.EmailMessage()
        mail["Authentication-Results"] = \
            "mail.example.test; dkim=pass header.d=example.test " \
            "header.i=@example.test"
        mail["From"], mail["To"] = person, "ca@example.test"
        mail["Subject"] = "A certificate, please"
        mail["Date"] = email.utils.formatdate()
        mail["Message-ID"] = f"<{uuid.uuid4()}@example.test>"
        mail.set_content(csr[csr.index("-----BEGIN"):])
        server.deliver(mail.as_bytes(policy=email.policy.SMTP))
        return person

    def taken(self, smtp, person):
        """The replies with a certificate that the SMTP server has taken."""
        return [octets for recipient, octets in smtp.taken
                if recipient == person and certificates_in(
                    email.message_from_bytes(octets,
                                             policy=email.policy.default))]

    def wait_certificate(self, smtp, person, what):
        wait_for(f"the certificate of {what}",
                 lambda: self.taken(smtp, person), DEADLINE_S)

    # --- IMAP ---------------------------------------------------------------------

    def says(self, title, words):
        """Does the status of that mailbox say so, and when comes the next
        attempt?"""
        state = self.status()["mailboxes"][title]
        self.said = state   # for whoever asks why
        return not state["connected"] and words in state["answer"] and \
            state["next_attempt"] is not None

    def troubles(self, title):
        """With single messages of that mailbox."""
        return self.status()["mailboxes"][title].get("trouble", "")

    def misbehave(self, modes):
        tls = {"expired certificate": self.keys.expired,
               "wrong name": self.keys.other}
        smtp = self.smtp()
        well = self.imap(implicit=True)
        imaps = {"well": (well, "implicit")}
        for mode, (how, _) in modes.items():
            server = self.imap(tls=tls.get(mode, self.keys.good),
                               implicit=how == "implicit")
            server.mode = mode
            imaps[mode] = (server, how)
        people = {title: self.request(server)
                  for title, (server, _) in imaps.items()}
        self.configure(imaps, smtp, "starttls")
        self.start()
        begin = time.monotonic()
        pids = self.roles()["intake"]
        before = {pid: cpu_s(pid) for pid in pids}

        # The one that is well does not wait for the others.
        self.wait_certificate(smtp, people["well"], "the mailbox that is "
                              "well")
        for mode, (_, words) in modes.items():
            with self.subTest(mode):
                if words is None:
                    self.wait_certificate(smtp, people[mode], mode)
                    continue
                wait_for(f"status says \"{words}\" of {mode}",
                         lambda m=mode, w=words: self.says(m, w), DEADLINE_S)
                wait_for(f"{ATTEMPTS} attempts at {mode}", lambda m=mode:
                         len(imaps[m][0].connections) >= ATTEMPTS,
                         DEADLINE_S)
                if mode == "cut in a literal":
                    wait_for("status says which message", lambda m=mode:
                             "cannot be fetched: FETCH" in self.troubles(m),
                             DEADLINE_S)
                # The back-off keeps attempts apart, the first two too.
                times = imaps[mode][0].connections
                self.assertGreater(times[1] - times[0], 0.4, mode)
                self.assertEqual(self.taken(smtp, people[mode]), [], mode)
        again = self.request(well)
        self.wait_certificate(smtp, again, "the mailbox that is well")
        wall = time.monotonic() - begin
        self.assertEqual(sorted(self.roles()["intake"]), sorted(pids))
        for mode, (server, _) in imaps.items():
            self.assertLess(server.commands / wall, COMMANDS_A_SECOND, mode)
        for pid in pids:
            used = cpu_s(pid) - before[pid]
            with open(f"/proc/{pid}/cmdline") as file:
                who = file.read().split("\0")
            self.assertLess(used / wall, CPU_SHARE, f"{who}: {used} s")

        for mode, (server, _) in imaps.items():
            server.mode = ""
            if mode in tls:     # a new certificate
                server.tls = self.keys.good
        for title, person in people.items():
            with self.subTest(title):
                self.wait_certificate(smtp, person, title)
                self.assertEqual(len(self.taken(smtp, person)), 1, title)
                wait_for(f"{title} filed", lambda t=title:
                         imaps[t][0].filed.get("Processed"))
        wait_for("all mailboxes are connected", lambda: all(
            m["connected"] for m in self.status()["mailboxes"].values()))

    def test_imap_servers_that_are_wrong_before_the_login(self):
        self.misbehave(BEFORE_LOGIN)
        for server in self.servers:
            if isinstance(server, FakeImap):
                self.assertNotIn(b"LOGIN", server.clear.replace(
                    b"LOGINDISABLED", b""))
                self.assertNotIn(b"AUTHENTICATE", server.clear)

    def test_imap_servers_that_are_wrong_after_the_login(self):
        self.misbehave(AFTER_LOGIN)

    def test_a_message_that_cannot_be_filed_stays_and_is_answered_once(self):
        smtp, imap = self.smtp(), self.imap(implicit=True)
        imap.mode = "NO to MOVE"
        person = self.request(imap)
        self.configure({"users": (imap, "implicit")}, smtp, "starttls")
        self.start()
        self.wait_certificate(smtp, person, "the mail")
        second = self.request(imap)
        self.wait_certificate(smtp, second, "the second mail")
        wait_for("status says why", lambda: "2 not filed in Processed: MOVE: "
                 "the server answered \"the folder is full" in
                 self.troubles("users"))
        self.assertIn("mailbox users: 2 not filed in Processed",
                      "\n".join(self.status()["trouble"]))
        imap.uid_validity += 1      # another name for the same mails
        imap.mode = ""
        wait_for("both filed",
                 lambda: len(imap.filed.get("Processed", [])) == 2)
        self.assertEqual(imap.inbox, {})
        wait_for("that is over", lambda: self.troubles("users") == "")
        for one in (person, second):
            self.assertEqual(len(self.taken(smtp, one)), 1)

    # --- SMTP -------------------------------------------------------------------------

    def fail_everywhere(self, smtp_tls, login, skip=()):
        smtp = self.smtp(implicit=smtp_tls == "implicit")
        imap = self.imap(implicit=True)
        self.configure({"users": (imap, "implicit")}, smtp, smtp_tls, login)
        self.start()
        submit = self.roles()["submit"][0]
        waiting, begin, before = {}, time.monotonic(), cpu_s(submit)
        # What is final goes first, while nothing else waits to be sent.
        modes = list(FINAL) + [
            f"{stage} {failure}" for stage in SMTP_STAGES
            for failure in SMTP_FAILURES if stage not in skip and
            f"{stage} {failure}" not in FINAL]
        for mode in modes:
            # Before the server took it, nothing was accepted.
            if not mode.startswith("QUIT"):
                self.assertEqual(smtp.taken, [], smtp.mode)
            smtp.mode = mode
            failed = smtp.failed
            waiting[mode] = self.request(imap)
            wait_for(f"{mode} happened", lambda f=failed: smtp.failed > f,
                     DEADLINE_S)
        smtp.mode = "no STARTTLS"
        if smtp_tls == "starttls":
            connections = len(smtp.connections)
            waiting[smtp.mode] = self.request(imap)
            wait_for("status says it", lambda: "does not offer STARTTLS" in
                     self.status()["smtp"]["answer"], DEADLINE_S)
            self.assertGreater(len(smtp.connections), connections)
        wall = time.monotonic() - begin
        self.assertLess((cpu_s(submit) - before) / wall, CPU_SHARE)
        self.assertEqual(self.roles()["submit"], [submit])
        self.assertEqual(smtp.unauthenticated, 0)

        # It is well again, and some hours have passed.
        self.stop()
        smtp.mode = ""
        self.start(CSRMAIL_TEST_CLOCK_OFFSET_S=str(6 * 3600))
        for mode, person in waiting.items():
            with self.subTest(mode):
                if mode in FINAL:
                    self.assertEqual(self.taken(smtp, person), [])
                    continue
                self.wait_certificate(smtp, person, mode)
                self.assertEqual(len(self.taken(smtp, person)), 1)
        wait_for("the mail server is well",
                 lambda: self.status()["smtp"]["connected"])

    def test_smtp_by_starttls_with_a_password_fails_at_every_stage(self):
        self.fail_everywhere("starttls", "password")

    def test_smtp_by_implicit_tls_with_a_token_fails_at_every_stage(self):
        self.fail_everywhere("implicit", "token command",
                             skip=("STARTTLS",))

    def test_several_sessions_send_each_mail_once(self):
        smtp, imap = self.smtp(), self.imap(implicit=True)
        self.configure({"users": (imap, "implicit")}, smtp, "starttls",
                       more_smtp="\nsessions = 4")
        smtp.mode = "banner mute"   # so that all sessions have some to do
        people = [self.request(imap) for _ in range(20)]
        self.start()
        wait_for("four sessions at once",
                 lambda: len(smtp.connections) >= 4, DEADLINE_S)
        self.assertEqual(len(self.roles()["submit"]), 4)
        smtp.mode = ""
        for person in people:
            self.wait_certificate(smtp, person, person)
        for person in people:
            self.assertEqual(len(self.taken(smtp, person)), 1)
        smtp.mode = "close at connect"
        self.request(imap)      # which is one session's to send
        told = wait_for("each session is told", lambda: self.status().get(
            "smtp_sessions"), DEADLINE_S)
        self.assertGreater(len({(s["connected"], s["answer"])
                                for s in told}), 1)

    def test_a_token_file_may_change_while_we_run(self):
        smtp, imap = self.smtp(implicit=True), self.imap(implicit=True)
        self.write("token", "an-old-token", 0o600)
        person = self.request(imap)
        self.configure({"users": (imap, "implicit")}, smtp, "implicit",
                       "token file")
        self.start()
        wait_for("status says that it is refused", lambda: self.says(
            "users", "wrong, says the fake"), DEADLINE_S)
        # As a tool that renews tokens does.
        os.rename(self.write("token.new", TOKEN, 0o600),
                  f"{self.place}/token")
        self.wait_certificate(smtp, person, "the mail")


if __name__ == "__main__":
    unittest.main(verbosity=2)
