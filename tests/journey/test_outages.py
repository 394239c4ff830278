"""A server is down, a process dies: nothing is lost, nothing happens twice."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from system import certificates_in, compose, running_system, wait_for

ROUNDS = 12  # of killing everything, spread over the life of a mail
RETURN_S = 120  # back-off included


class Outages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()

    def setUp(self):
        self.system.heal()
        self.user = self.system.new_person()

    def tearDown(self):
        self.system.heal()

    def request(self):
        return compose(self.user, self.user.own_csr())

    def test_postfix_is_down(self):
        """On record at once; the reply leaves when Postfix returns."""
        system = self.system
        mail = self.request()
        system.rig("stop-smtp")
        system.deposit(system.vouched(mail))
        wait_for("the certificate on record",
                 lambda: system.certificates(self.user))
        self.assertEqual(system.wait_filed(mail["Message-ID"]), "Processed")
        self.assertEqual(self.user.replies(mail["Message-ID"]), [])
        system.rig("start-smtp")
        self.user.wait_certificate(mail["Message-ID"], RETURN_S)
        self.assertEqual(len(self.user.replies(mail["Message-ID"])), 1)

    def test_dovecot_is_down(self):
        """csrmaild waits and resumes."""
        system = self.system
        mail = self.request()
        system.rig("stop-imap")
        pids = system.roles()
        wait_for("csrmail status tells it", lambda: not system.is_ready(),
                 RETURN_S)
        system.rig("start-imap")
        self.assertEqual(system.roles()["main"], pids["main"])
        self.user.send(mail)
        self.user.wait_certificate(mail["Message-ID"], RETURN_S)

    def in_trouble(self):
        return any("store" in sentence for sentence in
                   self.rows_of_status().get("trouble", []))

    def rows_of_status(self):
        said = self.system.csrmail("status", "--json", check=False)
        return json.loads(said) if said.strip() else {}

    def test_the_store_is_locked_for_seconds(self):
        """Deferred, not rejected."""
        mail = self.request()
        other = sqlite3.connect(self.system.env["STORE"])
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.user.send(mail)
        wait_for("csrmail status tells it", self.in_trouble)
        self.assertIsNone(self.system.folder_of(mail["Message-ID"]))
        other.rollback()
        self.user.wait_certificate(mail["Message-ID"], RETURN_S)

    def copy_state(self, source, target):
        subprocess.run(["cp", "-a", f"{source}/.", target], check=True)
        shutil.copystat(source, target)
        owner = os.stat(source)
        os.chown(target, owner.st_uid, owner.st_gid)

    def stop_both(self):
        self.system.kill_all()
        self.system.kill_all("ocspd")

    def put_state_back(self, state, kept):
        """What was written on the small disk goes to the large one."""
        self.stop_both()
        self.copy_state(state, f"{kept}.new")
        subprocess.run(["umount", state], check=True)
        shutil.rmtree(kept)
        self.copy_state(f"{kept}.new", state)
        shutil.rmtree(f"{kept}.new")

    def put_state_on_a_small_disk(self):
        state = os.path.dirname(self.system.env["STORE"])
        kept = f"{state}.kept"
        self.stop_both()
        os.mkdir(kept)
        os.mkdir(f"{kept}.new")
        self.copy_state(state, kept)
        size = sum(os.stat(os.path.join(folder, name)).st_size
                   for folder, _, names in os.walk(state) for name in names)
        if subprocess.run(["mount", "-t", "tmpfs", "-o",
                           f"size={size + (1 << 20)}", "tmpfs",
                           state]).returncode != 0:
            shutil.rmtree(kept)
            os.rmdir(f"{kept}.new")
            self.skipTest("nothing can be mounted here")
        self.addCleanup(self.put_state_back, state, kept)
        self.copy_state(kept, state)
        return state

    def test_the_disk_is_full(self):
        """Nothing is signed, the mail stays, OCSP serves; then it resumes."""
        system = self.system
        before = self.request()
        self.user.send(before)
        _, pem = self.user.wait_certificate(before["Message-ID"])
        state = self.put_state_on_a_small_disk()
        system.start("ocspd")
        system.start()
        wait_for("csrmail status is good", system.is_ready, RETURN_S)
        with open(f"{state}/fill", "wb", buffering=0) as fill:
            try:
                while True:
                    fill.write(bytes(4096))
            except OSError:
                pass
        mail = self.request()
        self.user.send(mail)
        wait_for("csrmail status tells it", self.in_trouble)
        system.wait_ocsp(pem, "good")
        self.assertIsNone(system.folder_of(mail["Message-ID"]))
        self.assertEqual(len(system.certificates(self.user)), 1)
        os.remove(f"{state}/fill")
        self.user.wait_certificate(mail["Message-ID"], RETURN_S)
        self.assertEqual(len(system.certificates(self.user)), 2)

    def test_any_role_is_killed(self):
        """main makes a new set, and mail is answered again."""
        system = self.system
        for role in sorted(set(system.roles()) - {"main"}):
            with self.subTest(role):
                wait_for(f"{role} is there", lambda: role in system.roles())
                old = system.roles()[role][0]
                os.kill(old, signal.SIGKILL)
                wait_for(f"a new {role}", lambda:
                         system.roles().get(role, [old])[0] != old)
                mail = self.request()
                self.user.send(mail)
                self.user.wait_certificate(mail["Message-ID"], RETURN_S)

    def test_any_role_of_ocspd_is_killed(self):
        system = self.system
        mail = self.request()
        self.user.send(mail)
        _, pem = self.user.wait_certificate(mail["Message-ID"])
        for role in sorted(set(system.roles("ocspd")) - {"main"}):
            with self.subTest(role):
                old = system.roles("ocspd")[role][0]
                os.kill(old, signal.SIGKILL)

                def is_good():
                    try:
                        return system.ocsp(pem).startswith("good")
                    except AssertionError:
                        return False
                wait_for(f"a new {role}", lambda: system.roles("ocspd").get(
                    role, [old])[0] != old)
                wait_for("OCSP is good again", is_good)

    def test_main_is_killed(self):
        """No role survives its main."""
        system = self.system
        os.kill(system.roles()["main"][0], signal.SIGKILL)
        wait_for("all roles gone", lambda: not system.roles())

    def test_everything_is_killed_at_any_moment(self):
        """Started again, it finishes: one certificate, one reply (a second
        one only with the same Message-ID)."""
        system = self.system
        mail = self.request()
        start = time.monotonic()
        self.user.send(mail)
        self.user.wait_certificate(mail["Message-ID"])
        span = time.monotonic() - start

        mails = []
        for n in range(ROUNDS):
            mail = self.request()
            mails.append(mail)
            self.user.send(mail)
            # When the power fails is the point of this test, so it waits.
            time.sleep(span * n / ROUNDS)
            system.kill_all()
            system.start()
            wait_for("csrmail status is good", system.is_ready)
        for mail in mails:
            self.user.wait_certificate(mail["Message-ID"], RETURN_S)
            self.assertEqual(system.wait_filed(mail["Message-ID"]),
                             "Processed")
            replies = self.user.replies(mail["Message-ID"])
            self.assertEqual(len({r["Message-ID"] for r in replies}), 1)
            self.assertEqual(len({certificates_in(r)[0] for r in replies}),
                             1)
        self.assertEqual(len([row for row in system.certificates(self.user)
                              if row["state"] == "issued"]),
                         1 + ROUNDS)

    def test_stopped_and_started(self):
        """SIGTERM ends every role; what came meanwhile is answered."""
        system = self.system
        os.kill(system.roles()["main"][0], signal.SIGTERM)
        wait_for("all roles gone", lambda: not system.roles())
        mail = self.request()
        self.user.send(mail)
        system.start()
        self.user.wait_certificate(mail["Message-ID"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
