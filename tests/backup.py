"""A backup is made while the CA works, and an old one learns what it missed.

    backup.py FOLDER-OF-PROGRAMS

The real programs, without mail servers: requests come by `csrmail cert sign`.
After each restore no serial that was used is used again, and nothing that was
revoked is good. Unprivileged; as root also with a user for each role.
"""

import glob
import hashlib
import json
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

PROGRAMS = None
DEADLINE_S = 60


def run(*command, code=0, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, **more)
    if done.returncode != code:
        raise AssertionError("%s: exit %d, not %d:\n%s" % (
            " ".join(command), done.returncode, code, done.stdout))
    return done.stdout


def wait_for(what, ask):
    end = time.monotonic() + DEADLINE_S
    while not (answer := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE_S} s: {what}")
        time.sleep(0.05)
    return answer


class Ca:
    """A whole CA in one folder, and its daemon."""

    def __init__(self, place, *options):
        self.place, self.daemon = place, None
        self.state = f"{place}/state"
        self.published = f"{self.state}/published/users.crl"
        with open(f"{place}/password", "w") as file:
            os.chmod(file.fileno(), 0o600)
            file.write("secret\n")
        run(f"{PROGRAMS}/csrmail", "init", "--yes", *options,
            "--conf-dir", f"{place}/etc", "--state-dir", self.state,
            "--run-dir", f"{place}/run", "--ocspd-dir", f"{place}/ocspd",
            "--name", "Backup", "--address", "ca@example.test",
            "--imap-host", "127.0.0.1", "--imap-tls", "none",
            "--imap-port", "1", "--smtp-host", "127.0.0.1",
            "--smtp-port", "1", "--smtp-tls", "none", "--user", "ca",
            "--password-file", f"{place}/password",
            "--authserv-id", "mail.example.test",
            "--ocsp-url", "http://127.0.0.1:1/",
            "--ocsp-listen", "127.0.0.1:0",
            "--health-listen", "")
        run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-subj", "/CN=www.example.test",
            "-addext", "subjectAltName=DNS:www.example.test", "-keyout",
            f"{place}/k.pem", "-out", f"{place}/r.pem")

    def csrmail(self, *words, code=0):
        return run(f"{PROGRAMS}/csrmail", "-c", f"{self.place}/etc/"
                   "csrmaild.conf", *words, code=code)

    def start(self):
        self.log = open(f"{self.place}/log", "a")
        self.daemon = subprocess.Popen(
            [f"{PROGRAMS}/csrmaild", "-c",
             f"{self.place}/etc/csrmaild.conf"], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        wait_for("csrmaild", lambda: os.path.exists(
            f"{self.place}/run/api.sock") and subprocess.run(
                [f"{PROGRAMS}/csrmail", "-c",
                 f"{self.place}/etc/csrmaild.conf", "--socket",
                 # Else the command would do the work alone, hold the lock,
                 # and keep out the daemon that is just starting.
                 f"{self.place}/run/api.sock", "crl", "show"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL).returncode == 0)

    def stop(self):
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(60)
            self.log.close()
            self.daemon = None

    def sign(self):
        out = f"{self.place}/c.pem"
        run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-subj", "/CN=www.example.test",
            "-addext", "subjectAltName=DNS:www.example.test", "-keyout",
            f"{self.place}/k.pem", "-out", f"{self.place}/r.pem")
        self.csrmail("cert", "sign", f"{self.place}/r.pem", "--ca", "users",
                     "--profile", "tls-server", "-o", out)
        return run("openssl", "x509", "-in", out, "-noout",
                   "-serial").split("=")[1].strip().lower()

    def revoke(self, serial, reason="superseded"):
        self.csrmail("cert", "revoke", serial, "--reason", reason)

    def crl(self):
        """{serial}, number"""
        text = run("openssl", "crl", "-inform", "DER", "-in",
                   self.published, "-noout", "-text")
        number = run("openssl", "crl", "-inform", "DER", "-in",
                     self.published, "-noout", "-crlnumber")
        return {line.split(":")[1].strip().lower()
                for line in text.splitlines() if "Serial Number:" in line}, \
            int(number.split("=")[1], 16)

    def wait_crl(self, *serials):
        return wait_for("a CRL with " + " ".join(serials), lambda:
                        os.path.exists(self.published) and
                        set(serials) <= self.crl()[0] and self.crl())

    def rows(self, question, *values):
        db = sqlite3.connect(f"file:{self.state}/store.db?mode=ro", uri=True)
        try:
            return db.execute(question, values).fetchall()
        finally:
            db.close()

    def status(self, serial):
        """What store_find_status finds: 1 good, 2 revoked, None unknown."""
        found = self.rows("SELECT state FROM status JOIN ca"
                          " ON ca.id = issuer_id WHERE serial = ?"
                          " AND name = 'users'", bytes.fromhex(serial))
        return found[0][0] if found else None

    def serials(self):
        return {row[0].hex() for row in self.rows(
            "SELECT serial FROM certificate")}

    def restore(self, *words, code=0):
        return self.csrmail("restore", f"{self.place}/backup", *words,
                            code=code)


def forget(*paths):
    for pattern in paths:
        for path in glob.glob(pattern):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


class Backup(unittest.TestCase):
    OPTIONS = ("--unprivileged",)

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="csrmail-backup.")
        self.addCleanup(place.cleanup)
        os.chmod(place.name, 0o755)
        self.ca = Ca(place.name, *self.OPTIONS)
        self.addCleanup(self.ca.stop)

    def live(self):
        """A backup in the middle of a life, and the daemon stopped."""
        ca = self.ca
        ca.start()
        self.good, self.revoked, self.later = ca.sign(), ca.sign(), ca.sign()
        self.held, self.lifted = ca.sign(), ca.sign()
        ca.revoke(self.revoked)
        self.old_crl = (f"{ca.place}/old.crl", ca.wait_crl(self.revoked)[1])
        shutil.copy(ca.published, self.old_crl[0])
        ca.revoke(self.lifted, "certificateHold")
        self.crl_before = ca.wait_crl(self.revoked, self.lifted)
        told = ca.csrmail("backup", f"{ca.place}/backup")
        self.assertIn("without its keys", told)
        self.assertEqual(os.stat(f"{ca.place}/backup").st_mode & 0o777,
                         0o600)
        ca.csrmail("backup", "verify", f"{ca.place}/backup")
        # It went on meanwhile, and is not replaced by another.
        ca.csrmail("backup", f"{ca.place}/backup", code=73)
        self.after, self.after_revoked = ca.sign(), ca.sign()
        ca.csrmail("cert", "unhold", self.lifted)
        ca.revoke(self.held, "certificateHold")
        ca.revoke(self.later, "keyCompromise")
        ca.revoke(self.after_revoked)
        self.crl_after = wait_for("the last CRL", lambda: (
            c := ca.wait_crl(self.later, self.after_revoked, self.held)) and
            self.lifted not in c[0] and c)
        ca.stop()
        self.all = ca.serials()
        os.mkdir(f"{ca.place}/last")
        for path in glob.glob(f"{ca.state}/published/*.crl"):
            shutil.copy(path, f"{ca.place}/last")
        self.known = {s: ca.status(s) for s in (
            self.good, self.revoked, self.later, self.held, self.lifted,
            self.after, self.after_revoked)}
        self.assertEqual(self.known, {
            self.good: 1, self.revoked: 2, self.later: 2, self.held: 2,
            self.lifted: 1, self.after: 1, self.after_revoked: 2})

    def goes_on(self):
        """It signs again: a new serial, a CRL number above, the same truth."""
        ca = self.ca
        before = {s: ca.status(s) for s in self.known}
        forget(ca.published)
        ca.start()
        new = ca.sign()
        self.assertNotIn(new, self.all)
        self.assertEqual(ca.status(new), 1)
        wait_for("a new CRL", lambda: os.path.exists(ca.published))
        entries, number = ca.crl()
        self.assertGreater(number, self.crl_after[1])
        self.assertEqual(entries, {s for s, state in before.items()
                                   if state == 2})
        ca.csrmail("audit", "verify")
        ca.stop()
        # In no journal is one serial twice; with it in hand, nowhere.
        self.assertIn("store.restored", [r[0] for r in ca.rows(
            "SELECT event FROM audit")])

    def check_files(self):
        ca = self.ca
        unprivileged = "--unprivileged" in self.OPTIONS
        own = pwd.getpwuid(os.geteuid()).pw_name
        for path, mode, user in (
                ("store.db", 0o640, "csrmail"),
                ("journal/users.journal", 0o600, "csrmail-sign"),
                ("journal", 0o700, "csrmail-sign"),
                ("keys/users.key", 0o600, "csrmail-sign"),
                ("keys", 0o700, "csrmail-sign"),
                ("published/users.crt", 0o644, "csrmail"),
                ("published", 0o755, "csrmail")):
            st = os.stat(f"{ca.state}/{path}")
            self.assertEqual((path, st.st_mode & 0o777,
                              pwd.getpwuid(st.st_uid).pw_name),
                             (path, mode, own if unprivileged else user))

    def test_with_the_journal_nothing_is_forgotten(self):
        self.live()
        ca = self.ca
        ca.restore(code=73)             # there is a store
        told = ca.restore("--replace")
        self.assertIn("lifted holds", told)
        self.assertTrue(os.path.exists(f"{ca.state}/store.db.before-restore"))
        self.assertEqual({s: ca.status(s) for s in self.known}, self.known)
        self.assertEqual(ca.serials(), self.all)
        # Requests of certificates that the backup did not know are closed.
        self.assertEqual(ca.rows("SELECT count(*) FROM request"
                                 " WHERE state = 'approved'"), [(0,)])
        self.check_files()
        self.goes_on()

    def test_with_the_last_crl_alone_nothing_revoked_is_good(self):
        self.live()
        ca = self.ca
        forget(f"{ca.state}/store.db*", f"{ca.state}/journal",
               f"{ca.state}/published")
        # One that the backup knows a newer one of is none, twice or not.
        os.mkdir(f"{ca.place}/old")
        for name in ("a.crl", "b.crl"):
            shutil.copy(self.old_crl[0], f"{ca.place}/old/{name}")
        shutil.copy(f"{ca.place}/last/root.crl", f"{ca.place}/old")
        told = ca.restore("--crl", f"{ca.place}/old", code=66)
        self.assertIn("users has published CRLs up to number %d, and the "
                      "newest here is %d:" % (self.crl_before[1],
                                              self.old_crl[1]), told)
        self.assertIn("--without-crl", told)
        self.assertFalse(os.path.exists(f"{ca.state}/store.db"))
        # That of one CA is not enough where two have published some.
        self.assertIn("root has published", ca.restore(
            "--crl", f"{ca.place}/last/users.crl", code=66))
        ca.restore("--crl", f"{ca.place}/last")
        want = dict(self.known)
        want[self.after] = None         # nobody has heard of it
        want[self.lifted] = 2           # nor of that: on the safe side
        self.assertEqual({s: ca.status(s) for s in self.known}, want)
        self.check_files()
        self.goes_on()

    def test_with_neither_it_wants_to_be_told(self):
        self.live()
        ca = self.ca
        forget(f"{ca.state}/store.db*", f"{ca.state}/journal",
               f"{ca.state}/published")
        told = ca.restore(code=66)
        self.assertIn("--without-crl", told)
        self.assertFalse(os.path.exists(f"{ca.state}/store.db"))
        # A CRL of somebody else is none.
        with open(f"{ca.place}/other.crl", "w") as file:
            file.write("no CRL\n")
        ca.restore("--crl", f"{ca.place}/other.crl", code=65)
        ca.restore("--without-crl", "--dry-run")
        self.assertFalse(os.path.exists(f"{ca.state}/store.db"))
        ca.restore("--without-crl")
        self.assertEqual(ca.status(self.later), 1)      # as it said
        self.assertEqual(ca.status(self.revoked), 2)
        self.assertEqual(glob.glob(f"{ca.state}/restore.*"), [])

    def test_a_journal_of_another_life_is_refused(self):
        self.live()
        ca = self.ca
        shutil.copytree(ca.state, f"{ca.place}/aside")
        # The same journal as in the backup, and then something else.
        self.restore_old_journal()
        ca.restore("--replace", "--journal", f"{ca.place}/aside/journal",
                   code=65)
        self.assertFalse(os.path.exists(
            f"{ca.state}/store.db.before-restore"))

    def restore_old_journal(self):
        ca = self.ca
        forget(f"{ca.state}/store.db*", f"{ca.state}/journal")
        ca.restore("--without-crl")
        forget(ca.published)
        ca.start()
        ca.sign()
        ca.stop()

    def test_a_damaged_backup_is_refused(self):
        ca = self.ca
        ca.start()
        ca.sign()
        ca.csrmail("backup", f"{ca.place}/backup")
        ca.stop()
        with open(f"{ca.place}/backup", "rb") as file:
            octets = file.read()
        for name, damaged in {
                "cut": octets[:len(octets) // 2],
                "empty": b"",
                "flipped": octets[:-200] + bytes([octets[-200] ^ 1]) +
                octets[-199:]}.items():
            with self.subTest(name):
                with open(f"{ca.place}/{name}", "wb") as file:
                    file.write(damaged)
                ca.csrmail("backup", "verify", f"{ca.place}/{name}", code=65)
                ca.csrmail("restore", f"{ca.place}/{name}", "--replace",
                           code=65)
        self.assertEqual(glob.glob(f"{ca.state}/restore.*"), [])
        self.assertFalse(glob.glob(f"{ca.state}/store.db.before*"))
        # A manifest that does not agree with what is there.
        shutil.rmtree(f"{ca.place}/x", ignore_errors=True)
        os.makedirs(f"{ca.place}/x")
        run("tar", "-C", f"{ca.place}/x", "--zstd", "-xf",
            f"{ca.place}/backup")
        with open(f"{ca.place}/x/published/users.pem", "a") as file:
            file.write("more\n")
        names = run("tar", "--zstd", "-tf", f"{ca.place}/backup").split()
        run("tar", "-C", f"{ca.place}/x", "--zstd", "-cf",
            f"{ca.place}/forged", *names)
        self.assertIn("damaged", ca.csrmail(
            "backup", "verify", f"{ca.place}/forged", code=65))
        # A part whose name leads out of the folder.
        with open(f"{ca.place}/evil", "w") as file:
            file.write("x")
        run("tar", "-C", f"{ca.place}/x", "--zstd", "-xf",
            f"{ca.place}/backup")
        with open(f"{ca.place}/x/manifest") as file:
            lines = file.read().splitlines(True)
        lines.insert(4, hashlib.sha256(b"x").hexdigest() + " 1 ../evil\n")
        with open(f"{ca.place}/x/manifest", "w") as file:
            file.writelines(lines)
        run("tar", "-C", f"{ca.place}/x", "-P", "--zstd", "-cf",
            f"{ca.place}/forged2", "../evil", *names)
        self.assertIn("none of ours", ca.csrmail(
            "backup", "verify", f"{ca.place}/forged2", code=65))

    def test_a_backup_with_doubled_files_or_no_store_is_refused(self):
        ca = self.ca
        ca.csrmail("backup", f"{ca.place}/backup")
        with tempfile.TemporaryDirectory(dir=ca.place) as work:
            run("tar", "-C", work, "--zstd", "-xf", f"{ca.place}/backup")
            with open(f"{work}/manifest") as file:
                text = file.read()
            head, lines = text.splitlines(True)[:4], \
                text.splitlines(True)[4:]
            store = next(x for x in lines if x.endswith(" store.db\n"))
            first = lines[0].split()[2]
            below = hashlib.sha256(b"x").hexdigest() + " 1 store.db/x\n"
            with open(f"{work}/x", "w") as file:
                file.write("x")
            for name, members, want in (
                    ("twice", lines + [store], "store.db twice"),
                    ("first twice", lines + [lines[0]], f"{first} twice"),
                    ("below", lines + [below], "below another file"),
                    ("none", [x for x in lines if x != store],
                     "has no store")):
                with self.subTest(name):
                    forged = f"{ca.place}/forged"
                    with tarfile.open(f"{work}/t", "w") as tar:
                        for line in members:
                            path = line.split()[2]
                            tar.add(f"{work}/x" if path == "store.db/x" else
                                    f"{work}/{path}", path)
                        with open(f"{work}/m", "w") as file:
                            file.writelines(head + members)
                        tar.add(f"{work}/m", "manifest")
                    run("zstd", "-q", "-f", f"{work}/t", "-o", forged)
                    self.assertIn(want, ca.csrmail(
                        "backup", "verify", forged, code=65))
                    self.assertIn(want, ca.csrmail(
                        "restore", forged, "--replace", code=65))
        self.assertEqual(glob.glob(f"{ca.state}/restore.*"), [])
        self.assertFalse(glob.glob(f"{ca.state}/store.db.before*"))

    def test_what_a_killed_restore_left_is_removed(self):
        ca = self.ca
        ca.csrmail("backup", f"{ca.place}/backup")
        for name in ("restore.a1B2c3", "restore.kept", "restore.notours"):
            os.makedirs(f"{ca.state}/{name}/journal")
        with open(f"{ca.state}/restore.a1B2c3/store.db", "w") as file:
            file.write("x")
        os.symlink(ca.place, f"{ca.state}/restore.abcdef")
        told = ca.restore("--replace", "--without-crl")
        self.assertIn(f"{ca.state}/restore.a1B2c3 removed", told)
        self.assertEqual(sorted(os.path.basename(p) for p in glob.glob(
            f"{ca.state}/restore.*")),
            ["restore.abcdef", "restore.kept", "restore.notours"])
        self.assertTrue(os.path.exists(f"{ca.place}/backup"))

    def test_keys_only_when_asked_for_and_encrypted(self):
        ca = self.ca
        ca.csrmail("backup", f"{ca.place}/without")
        ca.csrmail("backup", f"{ca.place}/backup", "--with-keys")
        self.assertNotIn("keys/", run("tar", "--zstd", "-tf",
                                      f"{ca.place}/without"))
        names = run("tar", "--zstd", "-tf", f"{ca.place}/backup").split()
        self.assertEqual(names[-1], "manifest")
        self.assertLess(names.index("store.db"),
                        names.index("journal/users.journal"))
        key = run("tar", "--zstd", "-xOf", f"{ca.place}/backup",
                  "keys/users.key")
        self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", key)
        # Everything is lost but the passphrases.
        forget(f"{ca.state}/*")
        ca.restore("--without-crl")
        self.check_files()
        ca.start()
        ca.sign()
        ca.stop()

    def test_an_unencrypted_key_is_encrypted_for_the_way(self):
        ca = self.ca
        with open(f"{ca.place}/none", "w") as file:
            os.chmod(file.fileno(), 0o600)
        with open(f"{ca.place}/some", "w") as file:
            os.chmod(file.fileno(), 0o600)
            file.write("for the way\n")

        def folder(*words, code=0):
            return run(f"{PROGRAMS}/csrmail", "--folder", f"{ca.place}/desk",
                       *words, code=code)

        folder("ca", "create-root", "r", "--subject", "CN=R",
               "--passphrase-file", f"{ca.place}/none")
        with open(f"{ca.place}/desk/keys/r.key") as file:
            self.assertIn("BEGIN PRIVATE KEY", file.read())
        folder("backup", f"{ca.place}/backup", "--with-keys",
               "--passphrase-file", f"{ca.place}/none", code=64)
        self.assertFalse(os.path.exists(f"{ca.place}/backup"))
        folder("backup", f"{ca.place}/backup", "--with-keys",
               "--passphrase-file", f"{ca.place}/some")
        key = run("tar", "--zstd", "-xOf", f"{ca.place}/backup", "keys/r.key")
        self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", key)
        forget(f"{ca.place}/desk/*")
        folder("restore", f"{ca.place}/backup")
        run("openssl", "pkey", "-in", f"{ca.place}/desk/keys/r.key",
            "-passin", f"file:{ca.place}/some", "-noout")

    def test_the_configuration_comes_back_where_it_is_wanted(self):
        ca = self.ca
        ca.csrmail("backup", f"{ca.place}/backup")
        ca.restore("--configuration", f"{ca.place}/again")
        run("diff", "-r", f"{ca.place}/etc/policies",
            f"{ca.place}/again/policies")
        for name in ("csrmaild.conf", "ocspd.conf"):
            run("diff", f"{ca.place}/etc/{name}", f"{ca.place}/again/{name}")
        ca.restore("--configuration", f"{ca.place}/again", code=73)

    def test_it_goes_to_standard_output(self):
        ca = self.ca
        with open(f"{ca.place}/piped", "wb") as file:
            subprocess.run([f"{PROGRAMS}/csrmail", "-c",
                            f"{ca.place}/etc/csrmaild.conf", "backup", "-"],
                           stdout=file, check=True, timeout=60)
        told = json.loads(ca.csrmail("backup", "verify", "--json",
                                     f"{ca.place}/piped"))
        self.assertGreater(told["files"], 5)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class BackupOfRoot(Backup):
    OPTIONS = ()


if __name__ == "__main__":
    PROGRAMS = sys.argv.pop()
    unittest.main(verbosity=2)
