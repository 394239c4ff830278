#!/usr/bin/env python3
"""Who works in a state_dir, and who comes while they do.

csrmaild waits some seconds for a command that has the lock, says so, and goes
on; or ends with a message and EX_TEMPFAIL. A ceremony and a command without
the daemon wait for each other and for a csrmaild that is stopping; they do not
wait for one that runs.

    state_lock.py BINDIR
"""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import unittest

BIN = None
DEADLINE_S = 60
EX_TEMPFAIL = 75


class Lock(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="state-lock.")
        self.addCleanup(place.cleanup)
        self.dir = place.name
        with open(f"{self.dir}/password", "w", encoding="ascii") as file:
            os.chmod(file.fileno(), 0o600)
            file.write("secret\n")
        subprocess.run(
            [f"{BIN}/csrmail", "init", "--yes", "--unprivileged",
             "--conf-dir", f"{self.dir}/etc", "--state-dir",
             f"{self.dir}/state", "--run-dir", f"{self.dir}/run",
             "--ocspd-dir", f"{self.dir}/ocspd", "--name", "Lock",
             "--address", "ca@example.test", "--imap-host", "127.0.0.1",
             "--imap-tls", "none", "--imap-port", "1",
             "--smtp-host", "127.0.0.1", "--smtp-port", "1",
             "--smtp-tls", "none", "--user", "ca",
             "--password-file", f"{self.dir}/password",
             "--authserv-id", "mail.example.test",
             "--ocsp-url", "http://127.0.0.1:1/",
             "--ocsp-listen", "127.0.0.1:0",
             "--health-listen", "127.0.0.1:0"],
            check=True, stdout=subprocess.DEVNULL)
        # pylint: disable=consider-using-with
        self.lock = open(f"{self.dir}/state/lock", "r+b")
        self.addCleanup(self.lock.close)
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def start(self, *words):
        # pylint: disable=consider-using-with
        program = subprocess.Popen(
            [f"{BIN}/{words[0]}", "-c", f"{self.dir}/etc/csrmaild.conf",
             *words[1:]], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        self.addCleanup(self.end, program)
        return program

    def end(self, program):
        if program.poll() is None:
            program.kill()
        program.communicate()

    def read_until(self, program, text):
        """What stands on standard error, to the line with the text."""
        lines = []
        for line in program.stderr:
            lines.append(line)
            if text in line:
                return line
        self.fail(f"{text!r} is not in {''.join(lines)!r}")

    def release(self):
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def finish(self, program):
        out, said = program.communicate(timeout=DEADLINE_S)
        return program.returncode, out + said

    def test_csrmaild_waits_for_a_command_and_says_for_which(self):
        daemon = self.start("csrmaild", "-W")
        line = self.read_until(daemon, "lock.waiting")
        self.assertIn(f"process {os.getpid()}", line)
        self.release()
        code, said = self.finish(daemon)
        self.assertEqual(code, 0, said)
        self.assertIn("signer", said)

    def test_csrmaild_ends_when_it_takes_too_long(self):
        code, said = self.finish(self.start("csrmaild"))
        self.assertEqual(code, EX_TEMPFAIL, said)
        self.assertIn("another csrmaild or a ceremony works here", said)
        self.assertIn(f"process {os.getpid()}", said)

    def test_a_ceremony_waits_for_one_that_is_about_to_end(self):
        ceremony = self.start("csrmail", "ca", "create-root", "other",
                              "--subject", "CN=Other", "--passphrase-file",
                              f"{self.dir}/password")
        line = self.read_until(ceremony, "waiting for")
        self.assertIn(f"process {os.getpid()}", line)
        self.release()
        code, said = self.finish(ceremony)
        self.assertEqual(code, 0, said)

    def test_a_ceremony_does_not_wait_for_a_daemon_that_runs(self):
        with socket.socket(socket.AF_UNIX) as api:
            os.makedirs(f"{self.dir}/run", exist_ok=True)
            api.bind(f"{self.dir}/run/api.sock")
            api.listen(8)
            code, said = self.finish(self.start(
                "csrmail", "ca", "rekey-passphrase", "users"))
        self.assertEqual(code, EX_TEMPFAIL, said)
        self.assertIn("csrmaild", said)
        self.assertNotIn("waiting for", said)

    def test_a_command_without_the_daemon_waits_too(self):
        command = self.start("csrmail", "crl", "show")
        self.read_until(command, "waiting for")
        self.release()
        code, said = self.finish(command)
        self.assertEqual(code, 0, said)


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop())
    unittest.main(verbosity=2)
