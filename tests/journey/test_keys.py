"""No window of a private key or passphrase stands where it does not belong.

Searched are the memory of every process of both daemons but the signer, what
is on disk, the logs, the mails, and a backup. That the search finds something
is shown on the signer itself.
"""

import base64
import glob
import os
import re
import shutil
import subprocess
import unittest

from system import compose, run, running_system, wait_for

WINDOW = 32


def openssl(*command, stdin=None):
    return subprocess.run(("openssl",) + command, input=stdin, check=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE).stdout


def numbers_of(pem):
    """The secret numbers of a private key, as octets."""
    text = openssl("pkey", "-noout", "-text", stdin=pem).decode()
    found = re.findall(
        r"^(priv|privateExponent|prime1|prime2|exponent1|exponent2):\n"
        r"((?:    [0-9a-f:]+\n)+)", text, re.M)
    assert found, text
    return [bytes.fromhex(re.sub(r"[^0-9a-f]", "", digits)).lstrip(b"\0")
            for _, digits in found]


def windows_of_key(pem):
    """Every secret run of WINDOW octets: of the numbers in both orders of
    octets, as hexadecimal text, and of PKCS#8 in base64."""
    found = set()
    for number in numbers_of(pem):
        # A scalar may have lost leading zeros: then it is short by itself.
        for form in (number, number[::-1], number.hex().encode(),
                     number.hex().upper().encode()):
            found |= {form[i:i + WINDOW]
                      for i in range(max(1, len(form) - WINDOW + 1))}
    lines = pem.split(b"\n")[1:-2]
    at = base64.b64decode(b"".join(lines)).find(
        max(numbers_of(pem), key=len))
    assert at >= 0
    # Behind what all keys of a kind begin with; as files have it, and run on.
    begin = at * 4 // 3 + 4
    for body in (b"".join(lines), b"\n".join(lines)):
        found |= {body[i:i + WINDOW] for i in range(begin, begin + 8)}
    return {w for w in found if len(w) >= 24}


class Needles:
    """One expression for all: a pass over memory of a gigabyte is enough."""

    def __init__(self, needles):
        self.pattern = re.compile(
            b"|".join(re.escape(n) for n in sorted(needles)), re.S)

    def found_in(self, octets):
        return self.pattern.search(octets) is not None


def memory_of(pid):
    """Each readable mapping of a process: [(name, octets), ...]."""
    with open(f"/proc/{pid}/maps") as file:
        lines = file.read().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in lines:
            words = line.split(None, 5)
            if "r" not in words[1] or words[-1].startswith("[v"):
                continue
            begin, end = (int(x, 16) for x in words[0].split("-"))
            # Shadow memory of a sanitizer: terabytes of nothing.
            if end - begin > 1 << 31:
                continue
            carried = b""
            for at in range(begin, end, 1 << 24):
                try:
                    memory.seek(at)
                    piece = memory.read(min(1 << 24, end - at))
                except (OSError, OverflowError, ValueError):
                    break
                yield line, carried + piece
                carried = piece[-64:]


