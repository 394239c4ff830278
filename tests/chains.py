#!/usr/bin/env python3
"""Do the clients accept what we issue?

Makes a root, a CA below it and a certificate of every shipped profile and of
the built-in one for OCSP responders (tests/support/issue_tool.c, which is the
library and nothing else), and asks OpenSSL, GnuTLS, NSS and Java. Then asks
them about chains that they must refuse, so that an acceptance says something:
a signature with one bit changed, a root with the right name and another key, a
CA that is over, a critical extension that nobody knows, and a purpose that the
certificate does not have. No network.

One line for each fault; exits 1 when there is one, 77 when a client is not
installed (init/packages.sh tests).

    chains.py ISSUE_TOOL
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROFILES = os.path.join(HERE, "..", "policies", "profiles")
CLIENTS = {"openssl": "openssl", "certtool": "gnutls-bin",
           "certutil": "libnss3-tools", "java": "openjdk-17-jdk-headless"}

# For each profile: what OpenSSL calls its purposes (-purpose), what GnuTLS is
# told to verify it for, and the usages of NSS (certutil -u). Java's PKIX asks
# for no purpose.
ID_KP = "1.3.6.1.5.5.7.3."
CASES = {
    "tls-server":	(["sslserver"], ID_KP + "1", "V"),
    "tls-client":	(["sslclient"], ID_KP + "2", "C"),
    "user":		(["smimesign", "sslclient"], ID_KP + "4", "SRC"),
    "vpn-gateway":	(["sslserver"], ID_KP + "1", "V"),
    "vpn-host":		(["sslclient"], ID_KP + "2", "C"),
    "code-signing":	(["any"], ID_KP + "3", "J"),
    "time-stamping":	(["timestampsign"], ID_KP + "8", ""),
    "ocsp-responder":	(["ocsphelper"], ID_KP + "9", "O"),
    "sub-ca":		(["any", "crlsign"], None, "L"),
    "short-lived":	(["sslserver"], ID_KP + "1", "V"),
    "must-staple":	(["sslserver"], ID_KP + "1", "V"),
    # tls-server with an extension that no client knows, not critical.
    "private":		(["sslserver"], ID_KP + "1", "V"),
}
# What a client is not asked, and why.
NOT_ASKED = {
    ("NSS", "Ed25519"): "NSS 3.87 stores no certificate with such a key",
    ("NSS", "time-stamping"): "certutil has no usage for it",
}
# Made for the refusals only.
REFUSED = {"critical"}


def run(*command, text=None):
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout.strip()


def last_line(text):
    return text.splitlines()[-1] if text else "(nothing)"


class Chain:
    """A certificate with what stands above it."""

    def __init__(self, profile, kind, root="root.pem", between="child.pem",
                 leaf=None):
        self.profile, self.kind = profile, kind
        self.leaf = leaf or "%s.%s.pem" % (profile, kind)
        self.between, self.root = between, root
        self.purposes, self.oid, self.usages = CASES[profile]

    def __str__(self):
        return self.leaf[:-4]


# --- the clients: each yields why it refuses, or nothing -------------------


def ask_openssl(chains):
    for chain in chains:
        for purpose in chain.purposes:
            code, said = run(
                "openssl", "verify", "-x509_strict", "-no-CApath",
                "-no-CAstore", "-purpose", purpose, "-CAfile", chain.root,
                "-untrusted", chain.between, chain.leaf)
            if code != 0:
                yield chain, "%s: %s" % (purpose, " ".join(re.findall(
                    "error .*lookup: .*", said)) or said)


def ask_gnutls(chains):
    for chain in chains:
        with open("chain", "w", encoding="ascii") as f:
            for path in (chain.leaf, chain.between, chain.root):
                with open(path, encoding="ascii") as part:
                    f.write(part.read())
        questions = [["--verify-chain"]]
        if chain.oid is not None:
            questions.append(["--verify", "--load-ca-certificate", chain.root,
                              "--verify-purpose", chain.oid])
        for question in questions:
            said = run("certtool", "--infile", "chain",
                       "--verify-profile", "low", *question)[1]
            verdict = re.search("Chain verification output: (.*)", said)
            if not verdict or not verdict.group(1).startswith("Verified."):
                yield chain, "%s: %s" % (
                    question[0], verdict.group(1) if verdict else said)


def nss_folder(chains):
    """A database with the CAs of these chains and the certificates; and what
    it did not take."""
    folder, faults = "sql:" + tempfile.mkdtemp(dir="."), []
    run("certutil", "-N", "-d", folder, "--empty-password")
    for chain in chains:
        for path, trust in ((chain.root, "CT,C,C"), (chain.between, ",,"),
                            (chain.leaf, ",,")):
            if run("certutil", "-L", "-d", folder, "-n", path)[0] != 0:
                code, said = run("certutil", "-A", "-d", folder, "-a", "-n",
                                 path, "-t", trust, "-i", path)
                if code != 0:
                    faults.append((chain, last_line(said)))
    return folder, faults


def ask_nss(chains):
    folder, faults = nss_folder(chains)
    yield from faults
    for chain in chains:
        for usage in chain.usages:
            # For code NSS wants its trust in the CA itself, since the CA's
            # certificate has no netscape-cert-type.
            run("certutil", "-M", "-d", folder, "-n", chain.between, "-t",
                ",,C" if usage == "J" else ",,")
            code, said = run("certutil", "-V", "-e", "-d", folder, "-n",
                             chain.leaf, "-u", usage)
            if code != 0:
                yield chain, "usage %s: %s" % (usage, last_line(said))


def ask_java(chains):
    lines = "".join("%s %s %s\n" % (chain.root, chain.leaf, chain.between)
                    for chain in chains)
    code, said = run("java", os.path.join(HERE, "support", "Chains.java"),
                     text=lines)
    answers = said.splitlines()
    if code != 0 or len(answers) != len(chains):
        yield chains[0], said
        return
    for chain, answer in zip(chains, answers):
        if answer != "ok":
            yield chain, answer


ASK = {"OpenSSL": ask_openssl, "GnuTLS": ask_gnutls, "NSS": ask_nss,
       "Java": ask_java}


# --- what must be refused ---------------------------------------------------


def change_a_bit(path, out):
    """In the last octet but one of the signature."""
    with open(path, encoding="ascii") as f:
        der = bytearray(base64.b64decode("".join(
            f.read().splitlines()[1:-1])))
    der[-2] ^= 1
    with open(out, "w", encoding="ascii") as f:
        f.write("-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" %
                base64.encodebytes(der).decode("ascii"))


def refusals():
    """(what is wrong, chain, the clients that must notice)"""
    everybody = set(ASK)
    for kind in ("P-256", "RSA"):
        good = "tls-server.%s.pem" % kind
        change_a_bit(good, "changed.%s.pem" % kind)
        yield "a changed signature", Chain(
            "tls-server", kind, leaf="changed.%s.pem" % kind), everybody
        yield "another root of that name", Chain(
            "tls-server", kind, root="other.pem"), everybody
    yield "a CA that is over", Chain(
        "tls-server", "P-256", root="old-root.pem", between="old-child.pem",
        leaf="old.pem"), everybody
    # What the documentation of `extension` warns of.
    yield "an unknown critical extension", Chain(
        "tls-server", "P-256", leaf="critical.P-256.pem"), everybody
    # Java's PKIX leaves the purpose to who asks.
    yield "a client's certificate for a server", Chain(
        "tls-server", "P-256", leaf="tls-client.P-256.pem"), \
        everybody - {"Java"}


def check_refusals():
    for what, chain, clients in refusals():
        for client in sorted(clients):
            if not list(ASK[client]([chain])):
                yield "%s accepts %s (%s)" % (client, what, chain)


# --- all together -----------------------------------------------------------


def check_made(made):
    """Is there a certificate for each profile, and a case for each?"""
    shipped = {name[:-5] for name in os.listdir(PROFILES)
               if name.endswith(".conf")} | {"ocsp-responder", "private"}
    for profile in sorted(shipped ^ set(CASES)):
        yield "%s: shipped, or a case, but not both" % profile
    for profile in sorted(set(CASES) - {profile for profile, _ in made}):
        yield "%s: no certificate was made" % profile


def check_accepted(made):
    for client, ask in ASK.items():
        chains = [Chain(profile, kind) for profile, kind in made
                  if profile not in REFUSED and
                  (client, kind) not in NOT_ASKED and
                  (client, profile) not in NOT_ASKED]
        for chain, why in ask(chains):
            yield "%s refuses %s: %s" % (client, chain, why)
        print("%s: %d chains" % (client, len(chains)))


def main():
    tool = os.path.abspath(sys.argv[1])
    missing = [package for program, package in CLIENTS.items()
               if shutil.which(program) is None]
    if missing:
        print("chains: not installed: %s" % ", ".join(missing))
        return 77
    with tempfile.TemporaryDirectory(prefix="chains.") as folder:
        code, said = run(tool, PROFILES, folder)
        if code != 0:
            print(said)
            return 1
        made = [tuple(line.split()) for line in said.splitlines()]
        os.chdir(folder)
        faults = [fault for check in (check_made(made), check_accepted(made),
                                      check_refusals())
                  for fault in check]
        os.chdir("/")
    for (client, what), why in sorted(NOT_ASKED.items()):
        print("%s, %s: not asked, %s" % (client, what, why))
    for fault in faults:
        print(fault)
    print("%d certificates, %d faults" % (len(made), len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
