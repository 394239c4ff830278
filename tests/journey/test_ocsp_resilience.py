"""ocspd among thousands who want nothing good, and while it is changed."""

import json
import os
import re
import signal
import unittest

import askers
from system import running_system, wait_for

GOOD, SLOW, IDLE, CONNECTS = 64, 1000, 1000, 10000
# Long enough for slow ones to be sent away (request_timeout_s = 10).
SECONDS = 14
MORE_DESCRIPTORS = 4  # of one process; files that are being sent
MORE_KIB = 4096  # of one process; places that were used once


class Resilience(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.system.heal()
        cls.certificate = askers.issue(cls.system, 1)[0]
        cls.conf = f"{cls.system.env['CONF_DIR']}/ocspd.conf"

    def setUp(self):
        self.system.heal()
        self.system.wait_ocsp(self.certificate.pem, "good", "-no_nonce")

    def reload(self, **changes):
        """With these keys in the configuration."""
        with open(self.conf, encoding="utf-8") as f:
            text = f.read()
        for key, value in changes.items():
            text, n = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
            self.assertEqual(n, 1, key)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)
        for pid in self.system.roles("ocspd")["main"]:
            os.kill(pid, signal.SIGHUP)

    def test_a_crowd_holds_up_nobody(self):
        """Each good one is answered, and afterwards nothing is left over."""
        system = self.system
        askers.Crowd(system, self.certificate, g=GOOD, t=2).wait()
        descriptors = wait_for("nobody is connected", lambda: self.alone())
        memory = askers.memory_kib(system)
        met = askers.Crowd(system, self.certificate, g=GOOD, s=SLOW, i=IDLE,
                           c=CONNECTS, t=SECONDS).wait()
        print("crowd:", json.dumps(met))
        self.assertGreater(met["answers"], 1000)
        self.assertEqual(met["faults"], 0)
        self.assertEqual(met["changed"], 0)
        self.assertEqual(met["connects"], CONNECTS)
        self.assertGreaterEqual(met["slow_ended"], SLOW)
        wait_for("descriptors as before", lambda: all(
            n <= descriptors[pid] + MORE_DESCRIPTORS
            for pid, n in askers.descriptors(system).items()))
        after = askers.memory_kib(system)
        print("memory, KiB before and after:", memory, after)
        self.assertEqual(set(after), set(memory))  # none has died
        for pid, kib in after.items():
            # A sanitizer keeps what was freed, to find its use.
            if not askers.is_sanitized(pid):
                self.assertLessEqual(kib, memory[pid] + MORE_KIB)

    def alone(self):
        """The descriptors, once no connection is open."""
        host, port = askers.server_of(self.system)
        with open("/proc/net/tcp", encoding="ascii") as f:
            busy = any(line.split()[1].endswith(f":{port:04X}") and
                       line.split()[3] == "01" for line in f.readlines()[1:])
        return None if busy else askers.descriptors(self.system)

    def test_a_reload_refuses_nobody(self):
        """Nor one with more or fewer fronts; nor those who stay connected."""
        system = self.system
        coming = askers.Crowd(system, self.certificate, close=True, g=16,
                              t=120)
        staying = askers.Crowd(system, self.certificate, g=16, t=120)
        for crowd in (coming, staying):
            self.addCleanup(crowd.kill)
        for fronts in (4, 1, 3, 0):
            self.reload(fronts=fronts)
            wait_for(f"{fronts} fronts", lambda n=fronts: len(
                askers.fronts(system)) == (n or os.cpu_count()))
        for crowd in (coming, staying):
            met = crowd.end()
            print("reloads:", json.dumps(met))
            self.assertEqual(met["faults"], 0)
            self.assertGreater(met["answers"], 100)

    def test_trouble_with_the_store_shows_in_status(self):
        """And goes away by itself."""
        system = self.system
        store, away = system.env["STORE"], system.env["STORE"] + ".away"
        os.rename(store, away)
        try:
            wait_for("trouble is told", lambda: any(
                line.startswith("ocspd: the store was last read at")
                for line in self.trouble()))
        finally:
            os.rename(away, store)
        wait_for("no trouble is told", lambda: not any(
            line.startswith("ocspd:") for line in self.trouble()))
        system.wait_ocsp(self.certificate.pem, "good", "-nonce")

    def trouble(self):
        return json.loads(self.system.csrmail("status", "--json",
                                              check=False))["trouble"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
