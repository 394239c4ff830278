"""What a role cannot reach, seen from outside, with the daemons run by root."""

import os
import pwd
import subprocess
import unittest

from system import running_system

USERS = {
    "csrmaild": {"main": "root", "intake": "csrmail-imap",
                 "parser": "csrmail-parse", "registrar": "csrmail",
                 "signer": "csrmail-sign", "submit": "csrmail-smtp",
                 "api": "csrmail-api"},
    "ocspd": {"main": "root", "front": "ocspd-net", "responder": "ocspd"},
}


def status(pid, field):
    with open(f"/proc/{pid}/status") as file:
        return next(line.split(":", 1)[1].split() for line in file
                    if line.startswith(field + ":"))


class Walls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()

    def setUp(self):
        self.system.heal()

    def each_role(self):
        return [(program, role, pid) for program in USERS
                for role, pids in self.system.roles(program).items()
                for pid in pids]

    def test_ps_shows_each_role_under_its_own_user(self):
        for program, users in USERS.items():
            roles = self.system.roles(program)
            self.assertEqual(set(users) - set(roles), set())
            for role, user in users.items():
                for pid in roles[role]:
                    shown = subprocess.run(
                        ["ps", "-o", "user:32=,args=", "-p", str(pid)],
                        stdout=subprocess.PIPE, text=True).stdout.split(
                            None, 1)
                    self.assertEqual(shown[0], user)
                    if role != "main":
                        self.assertTrue(shown[1].startswith(
                            f"{program}: {role}"), shown)

    def test_every_role_has_no_new_privileges_and_a_filter(self):
        for program, role, pid in self.each_role():
            if role == "main":
                continue
            self.assertEqual(status(pid, "NoNewPrivs"), ["1"])
            self.assertEqual(status(pid, "Seccomp"), ["2"])
            self.assertEqual(set(status(pid, "CapEff")),
                             {"0000000000000000"})
            # All ids: real, effective, saved and file system.
            self.assertEqual(len(set(status(pid, "Uid"))), 1)
            self.assertNotEqual(status(pid, "Uid")[0], "0")
            self.assertNotEqual(status(pid, "Gid")[0], "0")
            self.assertNotIn("0", status(pid, "Groups"))

    def test_no_role_leaves_a_core(self):
        for program, role, pid in self.each_role():
            with open(f"/proc/{pid}/limits") as file:
                core = next(line for line in file
                            if line.startswith("Max core file size"))
            self.assertEqual(core.split()[4:6], ["0", "0"])
            # Not dumpable: the kernel gives its files to root.
            self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)

    def test_no_environment_is_left(self):
        for program, role, pid in self.each_role():
            if role != "main":
                with open(f"/proc/{pid}/environ", "rb") as file:
                    self.assertEqual(file.read().strip(b"\0"), b"")

    def test_neither_intake_nor_parser_has_a_key_or_the_store(self):
        state = os.path.dirname(self.system.env["STORE"])
        allowed = {
            "main": {f"{state}/lock"},
            "registrar": {f"{state}/lock", f"{state}/published",
                          f"{state}/store.db", f"{state}/store.db-wal",
                          f"{state}/store.db-shm"},
            "responder": {f"{state}/store.db", f"{state}/store.db-wal",
                          f"{state}/store.db-shm"},
            "signer": {f"{state}/keys", f"{state}/journal"},
            "front": {f"{state}/published"},
        }
        for program, role, pid in self.each_role():
            opened = [os.readlink(f"/proc/{pid}/fd/{fd}")
                      for fd in os.listdir(f"/proc/{pid}/fd")]
            for path in opened:
                if path.startswith(state):
                    self.assertTrue(
                        path in allowed.get(role, ()) or
                        role == "signer" and os.path.dirname(path)
                        in allowed[role], (program, role, path))

    def test_no_role_reads_the_memory_of_another(self):
        """As the user of each role, the memory of each other role."""
        for program in USERS:
            roles = self.system.roles(program)
            for role, user in USERS[program].items():
                if user == "root":
                    continue
                entry = pwd.getpwnam(user)
                for other, pids in roles.items():
                    if other == role:
                        continue
                    with self.subTest(role=role, other=other):
                        tried = subprocess.run(
                            ["cat", f"/proc/{pids[0]}/mem"],
                            user=entry.pw_uid, group=entry.pw_gid,
                            extra_groups=os.getgrouplist(user,
                                                         entry.pw_gid),
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)
                        self.assertNotEqual(tried.returncode, 0)
                        self.assertIn("Permission denied", tried.stderr)

    def test_only_their_owners_read_store_and_keys(self):
        state = os.path.dirname(self.system.env["STORE"])
        allowed = {"csrmail", "ocspd"}
        for users in USERS.values():
            for user in set(users.values()) - {"root"}:
                entry = pwd.getpwnam(user)
                for path, readers in ((self.system.env["STORE"], allowed),
                                      (f"{state}/keys", {"csrmail-sign"})):
                    with self.subTest(user=user, path=path):
                        readable = subprocess.run(
                            ["test", "-r", path], user=entry.pw_uid,
                            group=entry.pw_gid,
                            extra_groups=os.getgrouplist(
                                user, entry.pw_gid)).returncode == 0
                        self.assertEqual(readable, user in readers)


if __name__ == "__main__":
    unittest.main(verbosity=2)
