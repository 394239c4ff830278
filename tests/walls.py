"""Each role tries, from inside, what its walls forbid (csrmaild -W, ocspd -W).

    walls.py FOLDER-OF-PROGRAMS

Runs unprivileged, where only Landlock and seccomp stand between a role and
its neighbour's files; as root also with a user for each role.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = None

# All that a role may reach of what it tries; everything else must fail.
REACHED = {
    "csrmaild": {
        "parser": set(),
        "signer": {"open {state}/journal"},
        "sealer": set(),
        "submit": {"socket inet"},
        "api": set(),
        "registrar": {"open {state}/store.db"},
        "intake users": {"socket inet"},
        "intake drop": set(),
        # What it executes keeps its walls.
        "exec": {"socket inet", "exec"},
    },
    "ocspd": {
        "responder": {"open {state}/store.db", "open {ocspd}/keys"},
        "front 0": set(),
        "monitor": set(),
    },
}
TRIED = {
    "csrmaild": {"open {state}/keys", "open {state}/journal",
                 "open {state}/store.db", "open /etc/shadow"},
    "ocspd": {"open {state}/keys", "open {state}/store.db",
              "open {ocspd}/keys", "open /etc/shadow"},
}
TRIED_BY_ALL = {"socket inet", "socket unix", "socket packet", "socket vsock",
                "exec", "ptrace", "memory of main", "dumpable"}



class Walls(unittest.TestCase):
    def make(self, *options):
        place = tempfile.TemporaryDirectory(prefix="csrmail-walls.")
        self.addCleanup(place.cleanup)
        os.chmod(place.name, 0o755)
        with open(f"{place.name}/password", "w") as file:
            os.chmod(file.fileno(), 0o600)
            file.write("secret\n")
        subprocess.run(
            [f"{PROGRAMS}/csrmail", "init", "--yes", *options,
             "--conf-dir", f"{place.name}/etc",
             "--state-dir", f"{place.name}/state",
             "--run-dir", f"{place.name}/run",
             "--ocspd-dir", f"{place.name}/ocspd",
             "--name", "Walls", "--address", "ca@example.test",
             "--imap-host", "127.0.0.1", "--imap-tls", "none",
             "--imap-port", "1", "--smtp-host", "127.0.0.1",
             "--smtp-port", "1", "--smtp-tls", "none",
             "--user", "ca", "--password-file", f"{place.name}/password",
             "--authserv-id", "mail.example.test",
             "--ocsp-url", "http://127.0.0.1:1/",
             "--ocsp-listen", "127.0.0.1:0",
             "--health-listen", "127.0.0.1:0"],
            check=True, stdout=subprocess.DEVNULL)
        # The role exec is there only when a command is configured, and
        # sealer when a mailbox signs.
        with open(f"{place.name}/etc/csrmaild.conf") as file:
            conf = file.read()
        mailbox = conf.index('mailbox "')
        conf = conf[:mailbox] + re.sub(
            r"(?m)^\s*password_file = .*$", '\t\tauth = xoauth2\n'
            '\t\ttoken_command = {"/bin/true"}', conf[mailbox:], count=1)
        conf = conf.replace("\taddress =", self.make_identity(place.name) +
                            "\taddress =", 1)
        conf += self.make_folder(place.name)
        with open(f"{place.name}/etc/csrmaild.conf", "w") as file:
            file.write(conf)
        return place.name

    def make_folder(self, place):
        """A second mailbox, that is a folder: without network."""
        os.mkdir(f"{place}/in")
        os.mkdir(f"{place}/out")
        return 'mailbox "drop" {\n\taddress = "drop@example.test"\n' \
            f'\tca = "users"\n\tinbox = "dir:{place}/in"\n' \
            f'\toutbox = "dir:{place}/out"\n}}\n'

    def make_identity(self, place):
        """A mailbox's certificate and key, as lines of its section."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Walls",
             "-keyout", f"{place}/smime.key", "-out", f"{place}/smime.pem",
             "-addext", "subjectAltName=email:ca@example.test",
             "-addext", "basicConstraints=CA:FALSE"], check=True,
            stderr=subprocess.DEVNULL)
        return f'\tsmime_certificate = "{place}/smime.pem"\n' \
            f'\tsmime_key_file = "{place}/smime.key"\n'

    def probe(self, program, place):
        """What each role says: {role: {attempt: result}}."""
        said = subprocess.run(
            [f"{PROGRAMS}/{program}", "-c", f"{place}/etc/{program}.conf",
             "-W"], stdout=subprocess.PIPE, text=True, timeout=60)
        roles = {}
        for line in said.stdout.splitlines():
            if line.startswith("\t"):
                attempt, result = line.strip().rsplit(": ", 1)
                roles[role][attempt] = result
            else:
                role = line.strip()
                roles[role] = {}
        self.assertEqual(said.returncode, 0, said.stdout)
        return roles

    def check(self, program, place):
        names = {"state": f"{place}/state", "ocspd": f"{place}/ocspd"}
        said = self.probe(program, place)
        tried = {t.format(**names) for t in TRIED[program]} | TRIED_BY_ALL
        for role, reached in REACHED[program].items():
            with self.subTest(program=program, role=role):
                self.assertIn(role, said)
                self.assertEqual(set(said[role]), tried)
                self.assertEqual(
                    {a for a, r in said[role].items() if r == "reached"},
                    {r.format(**names) for r in reached})

    def test_unprivileged_roles_reach_no_more_than_they_need(self):
        place = self.make("--unprivileged")
        for program in REACHED:
            self.check(program, place)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_roles_of_root_reach_no_more_than_they_need(self):
        place = self.make()
        for program in REACHED:
            self.check(program, place)


if __name__ == "__main__":
    PROGRAMS = sys.argv.pop()
    unittest.main(verbosity=2)
