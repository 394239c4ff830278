"""One revocation after the other, each seen on every front within a second.

From the return of `cert revoke`, on a warm table, under load, and with the
responder killed now and then, and ocspd restarted once. REVOCATIONS says how
many (60).
"""

import os
import signal
import time
import unittest

import askers
from system import running_system, wait_for

REVOCATIONS = int(os.environ.get("REVOCATIONS", "60"))
WITHIN_S = 1.0  # what README.md and ocspd(8) promise
KILL_EVERY = max(10, REVOCATIONS // 40)
LIVES_S = 6  # one that dies sooner is replaced later each time
LOAD = {"g": 16, "w": 2}  # clients that ask all the time, every 2 ms


class Revocations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = running_system()
        cls.system.heal()

    def has_lived(self):
        """The responder, for so long that its death is the first again."""
        ages = []
        for pid in self.system.roles("ocspd").get("responder", []):
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                started = int(f.read().rsplit(")", 1)[1].split()[19])
            ages.append(time.clock_gettime(time.CLOCK_BOOTTIME) -
                        started / os.sysconf("SC_CLK_TCK"))
        return len(ages) == 1 and ages[0] > LIVES_S

    def kill_responder(self):
        for pid in self.system.roles("ocspd").get("responder", []):
            os.kill(pid, signal.SIGKILL)

    def warm(self, fronts, certificate):
        """Held: asked before, on each front."""
        for asker in fronts:
            wait_for("good", lambda a=asker: a.ask(certificate) == "good")
            self.assertEqual(asker.ask(certificate), "good")

    def revoke(self, fronts, certificate, killed):
        """How long until no front says good, and until all say revoked."""
        if killed == "before":
            self.kill_responder()
        self.system.csrmail("cert", "revoke", certificate.hex, "--reason",
                            "superseded")
        returned = time.monotonic()
        if killed == "after":
            self.kill_responder()
        not_good = revoked = 0.0
        for asker in fronts:
            said = asker.ask(certificate)
            while said == "good":
                not_good = time.monotonic() - returned
                self.assertLess(not_good, WITHIN_S)
                said = asker.ask(certificate)
            wait_for("revoked", lambda a=asker: self.not_good_again(
                a, certificate))
            revoked = time.monotonic() - returned
        if not killed:
            self.assertLess(revoked, WITHIN_S)
        return not_good, revoked

    def not_good_again(self, asker, certificate):
        said = asker.ask(certificate)
        self.assertNotEqual(said, "good")
        return said == "revoked"

    def test_each_is_seen_within_a_second(self):
        system = self.system
        *certificates, other = askers.issue(system, REVOCATIONS + 1)
        load = askers.Crowd(system, other, t=100000, **LOAD)
        self.addCleanup(load.kill)
        fronts = askers.an_asker_for_each_front(system, other)
        times = {None: [], "before": [], "after": []}
        self.addCleanup(tell, times)  # also when one comes too late
        for n, certificate in enumerate(certificates, 1):
            if n == REVOCATIONS // 2:
                fronts = self.restart(fronts, other)
            killed = None if n % KILL_EVERY else \
                ("before", "after")[n // KILL_EVERY % 2]
            if killed:
                wait_for("a responder that has lived", self.has_lived)
            self.warm(fronts, certificate)
            times[killed].append(self.revoke(fronts, certificate, killed))
        print("load:", load.end())
        # All of them, once more, at the end.
        for asker in fronts:
            for certificate in certificates:
                self.assertEqual(asker.ask(certificate), "revoked")
            self.assertEqual(asker.ask(other), "good")
            asker.close()

    def restart(self, fronts, other):
        """ocspd itself, from nothing."""
        system = self.system
        for asker in fronts:
            asker.close()
        for pid in system.roles("ocspd")["main"]:
            os.kill(pid, signal.SIGTERM)
        wait_for("ocspd has ended", lambda: not system.roles("ocspd"))
        system.start("ocspd")

        def answers():
            asker = askers.Asker(system)
            try:
                return asker.ask(other) == "good"
            except OSError:
                return False
            finally:
                asker.close()
        wait_for("ocspd answers", answers)
        return askers.an_asker_for_each_front(system, other)


def tell(times):
    """How long until no front said good, and until all said revoked."""
    for killed, took in times.items():
        print(f"responder killed {killed}:" if killed else "in peace:",
              len(took), "revocations;", *map(figures, zip(*took)))


def figures(seconds):
    """Milliseconds: half of them, most of them, all of them."""
    ms = sorted(1000 * s for s in seconds)
    return (f"p50 {ms[len(ms) // 2]:.0f} p99 {ms[len(ms) * 99 // 100]:.0f} "
            f"max {ms[-1]:.0f};")


if __name__ == "__main__":
    unittest.main(verbosity=2)
