"""OCSP under load; called by ocsp.sh with a running system.

    ocsp.py DIR [--quick] [-s SECONDS] [-r RUNS] [-c CONNECTIONS,...]

Each run measures all servers one after the other, and begins with another one;
each server is started anew, and meets every number of connections, first with
connections that are kept (wrk), then with one for each request (ab). What is
said in the end are medians of the runs.
"""

import argparse
import base64
import os
import signal
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "journey")]

# pylint: disable=wrong-import-position
import machine       # noqa: E402
import ocsp_load     # noqa: E402
import ocsp_report   # noqa: E402
import ocsp_servers  # noqa: E402
import system        # noqa: E402

BUDGET_CONNECTIONS = 64
WARM_UP_S = 1


def arguments():
    parser = argparse.ArgumentParser(prog="ocsp.sh")
    parser.add_argument("folder")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("-s", dest="seconds", type=int)
    parser.add_argument("-r", dest="runs", type=int)
    parser.add_argument("-c", dest="connections", type=lambda text: [
        int(word) for word in text.split(",")])
    options = parser.parse_args()
    options.seconds = options.seconds or (1 if options.quick else 3)
    options.runs = options.runs or (1 if options.quick else 5)
    options.connections = options.connections or (
        [BUDGET_CONNECTIONS] if options.quick else [1, 16, 64, 256, 1024])
    if BUDGET_CONNECTIONS not in options.connections:
        parser.error(f"the budgets need {BUDGET_CONNECTIONS} connections")
    # Connections are expensive, and steady sooner.
    options.ab_seconds = max(1, options.seconds * 2 // 3)
    return options


class Bench:
    """The servers that there are, and what was measured of them:
    rows[(server and request, client, connections)][run]."""

    def __init__(self, options, sys_):
        self.options, self.tmp = options, sys_.tmp
        self.rows, self.starts, self.stalls = {}, {}, {}
        self.run = 0
        table, nonce = make_requests(sys_)
        self.table = ocsp_load.Request(as_path(table))
        self.post = ocsp_load.Request("/", table)
        self.live = ocsp_load.Request("/", nonce, True)
        for pid in sys_.roles("ocspd").get("main", []):
            os.kill(pid, signal.SIGTERM)
        system.wait_for("ocspd has ended", lambda: not sys_.roles("ocspd"))
        self.ocspd = {kind: ocsp_servers.Ocspd(sys_, kind)
                      for kind in ("P-256", "RSA-2048")}
        for ocspd in self.ocspd.values():
            ocspd.certify(table)
        self.answer = self.first_answer()
        self.folder = sys_.folder
        self.openssl = ocsp_servers.OpensslFiles(sys_.folder) \
            if ocsp_servers.has_networks() else None

    def first_answer(self):
        """What the others serve; and does ours return a nonce?"""
        server = self.ocspd["P-256"].start(self.table.path)
        _, answer = ocsp_servers.fetch(server.port, self.table.path)
        _, fresh = ocsp_servers.fetch(server.port, "/", self.live.body)
        server.stop()
        if self.live.body[-16:] not in fresh:
            raise AssertionError("ocspd does not return the nonce")
        return answer

    # --- one server, all its measurements -----------------------------------

    def measure(self, server, what, request, *clients, levels=None):
        for client in clients:
            for connections in levels or self.options.connections:
                key = (what, client, connections)
                try:
                    if client == "wrk":
                        got = ocsp_load.keep_alive(
                            server, request, connections,
                            self.options.seconds)
                    else:
                        got = ocsp_load.one_each(
                            server, request, connections,
                            self.options.ab_seconds, self.tmp)
                    self.rows.setdefault(key, {})[self.run] = got
                except ocsp_load.Stalled as why:
                    self.stalls.setdefault(key, []).append(str(why))

    def finish(self, server, what):
        self.starts.setdefault(what, []).append(server.memory())
        server.stop()

    def warm_up(self, server, request):
        ocsp_load.keep_alive(server, request, BUDGET_CONNECTIONS, WARM_UP_S)

    def do_nginx(self):
        server = ocsp_servers.start_nginx(self.folder, self.answer)
        request = ocsp_load.Request("/answer")
        self.warm_up(server, request)
        self.measure(server, "nginx", request, "wrk", "ab")
        self.finish(server, "nginx")

    def do_p256(self):
        server = self.ocspd["P-256"].start(self.table.path)
        self.warm_up(server, self.table)
        self.measure(server, "table", self.table, "wrk", "ab")
        self.measure(server, "post", self.post, "wrk",
                     levels=[BUDGET_CONNECTIONS])
        self.measure(server, "p256", self.live, "wrk", "ab")
        self.finish(server, "ocspd")

    def do_rsa(self):
        server = self.ocspd["RSA-2048"].start(self.table.path)
        self.warm_up(server, self.live)
        self.measure(server, "rsa", self.live, "wrk")
        server.stop()

    def do_cfssl(self):
        server = ocsp_servers.start_cfssl(self.folder, self.answer,
                                          self.post.body)
        self.warm_up(server, self.post)
        self.measure(server, "cfssl", self.post, "wrk", "ab")
        self.finish(server, "cfssl")

    def do_openssl(self):
        """A connection that ends without a request, as the last ones of ab
        do, wedges it: anew for each number of them."""
        if self.openssl is None:
            return
        request = ocsp_load.Request("/", self.openssl.request)
        for connections in self.options.connections:
            server = self.openssl.start()
            self.measure(server, "openssl", request, "ab",
                         levels=[connections])
            self.finish(server, "openssl")

    def signatures(self):
        for what, algorithm in (("p256", "ecdsap256"), ("rsa", "rsa2048")):
            self.rows.setdefault(("sign", what), {})[self.run] = {
                "us": ocsp_load.signature_us(algorithm,
                                             self.options.ab_seconds)}

    def all_runs(self):
        steps = [self.do_nginx, self.do_p256, self.do_rsa, self.do_cfssl,
                 self.do_openssl, self.signatures]
        for self.run in range(self.options.runs):
            print(f"run {self.run + 1} of {self.options.runs}: load "
                  f"{os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
            first = self.run % len(steps)
            for step in steps[first:] + steps[:first]:
                step()


# --- requests --------------------------------------------------------------


def as_path(request):
    return "/" + urllib.parse.quote(base64.b64encode(request), safe="")


def make_requests(sys_):
    """For a certificate just signed: one without nonce, one that ends so."""
    csr = sys_.file("csr", sys_.csr("email:bench@example.test", cn="bench"))
    certificate = f"{sys_.tmp}/certificate.pem"
    sys_.csrmail("cert", "sign", csr, "--ca", sys_.env["ISSUER_NAME"],
                 "--profile", "user", "-o", certificate)
    made = []
    for option in ("-no_nonce", "-nonce"):
        path = f"{sys_.tmp}/request{option}"
        system.run("openssl", "ocsp", "-issuer", sys_.env["ISSUER_CERT"],
                   "-cert", certificate, option, "-reqout", path)
        with open(path, "rb") as f:
            made.append(f.read())
    return made


def main():
    options = arguments()
    ocsp_load.allow_many_files()
    sys_ = system.System(options.folder)
    sys_.heal()
    machine.describe("nginx-light", "golang-cfssl", "openssl", "libssl3",
                     "libsqlite3-0", "wrk", "apache2-utils")
    bench = Bench(options, sys_)
    bench.all_runs()
    ocsp_report.tell(bench, options, len(bench.answer), BUDGET_CONNECTIONS)


if __name__ == "__main__":
    main()