def vm_locked_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(next(line.split()[1] for line in file
                        if line.startswith("VmLck:")))


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = s = running_system()
        s.heal()
        cls.state = os.path.dirname(s.env["STORE"])
        cls.secrets = {}
        for ca in ("users",):
            cls.passphrase = cls.read_passphrase(ca)
            cls.secrets[ca] = openssl(
                "pkey", "-in", f"{cls.state}/keys/{ca}.key", "-passin",
                "stdin", stdin=cls.passphrase + b"\n")
        # Something is signed, answered and revoked with them first.
        person = s.new_person()
        mail = compose(person, person.own_csr())
        person.send(mail)
        _, pem = person.wait_certificate(mail["Message-ID"])
        s.wait_ocsp(pem, "good")
        s.revoke(pem, "superseded")
        wait_for("the CRL lists it", lambda: s.is_on_crl(pem))
        key = set()
        for pem in cls.secrets.values():
            key |= windows_of_key(pem)
        cls.key = Needles(key)
        cls.all = Needles(key | {cls.passphrase[i:i + WINDOW] for i in range(
            max(1, len(cls.passphrase) - WINDOW + 1))})
        cls.responder = {}
        for path in glob.glob(f"{s.folder}/ocspd/keys/*"):
            with open(path, "rb") as file:
                pem = file.read()
            if b"PRIVATE KEY" in pem:
                cls.responder[path] = Needles(windows_of_key(pem))

    @classmethod
    def read_passphrase(cls, ca):
        for folder, _, files in os.walk(cls.system.folder):
            if f"{ca}.passphrase" in files:
                with open(os.path.join(folder, f"{ca}.passphrase"),
                          "rb") as file:
                    return file.read().rstrip(b"\n")
        raise AssertionError(f"no passphrase of {ca}")

    def others(self):
        """Every process of ours but the signer."""
        return [(program, role, pid) for program in ("csrmaild", "ocspd")
                for role, pids in self.system.roles(program).items()
                for pid in pids if role != "signer"]

    def hits(self, pid, needles):
        return [line for line, octets in memory_of(pid)
                if needles.found_in(octets)]

    # --- memory -------------------------------------------------------------

    def test_the_search_finds_the_key_where_it_is(self):
        signer, = self.system.roles()["signer"]
        found = self.hits(signer, self.key)
        self.assertNotEqual(found, [], "the search itself is broken")

    def test_the_key_is_only_in_locked_memory_of_the_signer(self):
        signer, = self.system.roles()["signer"]
        self.assertGreaterEqual(vm_locked_kb(signer), 256)
        with open(f"/proc/{signer}/smaps") as file:
            text = file.read()
        for line in self.hits(signer, self.key):
            area = text[text.index(line.split()[0] + " "):]
            locked = re.search(r"^Locked: +(\d+) kB$", area, re.M)
            flags = re.search(r"^VmFlags: (.*)$", area, re.M)
            self.assertGreater(int(locked.group(1)), 0, line)
            # Locked, and left out of a core.
            self.assertIn("lo", flags.group(1).split(), line)
            self.assertIn("dd", flags.group(1).split(), line)

    def test_the_signer_has_forgotten_the_passphrase(self):
        signer, = self.system.roles()["signer"]
        self.assertEqual(self.hits(signer, Needles({self.passphrase})), [])

    def test_no_other_process_has_it_in_memory(self):
        others = self.others()
        self.assertGreaterEqual(len(others), 8)
        for program, role, pid in others:
            with self.subTest(program=program, role=role):
                self.assertEqual(self.hits(pid, self.all), [])

    def test_responder_keys_stay_in_the_responder(self):
        self.assertNotEqual(self.responder, {})
        signer, = self.system.roles()["signer"]
        responder, = self.system.roles("ocspd")["responder"]
        for path, needles in self.responder.items():
            self.assertNotEqual(self.hits(responder, needles), [], path)
            for _, role, pid in self.others() + [("", "signer", signer)]:
                if pid != responder:
                    with self.subTest(role=role):
                        self.assertEqual(self.hits(pid, needles), [])

    # --- what is kept ---------------------------------------------------------

    def search_tree(self, top, leave_out=()):
        seen = 0
        for folder, _, files in os.walk(top):
            for name in files:
                path = os.path.join(folder, name)
                if not os.path.isfile(path) or path in leave_out:
                    continue
                with open(path, "rb") as file:
                    octets = file.read()
                self.assertFalse(self.all.found_in(octets), path)
                seen += 1
        return seen

    def test_no_file_holds_it(self):
        """Store, journal, published, spool, logs, mailboxes: the whole
        folder, but for the passphrases' own files and those that this test
        made."""
        own = set(glob.glob(f"{self.system.folder}/**/*.passphrase",
                            recursive=True))
        self.assertNotEqual(own, set())
        seen = self.search_tree(self.system.folder, own)
        self.assertGreater(seen, 20)
        for must in (self.system.env["STORE"],
                     f"{self.state}/published/users.crl",
                     f"{self.system.folder}/log/csrmaild.log"):
            self.assertTrue(os.path.exists(must), must)

    def test_the_search_of_files_finds_a_key_too(self):
        path = self.system.file("found", b"x" * 1000 + next(
            iter(self.secrets.values())))
        try:
            with self.assertRaises(AssertionError):
                self.search_tree(self.system.tmp)
        finally:
            os.unlink(path)

    def test_no_backup_holds_it(self):
        help_text = self.system.csrmail("help", check=False)
        if "backup" not in help_text:
            self.skipTest("this csrmail makes no backups")
        path = os.path.join(self.system.tmp, "backup")
        self.system.csrmail("backup", path)
        folder = os.path.join(self.system.tmp, "unpacked")
        os.mkdir(folder)
        if os.path.isdir(path):
            shutil.copytree(path, folder, dirs_exist_ok=True)
        else:
            run("tar", "-xf", path, "-C", folder)
        try:
            self.assertGreater(self.search_tree(folder), 1)
        finally:
            shutil.rmtree(folder)
            os.unlink(path)

    # --- ps -------------------------------------------------------------------

    def test_no_command_line_and_no_environment_shows_it(self):
        for program in ("csrmaild", "ocspd"):
            for role, pids in self.system.roles(program).items():
                for pid in pids:
                    for what in ("cmdline", "environ"):
                        with open(f"/proc/{pid}/{what}", "rb") as file:
                            self.assertFalse(
                                self.all.found_in(file.read()),
                                (program, role, what))


if __name__ == "__main__":
    unittest.main(verbosity=2)
