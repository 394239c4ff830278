#!/usr/bin/env python3
"""Ceremonies without a daemon, with the real command line.

An offline root in one folder, an issuing CA in another; what travels are
files. Then the classic terse forms, and everything that has to be refused,
with the folders looked at before and after: a refusal leaves nothing behind.

    offline.py BINDIR [TEST...]
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

BIN = os.path.abspath(sys.argv[1])


class Failed(Exception):
    pass


def check(what, text):
    if not what:
        raise Failed(text)


class Place:
    """A folder of files, and csrmail in it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="offline.")
        self.write("pass", "correct horse\n")
        self.write("other", "battery staple\n")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def close(self):
        shutil.rmtree(self.dir)

    def run(self, *words, env=None):
        """Without a terminal: setsid takes it away."""
        return subprocess.run(
            [os.path.join(BIN, "csrmail"), *words], cwd=self.dir,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C",
                              **(env or {})})

    def csrmail(self, *words, env=None):
        done = self.run(*words, env=env)
        check(done.returncode == 0, "csrmail %s: %d\n%s%s" % (
            " ".join(words), done.returncode, done.stdout, done.stderr))
        return done.stdout

    def refused(self, code, why, *words, env=None, folders=()):
        """That exit code, those words; and the folders as they were."""
        before = [self.state(f) for f in folders]
        done = self.run(*words, env=env)
        check(done.returncode == code, "csrmail %s: exit %d, not %d\n%s%s" % (
            " ".join(words), done.returncode, code, done.stdout, done.stderr))
        check(why in done.stderr, "csrmail %s: %r is not in %r" % (
            " ".join(words), why, done.stderr))
        for folder, was in zip(folders, before):
            now = self.state(folder)
            check(now == was, "csrmail %s leaves something in %s: %s" % (
                " ".join(words), folder,
                sorted(set(now.items()) ^ set(was.items()))))

    def state(self, folder):
        """What is on record there, and each file but the database's."""
        found = {}
        for at, _, files in os.walk(self.path(folder)):
            for name in files:
                path = os.path.join(at, name)
                if not name.startswith("store.db") and name != "lock":
                    with open(path, "rb") as f:
                        found[path] = hashlib.sha256(f.read()).hexdigest()
        for what in (["ca", "list"], ["cert", "list"], ["crl", "show"]):
            done = self.run("--folder", folder, "--json", *what)
            found[" ".join(what)] = done.stdout
        return found

    def rows(self, folder, *what):
        return json.loads(self.csrmail("--folder", folder, "--json", *what))

    def openssl(self, *words):
        return subprocess.run(["openssl", *words], cwd=self.dir,
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)


def fingerprint(place, path):
    out = place.openssl("x509", "-in", path, "-noout", "-fingerprint",
                        "-sha256").stdout
    return out.strip().split("=")[1]


def pack(p, to, *pems):
    """Certificates in a .p7c, by another program."""
    with open(p.path(to + ".pem"), "wb") as f:
        f.write(b"".join(p.read(pem) for pem in pems))
    done = p.openssl("crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile",
                     to + ".pem", "-out", to)
    check(done.returncode == 0, done.stdout)


ROOT = ("--folder", "root")
ISSUE = ("--folder", "issue")
PASS = ("--passphrase-file", "pass")
PARENT = ("--parent-passphrase-file", "pass")


def make_root(p):
    p.csrmail(*ROOT, "ca", "create-root", "root", "--subject",
              "O=Example, CN=Example Root", *PASS)
    return fingerprint(p, "root/published/root.pem")


def make_pair(p):
    """A root and a CA below it, each in its folder. The root's print."""
    told = make_root(p)
    p.csrmail(*ISSUE, "ca", "request", "users", "--subject",
              "O=Example, CN=Users", *PASS, "-o", "users.p10")
    p.csrmail(*ROOT, "ca", "sign", "users.p10", "--parent", "root", "--days",
              "1000", *PARENT, "--yes", "-o", "users.p7c")
    p.csrmail(*ISSUE, "ca", "install", "users", "users.p7c", *PASS,
              "--root-fingerprint", told)
    return told


def verifies(p, cert):
    """With both lists, as a stranger would."""
    with open(p.path("crls.pem"), "wb") as out:
        for crl in ("root/published/root.crl.pem",
                    "issue/published/users.crl.pem"):
            out.write(p.read(crl))
    return p.openssl("verify", "-x509_strict", "-crl_check_all", "-CAfile",
                     "root/published/root.pem", "-untrusted",
                     "issue/published/users.pem", "-CRLfile", "crls.pem",
                     cert)


# --- a whole ceremony ---------------------------------------------------------


def test_a_ceremony_with_two_folders(p):
    make_pair(p)
    check([r["name"] for r in p.rows("issue", "ca", "list")] ==
          ["root", "users"], "both CAs are on record")
    check(not os.path.exists(p.path("issue/keys/root.key")), "no key travels")
    check(not os.path.exists(p.path("root/keys/users.key")), "no key travels")
    p.csrmail("request", "new", "www.example.org", "--no-passphrase")
    p.csrmail(*ISSUE, "cert", "sign", "www.example.org.p10", "--ca", "users",
              "--profile", "tls-server", *PASS, "-o", "www.pem")
    p.csrmail(*ROOT, "crl", "update", "root", "--days", "200", *PASS, "-o",
              "root.crl")
    p.csrmail(*ISSUE, "crl", "install", "root.crl")
    check(p.read("issue/published/root.crl") == p.read("root.crl"),
          "the list is published octet for octet")
    p.csrmail(*ISSUE, "crl", "update", "users", *PASS)
    done = verifies(p, "www.pem")
    check(done.returncode == 0, done.stdout)

    # A leaf is revoked, and then its CA.
    serial = p.rows("issue", "cert", "list", "--ca", "users")[0]["serial"]
    p.csrmail(*ISSUE, "cert", "revoke", serial, "--reason", "keyCompromise",
              *PASS)
    done = verifies(p, "www.pem")
    check(done.returncode != 0 and "revoked" in done.stdout, done.stdout)
    p.csrmail("request", "new", "w2.example.org", "--no-passphrase")
    p.csrmail(*ISSUE, "cert", "sign", "w2.example.org.p10", "--ca", "users",
              "--profile", "tls-server", *PASS, "-o", "w2.pem")
    check(verifies(p, "w2.pem").returncode == 0, "w2 is good")
    serial = p.rows("root", "cert", "list", "--ca", "root")[0]["serial"]
    p.csrmail(*ROOT, "cert", "revoke", serial, "--reason",
              "cessationOfOperation", *PASS)
    done = verifies(p, "w2.pem")
    check(done.returncode != 0 and "revoked" in done.stdout, done.stdout)
    shutil.copy(p.path("root/published/root.crl"), p.path("root2.crl"))
    p.csrmail(*ISSUE, "crl", "install", "root2.crl")
    states = {r["serial"]: r["state"] for r in p.rows("issue", "cert", "list")}
    check(states[serial] == "revoked", "the list's entry is on record too")
    p.csrmail("request", "new", "w3.example.org", "--no-passphrase")
    p.refused(65, "", *ISSUE, "cert", "sign", "w3.example.org.p10", "--ca",
              "users", "--profile", "tls-server", *PASS, "-o", "w3.pem")
    check(not os.path.exists(p.path("w3.pem")), "a revoked CA signs nothing")
    for folder in ("root", "issue"):
        p.csrmail("--folder", folder, "audit", "verify")


def test_a_new_system_whose_root_is_elsewhere(p):
    """`csrmail init --request`: no root is made here, not even for a while."""
    told = make_root(p)
    p.write("mail", "secret\n")
    os.chmod(p.path("mail"), 0o600)
    init = ["init", "--yes", "--unprivileged", "--name", "Example",
            "--address", "ca@example.test", "--imap-host", "127.0.0.1",
            "--imap-tls", "none", "--smtp-tls", "none", "--password-file",
            p.path("mail"), "--conf-dir", p.path("etc"), "--state-dir",
            p.path("state"), "--run-dir", p.path("run")]
    p.refused(73, "none/users.p10", *init, "--request", "none/users.p10")
    said = p.csrmail(*init, "--request", "users.p10")
    check("ca install users" in said and "root.key" not in said, said)
    conf = ["-c", p.path("etc/csrmaild.conf")]
    p.csrmail("policy", "check", *conf)
    check(os.listdir(p.path("state/keys")) == ["users.key"], "one key")
    check(os.listdir(p.path("state/published")) == [], "nothing published")
    p.csrmail(*ROOT, "ca", "sign", "users.p10", "--parent", "root", *PARENT,
              "--yes", "-o", "users.p7c")
    # Its section says where the passphrase is.
    p.csrmail("ca", "install", "users", "users.p7c", "--root-fingerprint",
              told, *conf)
    rows = json.loads(p.csrmail("ca", "list", "--json", *conf))
    check([(r["name"], r.get("parent")) for r in rows] ==
          [("root", None), ("users", "root")], str(rows))
    check(fingerprint(p, "state/published/root.pem") == told, "that root")
    p.refused(73, "there is a CA already", *init, "--request", "again.p10")


def test_a_request_comes_again(p):
    make_root(p)
    words = [*ISSUE, "ca", "request", "users", "--subject", "CN=Users", *PASS]
    p.csrmail(*words, "-o", "a.p10")
    p.csrmail(*words, "-o", "b.p10")
    keys = [p.openssl("req", "-inform", "DER", "-in", f, "-noout",
                      "-pubkey").stdout for f in ("a.p10", "b.p10")]
    check("BEGIN PUBLIC KEY" in keys[0] and keys[0] == keys[1],
          "one key, asked for twice")
    p.refused(70, "passphrase", *ISSUE, "ca", "request", "users", "--subject",
              "CN=Users", "--passphrase-file", "other", "-o", "c.p10",
              folders=["issue"])


def test_the_protocol_says_what_was_done(p):
    told = make_root(p)
    p.csrmail(*ISSUE, "ca", "request", "users", "--subject",
              "O=Example, CN=Users", *PASS, "-o", "users.p10", "--protocol",
              "request.txt")
    out = p.csrmail(*ROOT, "ca", "sign", "users.p10", "--parent", "root",
                    *PARENT, "--yes", "-o", "users.p7c", "--protocol",
                    "sign.txt")
    text = p.read("sign.txt").decode()
    check(out == text, "printed as it is written")
    with open(p.path("users.p7c"), "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest().upper()
    prints = text.replace(":", "")
    for what in (told.replace(":", ""), digest):
        check(what in prints, "the protocol lacks %s:\n%s" % (what, text))
    for what in ("unix:", "csrmail ", "ca sign users.p10", "CN = Users",
                 "path length   0", "witness", "done by"):
        check(what in text, "the protocol lacks %s:\n%s" % (what, text))
    key = [line for line in p.read("request.txt").decode().splitlines()
           if "key SHA-256" in line]
    check(len(key) == 1 and key[0] in text, "the same key in both")
    for text in (p.read("sign.txt"), p.read("request.txt")):
        check(b"correct horse" not in text, "no passphrase in a protocol")
    check("--subject 'O=Example, CN=Users'" in p.read("request.txt").decode(),
          "the command can be typed again as it stands there")
    # An old protocol is never written over, and nothing is done before.
    p.csrmail(*ISSUE, "ca", "install", "users", "users.p7c", *PASS,
              "--root-fingerprint", told)
    was = p.read("sign.txt")
    p.refused(73, "sign.txt is there already", *ISSUE, "crl", "update",
              "users", *PASS, "--protocol", "sign.txt", folders=["issue"])
    p.refused(73, "none/x.txt", *ISSUE, "crl", "update", "users", *PASS,
              "--protocol", "none/x.txt", folders=["issue"])
    check(p.read("sign.txt") == was, "and it was not written over")


# --- what is refused -----------------------------------------------------------


def test_an_installation_that_does_not_fit(p):
    told = make_root(p)
    for name in ("users", "others"):
        p.csrmail(*ISSUE, "ca", "request", name, "--subject", "CN=" + name,
                  *PASS, "-o", name + ".p10")
        p.csrmail(*ROOT, "ca", "sign", name + ".p10", "--parent", "root",
                  *PARENT, "--yes", "-o", name + ".p7c")
    install = [*ISSUE, "ca", "install"]
    trust = ["--root-fingerprint", told]
    p.refused(65, "for another key", *install, "users", "others.p7c", *PASS,
              *trust, folders=["issue"])
    p.refused(65, "the root in the file is another one", *install, "users",
              "users.p7c", *PASS, "--root-fingerprint", "00" * 32,
              folders=["issue"])
    p.refused(65, "the root in the file is another one", *install, "users",
              "users.p7c", *PASS, "--root-fingerprint", told[:-1],
              folders=["issue"])
    p.refused(64, "no terminal", *install, "users", "users.p7c", *PASS,
              folders=["issue"])
    p.refused(70, "passphrase", *install, "users", "users.p7c",
              "--passphrase-file", "other", *trust, folders=["issue"])
    p.refused(65, "no keys/nobody.key", *install, "nobody", "users.p7c",
              *PASS, *trust, folders=["issue"])
    whole = p.read("users.p7c")
    for name, octets, why in (
            ("cut.p7c", whole[:-1], "no .p7c"),
            ("long.p7c", whole + b"\0", "no .p7c"),
            ("text.p7c", b"hello", "no .p7c"),
            ("root.crt", p.read("root/published/root.crt"), "no .p7c")):
        with open(p.path(name), "wb") as f:
            f.write(octets)
        p.refused(65, why, *install, "users", name, *PASS, *trust,
                  folders=["issue"])
    # Without its root, and a root alone.
    pack(p, "leaf.p7c", "root/published/users.pem")
    p.refused(65, "up to its root", *install, "users", "leaf.p7c", *PASS,
              *trust, folders=["issue"])
    pack(p, "rootonly.p7c", "root/published/root.pem")
    p.refused(65, "a root alone", *install, "users", "rootonly.p7c", *PASS,
              *trust, folders=["issue"])
    # Another root of the same name: the signature is not its.
    p.csrmail("--folder", "evil", "ca", "create-root", "root", "--subject",
              "O=Example, CN=Example Root", *PASS)
    pack(p, "evil.p7c", "root/published/users.pem",
         "evil/published/root.pem")
    p.refused(65, "", *install, "users", "evil.p7c", *PASS,
              "--root-fingerprint", fingerprint(
                  p, "evil/published/root.pem"), folders=["issue"])
    # Its octets changed where only the signature says so.
    leaf = bytearray(p.read("root/published/users.crt"))
    leaf[-1] ^= 1
    with open(p.path("bent.crt"), "wb") as f:
        f.write(leaf)
    p.openssl("x509", "-inform", "DER", "-in", "bent.crt", "-out", "bent.pem")
    pack(p, "bent.p7c", "bent.pem", "root/published/root.pem")
    p.refused(65, "the chain does not hold", *install, "users", "bent.p7c",
              *PASS, *trust, folders=["issue"])
    # And what fits does fit, once.
    p.csrmail(*install, "users", "users.p7c", *PASS, *trust)
    p.refused(65, "exists", *install, "users", "users.p7c", *PASS, *trust,
              folders=["issue"])
    # Another root's for the same key: nor does that root go on record.
    p.csrmail("--folder", "far", "ca", "create-root", "far", "--subject",
              "CN=Far", *PASS)
    p.csrmail("--folder", "far", "ca", "sign", "users.p10", "--parent",
              "far", *PARENT, "--yes", "-o", "far.p7c")
    far = fingerprint(p, "far/published/far.pem")
    p.refused(65, "another issuer", *install, "users", "far.p7c", *PASS,
              "--root-name", "far", "--root-fingerprint", far,
              folders=["issue"])
    # A second root wants a name of its own, and is known by it from then on.
    p.csrmail(*ISSUE, "ca", "request", "staff", "--subject", "CN=Staff",
              *PASS, "-o", "staff.p10")
    p.csrmail("--folder", "far", "ca", "sign", "staff.p10", "--parent", "far",
              *PARENT, "--yes", "-o", "staff.p7c")
    second = [*install, "staff", "staff.p7c", *PASS, "--root-fingerprint", far]
    p.refused(65, "another CA is called root here", *second,
              folders=["issue"])
    p.refused(65, "another CA is called users here", *second, "--root-name",
              "users", folders=["issue"])
    p.csrmail(*second, "--root-name", "remote")
    p.csrmail(*ISSUE, "ca", "request", "staff", "--renew", *PASS, "-o",
              "staff.p10")
    p.csrmail("--folder", "far", "ca", "sign", "staff.p10", "--parent", "far",
              *PARENT, "--yes", "-o", "staff.p7c")
    p.csrmail(*second)
    check([(r["name"], r.get("parent")) for r in
           p.rows("issue", "ca", "list")] ==
          [("remote", None), ("root", None), ("staff", "remote"),
           ("users", "root")], "each below its own root")


def test_a_chain_of_another_program(p):
    """Too long a path, and one that has ended: refused. A good one is not."""
    p.csrmail(*ISSUE, "ca", "request", "users", "--subject", "CN=Users",
              *PASS, "-o", "users.p10")
    p.write("ca.cnf", "basicConstraints = critical, CA:true\n"
            "keyUsage = critical, keyCertSign, cRLSign\n"
            "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n")
    for root, limit in (("long", "CA:true, pathlen:0"), ("fine", "CA:true")):
        p.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                  root + ".key", "-subj", "/CN=" + root, "-days", "30",
                  "-addext", "basicConstraints = critical, " + limit,
                  "-addext", "keyUsage = critical, keyCertSign, cRLSign",
                  "-config", "/dev/null", "-out", root + ".pem")
        p.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout",
                  root + "-mid.key", "-subj", "/CN=mid", "-config",
                  "/dev/null", "-out", "mid.csr")
        p.openssl("x509", "-req", "-in", "mid.csr", "-CA", root + ".pem",
                  "-CAkey", root + ".key", "-extfile", "ca.cnf", "-days",
                  "20", "-out", root + "-mid.pem")
        for name, days in (("leaf", "10"), ("ended", "-1")):
            done = p.openssl("x509", "-req", "-inform", "DER", "-in",
                             "users.p10", "-CA", root + "-mid.pem", "-CAkey",
                             root + "-mid.key", "-extfile", "ca.cnf", "-days",
                             days, "-out", name + ".pem")
            check(done.returncode == 0, done.stdout)
            pack(p, "%s-%s.p7c" % (root, name), name + ".pem",
                 root + "-mid.pem", root + ".pem")
    for name, root, why in (("long-leaf", "long", "path length"),
                            ("fine-ended", "fine", "expired")):
        p.refused(65, why, *ISSUE, "ca", "install", "users", name + ".p7c",
                  *PASS, "--root-fingerprint", fingerprint(p, root + ".pem"),
                  folders=["issue"])
    p.csrmail(*ISSUE, "ca", "install", "users", "fine-leaf.p7c", *PASS,
              "--root-fingerprint", fingerprint(p, "fine.pem"))


def test_a_request_that_the_root_does_not_sign(p):
    make_root(p)
    p.csrmail(*ISSUE, "ca", "request", "users", "--subject", "CN=Users",
              *PASS, "-o", "users.p10")
    sign = [*ROOT, "ca", "sign"]
    end = ["--parent", "root", *PARENT, "-o", "users.p7c"]
    p.refused(64, "no terminal", *sign, "users.p10", *end, folders=["root"])
    p.refused(64, "--output", *sign, "users.p10", "--parent", "root",
              *PARENT, "--yes", folders=["root"])
    p.refused(73, "nowhere", *sign, "users.p10", "--parent", "root", *PARENT,
              "--yes", "-o", "nowhere/users.p7c", folders=["root"])
    p.refused(65, "there is no CA nobody", *sign, "users.p10", "--parent",
              "nobody", *PARENT, "--yes", "-o", "users.p7c",
              folders=["root"])
    p.refused(70, "passphrase", *sign, "users.p10", "--parent", "root",
              "--parent-passphrase-file", "other", "--yes", "-o",
              "users.p7c", folders=["root"])
    p.refused(65, "exists", *sign, "users.p10", *end, "--yes", "--name",
              "root", folders=["root"])
    p.refused(64, "--days", *sign, "users.p10", *end, "--yes", "--days", "0",
              folders=["root"])
    octets = bytearray(p.read("users.p10"))
    octets[-1] ^= 1
    with open(p.path("bent.p10"), "wb") as f:
        f.write(octets)
    p.refused(65, "", *sign, "bent.p10", *end, "--yes", folders=["root"])
    with open(p.path("two.p10"), "wb") as f:
        f.write(p.read("users.p10") * 2)
    p.refused(65, "", *sign, "two.p10", *end, "--yes", folders=["root"])
    # A leaf's request asks for names that no CA has.
    p.csrmail("request", "new", "www.example.org", "--no-passphrase")
    p.refused(65, "not for a CA", *sign, "www.example.org.p10", *end, "--yes",
              "--name", "www", folders=["root"])
    # The root's own key, certified once more.
    p.openssl("pkey", "-in", "root/keys/root.key", "-passin",
              "file:pass", "-out", "root.plain")
    p.openssl("req", "-new", "-key", "root.plain", "-subj", "/CN=Again",
              "-outform", "DER", "-out", "again.p10")
    p.refused(65, "is on record", *sign, "again.p10", *end, "--yes",
              folders=["root"])
    check(not os.path.exists(p.path("users.p7c")), "nothing was written")
    # The file's name is the CA's, unless told.
    p.csrmail(*sign, "users.p10", *end, "--yes")
    check([r["name"] for r in p.rows("root", "ca", "list")] ==
          ["root", "users"], "called like the file")
    # Nor by another root, under another name: a key has one CA.
    p.csrmail(*ROOT, "ca", "create-root", "second", "--subject", "CN=Second",
              *PASS)
    p.refused(65, "is on record", *sign, "users.p10", "--parent", "second",
              *PARENT, "--yes", "--name", "users2", "-o", "users2.p7c",
              folders=["root"])


# --- a CA's next certificate --------------------------------------------------


def leaf(p, host):
    """A certificate of the issuing CA: HOST.pem."""
    p.csrmail("request", "new", host, "--no-passphrase")
    p.csrmail(*ISSUE, "cert", "sign", host + ".p10", "--ca", "users",
              "--profile", "tls-server", *PASS, "-o", host + ".pem")


def holds(p, host, root, *between):
    """Its chain, to that root, through those certificates."""
    with open(p.path("between.pem"), "wb") as out:
        for pem in between:
            out.write(p.read(pem))
    return p.openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted",
                     "between.pem", host + ".pem").returncode == 0


def to_pem(p, der, pem):
    done = p.openssl("x509", "-inform", "DER", "-in", der, "-out", pem)
    check(done.returncode == 0, done.stdout)


def renew(p, told, *words, name="users", sign=()):
    """All three steps. What the steps print."""
    return (p.csrmail(*ISSUE, "ca", "request", name, "--renew", *words,
                      *PASS, "-o", "next.p10"),
            p.csrmail(*ROOT, "ca", "sign", "next.p10", "--parent", "root",
                      *PARENT, "--yes", "-o", "next.p7c", *sign),
            p.csrmail(*ISSUE, "ca", "install", name, "next.p7c", *PASS,
                      "--root-fingerprint", told))


def text_of(p, pem):
    return p.openssl("x509", "-in", pem, "-noout", "-text").stdout


def test_a_renewal_of_the_same_key(p):
    told = make_pair(p)
    leaf(p, "old.example.org")
    before = p.rows("issue", "ca", "list")
    shutil.copy(p.path("issue/published/users.pem"), p.path("before.pem"))
    old = p.rows("root", "cert", "list", "--ca", "root")[0]["serial"]
    was = p.state("issue")
    for n in range(2):
        p.csrmail(*ISSUE, "ca", "request", "users", "--renew", *PASS, "-o",
                  "%d.p10" % n)
    check(p.state("issue") == was, "a request changes nothing")
    _, signed, installed = renew(p, told, sign=("--days", "2000"))
    check("renewal of      users, serial " + old in signed, signed)
    check("certificate was renewed" in signed, signed)
    check("certificate was renewed" in installed, installed)
    check([r["name"] for r in p.rows("issue", "ca", "list")] ==
          [r["name"] for r in before], "no other CA")
    for folder in ("root", "issue"):
        kept = "%s/published/users.%s.crt" % (folder, old)
        to_pem(p, kept, folder + "-kept.pem")
        check(p.read(folder + "-kept.pem") == p.read("before.pem"),
              "the old one is kept")
    check(p.read("root/published/users.crt") ==
          p.read("issue/published/users.crt"), "the same at both")
    now = [r for r in p.rows("root", "cert", "list", "--ca", "root")
           if r["serial"] != old]
    row = p.rows("root", "cert", "show", old)
    check(len(now) == 1 and row.get("superseded_by") == now[0]["serial"],
          "the root knows what took its place: %s" % row)
    # Both leaves, through both certificates.
    leaf(p, "new.example.org")
    for host in ("old.example.org", "new.example.org"):
        for users in ("before.pem", "issue/published/users.pem"):
            check(holds(p, host, "root/published/root.pem", users),
                  "%s through %s" % (host, users))
    p.refused(65, "exists with this certificate", *ISSUE, "ca", "install",
              "users", "next.p7c", *PASS, "--root-fingerprint", told,
              folders=["issue"])
    for folder in ("root", "issue"):
        p.csrmail("--folder", folder, "audit", "verify")


def test_a_renewal_keeps_its_bounds_unless_told(p):
    told = make_root(p)
    p.csrmail(*ISSUE, "ca", "request", "users", "--subject", "CN=Users",
              *PASS, "-o", "users.p10")
    p.csrmail(*ROOT, "ca", "sign", "users.p10", "--parent", "root", *PARENT,
              "--yes", "--permit", "dns:example.org", "--policies",
              "1.3.6.1.4.1.99999.1",
              "--path-len", "2", "--days", "400", "-o", "users.p7c")
    p.csrmail(*ISSUE, "ca", "install", "users", "users.p7c", *PASS,
              "--root-fingerprint", told)
    for words in ((), ("--new-key",)):
        renew(p, told, *words)
        text = text_of(p, "issue/published/users%s.pem" % (
            "~2" if words else ""))
        for what in ("DNS:example.org", "1.3.6.1.4.1.99999.1", "pathlen:2"):
            check(what in text, "%s is not kept: %s" % (what, text))
    renew(p, told, sign=("--permit", "dns:example.net", "--policies",
                         "1.3.6.1.4.1.99999.2", "--path-len", "1"))
    text = text_of(p, "issue/published/users~2.pem")
    for what in ("DNS:example.net", "1.3.6.1.4.1.99999.2", "pathlen:1"):
        check(what in text, "%s is not new: %s" % (what, text))
    for what in ("DNS:example.org", "1.3.6.1.4.1.99999.1", "pathlen:2"):
        check(what not in text, "%s is there still: %s" % (what, text))


def test_a_new_key_of_a_ca(p):
    told = make_pair(p)
    leaf(p, "old.example.org")
    p.write("issue/folder.conf", 'ca "users" {\n'
            '\tcrl_url = "http://ca.example.org/users.crl"\n}\n')
    os.chmod(p.path("issue/folder.conf"), 0o600)
    ask = [*ISSUE, "ca", "request", "users", "--renew", "--new-key", *PASS]
    p.refused(78, "write {ca}", *ask, "-o", "x.p10", folders=["issue"])
    p.write("issue/folder.conf", 'ca "users" {\n'
            '\tcrl_url = "http://ca.example.org/{ca}.crl"\n}\n')
    before = p.rows("issue", "ca", "list")
    p.csrmail(*ask, "--key-type", "p384", "-o", "a.p10")
    p.csrmail(*ask, "-o", "b.p10")
    keys = [p.openssl("req", "-inform", "DER", "-in", f, "-noout",
                      "-pubkey").stdout for f in ("a.p10", "b.p10")]
    check("BEGIN PUBLIC KEY" in keys[0] and keys[0] == keys[1],
          "one key, asked for twice")
    check(p.rows("issue", "ca", "list") == before, "nothing on record yet")
    # Until it is installed the old one signs.
    leaf(p, "between.example.org")
    _, signed, installed = renew(p, told, "--new-key")
    check("next key of     users, serial" in signed, signed)
    check("a CA's new key was certified" in signed, signed)
    check("a CA got a new key" in installed, installed)
    for folder in ("root", "issue"):
        check([r["name"] for r in p.rows(folder, "ca", "list")] ==
              ["root", "users", "users~2"], "beside the old one")
    check(not os.path.exists(p.path("root/keys/users~2.key")),
          "no key travels")
    leaf(p, "new.example.org")
    check("ca.example.org/users~2.crl" in text_of(p, "new.example.org.pem"),
          "the new key has an address of its own")
    root = "root/published/root.pem"
    users = ["issue/published/users.pem", "issue/published/users~2.pem"]
    check("secp384r1" in text_of(p, users[1]), "the kind that was asked for")
    for host, by in (("old.example.org", 0), ("between.example.org", 0),
                     ("new.example.org", 1)):
        check(holds(p, host, root, users[by]), host)
        check(holds(p, host, root, *users), host)
        check(not holds(p, host, root, users[1 - by]), host)
    # Each key has a list.
    p.csrmail(*ISSUE, "crl", "update", "users", *PASS)
    for ca in ("users", "users~2"):
        done = p.openssl("crl", "-inform", "DER", "-in",
                         "issue/published/%s.crl" % ca, "-noout", "-CAfile",
                         "issue/published/%s.pem" % ca)
        check("verify OK" in done.stdout, done.stdout)
    # And the old key can be renewed for its own sake.
    renew(p, told, name="users~1")
    check(holds(p, "old.example.org", root, users[0]), "renewed again")


def test_a_new_root_comes_with_a_renewal(p):
    make_pair(p)
    leaf(p, "old.example.org")
    shutil.copy(p.path("root/published/root.pem"), p.path("root1.pem"))
    # The root renews its key's certificate, and then gets another key.
    p.csrmail(*ROOT, "ca", "renew", "root", *PASS)
    told = fingerprint(p, "root/published/root.pem")
    renew(p, told)
    check(fingerprint(p, "issue/published/root.pem") == told,
          "the root's next certificate came along")
    check([r["name"] for r in p.rows("issue", "ca", "list")] ==
          ["root", "users"], "it is the same root")
    p.csrmail(*ROOT, "ca", "renew", "root", "--new-key", *PASS)
    p.csrmail(*ISSUE, "ca", "request", "users", "--renew", *PASS, "-o",
              "next.p10")
    p.csrmail(*ROOT, "ca", "sign", "next.p10", "--parent", "root", *PARENT,
              "--yes", "-o", "next.p7c")
    install = [*ISSUE, "ca", "install", "users", "next.p7c", *PASS]
    p.refused(65, "the root in the file is another one", *install,
              "--root-fingerprint", told, folders=["issue"])
    new = fingerprint(p, "root/published/root~2.pem")
    done = p.run(*install)
    check(done.returncode == 64 and new in done.stderr, "it asks, with the "
          "new root's fingerprint: " + done.stderr)
    p.csrmail(*install, "--root-fingerprint", new)
    check([(r["name"], r.get("parent")) for r in
           p.rows("issue", "ca", "list")] ==
          [("root", None), ("root~2", None), ("users", "root~2")],
          "beside the old root")
    leaf(p, "new.example.org")
    users = "issue/published/users.pem"
    for host in ("old.example.org", "new.example.org"):
        check(holds(p, host, "issue/published/root~2.pem", users), host)
        check(not holds(p, host, "root1.pem", users), host)
        check(holds(p, host, "root1.pem", users,
                    "root/published/root~2.cross.pem"), "by the cross "
              "certificate: " + host)
    # Its list is installed like any other.
    p.csrmail(*ROOT, "crl", "update", "root~2", *PASS, "-o", "root2.crl")
    p.csrmail(*ISSUE, "crl", "install", "root2.crl")
    check(p.read("issue/published/root~2.crl") == p.read("root2.crl"),
          "under the new root's name")


def crl_numbers(p, folder):
    return {r["ca"]: r["number"] for r in
            p.rows(folder, "crl", "show", "root")}


def test_each_key_of_a_ca_has_its_own_lists(p):
    make_pair(p)
    p.write("root/folder.conf", 'ca "root" {\n'
            '\tcrl_url = "http://ca.example.org/{ca}.crl"\n}\n')
    os.chmod(p.path("root/folder.conf"), 0o600)
    p.csrmail(*ROOT, "ca", "renew", "root", "--new-key", *PASS)
    update = [*ROOT, "crl", "update", "root", *PASS]
    p.csrmail(*update)
    before = crl_numbers(p, "root")
    check(sorted(before) == ["root", "root~2"] and all(before.values()),
          "both keys' lists are made: %s" % before)
    # One file holds one list: whoever asks for one has to say of which key.
    p.refused(64, "2 keys", *update, "-o", "root.crl", folders=["root"])
    check(not os.path.exists(p.path("root.crl")), "and none is written")
    said = p.csrmail(*update)
    for key in ("root", "root~2"):
        check("published/%s.crl\n" % key in said,
              "the protocol lacks the list of %s:\n%s" % (key, said))
    said = p.csrmail(*ROOT, "crl", "update", "root~1", *PASS, "-o",
                     "root.crl")
    check(p.read("root.crl") == p.read("root/published/root.crl") and
          "published/root~2.crl" not in said, said)
    # The newest key is elsewhere: what the older one has signed needs its
    # list all the same, and what was not done is said.
    for key, other in (("root~2", "root"), ("root", "root~2")):
        before = crl_numbers(p, "root")
        os.rename(p.path("root/keys/%s.key" % key), p.path("aside"))
        done = p.run(*update)
        check(done.returncode != 0 and key in done.stderr,
              "%s: exit %d, %r" % (key, done.returncode, done.stderr))
        after = crl_numbers(p, "root")
        check(after == {key: before[key], other: before[other] + 1},
              "without %s: %s, then %s" % (key, before, after))
        os.rename(p.path("aside"), p.path("root/keys/%s.key" % key))
    p.refused(66, "no CA", *ROOT, "crl", "update", "none", *PASS,
              folders=["root"])


def test_renewals_that_are_refused(p):
    told = make_pair(p)
    both = ["root", "issue"]
    ask = [*ISSUE, "ca", "request"]
    out = [*PASS, "-o", "x.p10"]
    for code, why, *words in (
            (65, "--renew", "users", "--subject", "CN=Users"),
            (65, "no CA nobody", "nobody", "--renew"),
            (65, "no CA users~2", "users~2", "--renew"),
            (65, "renews itself", "root", "--renew"),
            (64, "--subject", "users"),
            (64, "--subject", "users", "--renew", "--subject", "CN=U"),
            (64, "--new-key", "users", "--new-key", "--subject", "CN=U"),
            (64, "--key-type", "users", "--renew", "--key-type", "p384"),
            (64, "leave out ~1", "users~1", "--renew", "--new-key")):
        p.refused(code, why, *ask, *words, *out, folders=both)
    for words in ((), ("--new-key",)):
        p.refused(70, "passphrase", *ask, "users", "--renew", *words,
                  "--passphrase-file", "other", "-o", "x.p10", folders=both)
    check(not os.path.exists(p.path("x.p10")), "nothing was written")
    # Not where the key is away.
    p.refused(65, "not here", *ROOT, "ca", "request", "users", "--renew",
              *out, folders=both)
    # The root: a key with another subject, another name, another parent.
    sign = [*ROOT, "ca", "sign"]
    end = [*PARENT, "--yes", "-o", "x.p7c"]
    p.openssl("pkey", "-in", "issue/keys/users.key", "-passin", "file:pass",
              "-out", "users.plain")
    p.openssl("req", "-new", "-key", "users.plain", "-subj", "/CN=Other",
              "-outform", "DER", "-out", "other.p10")
    p.refused(65, "is on record", *sign, "other.p10", "--parent", "root",
              *end, folders=both)
    p.csrmail(*ask, "users", "--renew", *PASS, "-o", "users.p10")
    p.refused(65, "is on record", *sign, "users.p10", "--parent", "root",
              "--name", "hosts", *end, folders=both)
    p.refused(64, "no terminal", *sign, "users.p10", "--parent", "root",
              *PARENT, "-o", "x.p7c", folders=both)
    check("renewal of the CA users" in p.run(
        *sign, "users.p10", "--parent", "root", *PARENT, "-o",
        "x.p7c").stderr, "it asks for a renewal")
    p.refused(70, "passphrase", *sign, "users.p10", "--parent", "root",
              "--parent-passphrase-file", "other", "--yes", "-o", "x.p7c",
              folders=both)
    p.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "n.key",
              "-subj", "/O=Example/CN=Users", "-config", "/dev/null",
              "-outform", "DER", "-out", "n.p10")
    p.refused(65, "another CA needs another one", *sign, "n.p10", "--parent",
              "root", "--name", "hosts", *end, folders=both)
    # The issuing host: a key that it did not make, and one in use.
    p.csrmail(*sign, "n.p10", "--parent", "root", *PARENT, "--yes", "-o",
              "n.p7c")
    install = [*ISSUE, "ca", "install", "users"]
    trust = [*PASS, "--root-fingerprint", told]
    p.refused(65, "no keys/users~2.key", *install, "n.p7c", *trust,
              folders=both)
    p.csrmail(*ask, "users", "--renew", "--new-key", *PASS, "-o", "m.p10")
    p.refused(65, "for another key", *install, "n.p7c", *trust, folders=both)
    p.csrmail(*sign, "users.p10", "--parent", "root", *PARENT, "--yes", "-o",
              "users.p7c")
    p.refused(70, "passphrase", *install, "users.p7c", "--passphrase-file",
              "other", "--root-fingerprint", told, folders=both)
    with open(p.path("issue/lock"), "r+", encoding="utf-8") as f:
        import fcntl
        fcntl.flock(f, fcntl.LOCK_EX)
        for words in ([*ask, "users", "--renew", *out],
                      [*install, "users.p7c", *trust]):
            done = p.run(*words)
            check(done.returncode == 75, "while it runs: %d %s" % (
                done.returncode, done.stderr))
    p.csrmail(*install, "users.p7c", *trust)
    # What was revoked is not renewed.
    serial = p.rows("issue", "ca", "show", "users~1")["serial"]
    p.csrmail(*ROOT, "cert", "revoke", serial, "--reason",
              "cessationOfOperation", *PASS)
    p.refused(65, "was revoked", *sign, "users.p10", "--parent", "root",
              *end, folders=both)


def test_path_length_and_validity(p):
    p.csrmail(*ROOT, "ca", "create-root", "root", "--subject", "CN=Root",
              "--days", "20", *PASS)
    told = fingerprint(p, "root/published/root.pem")
    p.csrmail("--folder", "mid", "ca", "request", "mid", "--subject",
              "CN=Mid", *PASS, "-o", "mid.p10")
    p.csrmail(*ROOT, "ca", "sign", "mid.p10", "--parent", "root", *PARENT,
              "--yes", "--days", "4000", "-o", "mid.p7c")
    ends = {r["name"]: r["not_after"] for r in p.rows("root", "ca", "list")}
    check(ends["mid"] == ends["root"], "no CA outlives its parent")
    p.csrmail("--folder", "mid", "ca", "install", "mid", "mid.p7c", *PASS,
              "--root-fingerprint", told)
    p.csrmail(*ISSUE, "ca", "request", "low", "--subject", "CN=Low", *PASS,
              "-o", "low.p10")
    p.refused(65, "path length", "--folder", "mid", "ca", "sign", "low.p10",
              "--parent", "mid", *PARENT, "--yes", "-o", "low.p7c",
              folders=["mid"])
    # With room below it, the chain travels in one file.
    p.csrmail("--folder", "mid2", "ca", "request", "mid2", "--subject",
              "CN=Mid2", *PASS, "-o", "mid2.p10")
    p.csrmail(*ROOT, "ca", "sign", "mid2.p10", "--parent", "root", *PARENT,
              "--yes", "--path-len", "1", "-o", "mid2.p7c")
    p.csrmail("--folder", "mid2", "ca", "install", "mid2", "mid2.p7c", *PASS,
              "--root-fingerprint", told)
    p.csrmail("--folder", "mid2", "ca", "sign", "low.p10", "--parent",
              "mid2", *PARENT, "--yes", "-o", "low.p7c")
    p.csrmail(*ISSUE, "ca", "install", "low", "low.p7c", *PASS,
              "--root-fingerprint", told)
    check([(r["name"], r.get("parent")) for r in
           p.rows("issue", "ca", "list")] ==
          [("low", "root-1"), ("root", None), ("root-1", "root")],
          "the one between is on record")


def test_name_constraints_travel(p):
    make_root(p)
    p.csrmail(*ISSUE, "ca", "request", "users", "--subject", "CN=Users",
              *PASS, "-o", "users.p10")
    p.csrmail(*ROOT, "ca", "sign", "users.p10", "--parent", "root", *PARENT,
              "--yes", "--permit", "dns:example.org", "-o", "users.p7c")
    text = p.openssl("x509", "-in", "root/published/users.pem", "-noout",
                     "-text").stdout
    check("DNS:example.org" in text and "Permitted" in text, text)
    p.refused(65, "", *ROOT, "ca", "sign", "users.p10", "--parent", "root",
              *PARENT, "--yes", "--permit", "what:ever", "--name", "x", "-o",
              "x.p7c", folders=["root"])


def test_lists_only_go_forward(p):
    make_pair(p)
    for n in range(2):
        p.csrmail(*ROOT, "crl", "update", "root", *PASS, "-o",
                  "%d.crl" % n)
    p.csrmail(*ISSUE, "crl", "install", "1.crl")
    p.refused(65, "has the number", *ISSUE, "crl", "install", "0.crl",
              folders=["issue"])
    p.refused(65, "has the number", *ISSUE, "crl", "install", "1.crl",
              folders=["issue"])
    octets = bytearray(p.read("1.crl"))
    octets[-1] ^= 1
    with open(p.path("bent.crl"), "wb") as f:
        f.write(octets)
    p.refused(65, "no CA on record has signed", *ISSUE, "crl", "install",
              "bent.crl", folders=["issue"])
    with open(p.path("long.crl"), "wb") as f:
        f.write(p.read("1.crl") + b"\0")
    p.refused(65, "no list", *ISSUE, "crl", "install", "long.crl",
              folders=["issue"])
    # A stranger's, and one of a CA that signs here itself.
    p.csrmail("--folder", "evil", "ca", "create-root", "root", "--subject",
              "O=Example, CN=Example Root", *PASS)
    p.csrmail("--folder", "evil", "crl", "update", "root", *PASS, "-o",
              "evil.crl")
    p.refused(65, "no CA on record has signed", *ISSUE, "crl", "install",
              "evil.crl", folders=["issue"])
    p.csrmail(*ISSUE, "crl", "update", "users", *PASS, "-o", "users.crl")
    p.refused(65, "signs here", *ISSUE, "crl", "install", "users.crl",
              folders=["issue"])


def test_a_revocation_says_what_has_to_be_carried(p):
    make_pair(p)
    leaf(p, "www.example.org")
    serial = p.rows("issue", "cert", "list", "--ca", "users")[0]["serial"]
    said = p.csrmail(*ISSUE, "cert", "revoke", serial, "--reason",
                     "superseded", *PASS)
    check("elsewhere" not in said and
          "Carry issue/published/users.crl to" in said, said)
    # The CA's own certificate is on the list of a root that is not here.
    said = p.csrmail(*ISSUE, "ca", "revoke", "users", "--reason",
                     "cACompromise", "--yes", *PASS)
    again = "ca revoke users --reason cACompromise"
    for line in ("Not yet on the CRL of root, whose key is elsewhere.",
                 "csrmail --folder FOLDER %s\n" % again,
                 "csrmail crl install FILE\n", "csrmail crl update root\n"):
        check(line in said, "%r is not in %s" % (line, said))
    # As it says.
    said = p.csrmail(*ROOT, *again.split(), "--yes", *PASS)
    check("elsewhere" not in said and
          "Carry root/published/root.crl to where it is published" in said,
          said)
    p.csrmail(*ISSUE, "crl", "install", "root/published/root.crl")
    check("Serial Number" in p.openssl(
        "crl", "-inform", "DER", "-in", "issue/published/root.crl", "-noout",
        "-text").stdout, "it is on the list")


def test_a_key_that_does_not_open_leaves_nothing(p):
    make_pair(p)
    p.csrmail("request", "new", "www.example.org", "--no-passphrase")
    sign = [*ISSUE, "cert", "sign", "www.example.org.p10", "--ca", "users",
            "--profile", "tls-server", "-o", "www.pem"]
    p.refused(70, "passphrase", *sign, "--passphrase-file", "other",
              folders=["issue"])
    p.refused(64, "Passphrase for the key of users: needed, and there is no",
              *sign, folders=["issue"])
    check(p.rows("issue", "request", "list", "all") == [],
          "no request is on record")
    p.refused(70, "passphrase", *ISSUE, "crl", "update", "users",
              "--passphrase-file", "other", folders=["issue"])
    # What is revoked is revoked, and the list comes later.
    p.csrmail(*sign, *PASS)
    serial = p.rows("issue", "cert", "list", "--ca", "users")[0]["serial"]
    done = p.run(*ISSUE, "cert", "revoke", serial, "--reason", "superseded",
                 "--passphrase-file", "other")
    check(done.returncode != 0 and "it is on record" in done.stderr,
          done.stderr)
    row = p.rows("issue", "cert", "show", serial)
    check(row["state"] == "revoked", "it is revoked all the same")
    p.csrmail(*ISSUE, "crl", "update", "users", *PASS)
    text = p.openssl("crl", "-inform", "DER", "-in",
                     "issue/published/users.crl", "-noout", "-text").stdout
    check(serial.upper() in text, text)
    # The environment and a terminal's absence: CSRMAIL_PASSPHRASE_<CA>.
    p.csrmail(*ISSUE, "crl", "update", "users",
              env={"CSRMAIL_PASSPHRASE_USERS": "correct horse"})


def test_a_responders_certificate_by_hand(p):
    make_root(p)
    p.csrmail("request", "new", "--subject", "CN=whoever", "--name", "ocsp",
              "--no-passphrase")
    p.csrmail(*ROOT, "cert", "sign", "ocsp.p10", "--ca", "root", "--profile",
              "ocsp-responder", *PASS, "-o", "ocsp.pem")
    text = p.openssl("x509", "-in", "ocsp.pem", "-noout", "-text").stdout
    for what in ("OCSP Signing", "OCSP No Check", "Example Root OCSP"):
        check(what in text, text)
    row = p.rows("root", "cert", "list")[0]
    check("whoever" not in text + json.dumps(row), "no name of the request's")


def test_two_at_once(p):
    """The lock: who comes second is told, and changes nothing."""
    make_root(p)
    with open(p.path("root/lock"), "r+", encoding="utf-8") as f:
        import fcntl
        fcntl.flock(f, fcntl.LOCK_EX)
        for words in (["cert", "list"],
                      ["crl", "update", "root", *PASS],
                      ["ca", "create-root", "two", "--subject", "CN=Two",
                       *PASS]):
            done = p.run(*ROOT, *words)
            check(done.returncode == 75, "%s: exit %d\n%s" % (
                " ".join(words), done.returncode, done.stderr))


def test_a_folder_of_others(p):
    os.mkdir(p.path("open"))
    os.chmod(p.path("open"), 0o777)
    p.refused(78, "nobody else may write", "--folder", "open", "ca", "list")
    check(os.listdir(p.path("open")) == [], "and it is left alone")
    p.csrmail("--folder", "new", "ca", "list")
    check(os.stat(p.path("new")).st_mode & 0o777 == 0o700, "made 0700")
    p.refused(64, "needs the daemon", "--folder", "new", "status")


# --- requests ----------------------------------------------------------------


def test_a_request_for_a_system_and_for_a_person(p):
    p.csrmail("request", "new", "www.example.org", "10.0.0.1",
              "--passphrase-file", "pass")
    mode = os.stat(p.path("www.example.org.key")).st_mode & 0o777
    check(mode == 0o600, "the key is for its owner: %o" % mode)
    check(b"ENCRYPTED" in p.read("www.example.org.key"), "encrypted")
    text = p.openssl("req", "-inform", "DER", "-in", "www.example.org.p10",
                     "-noout", "-text", "-verify").stdout
    for what in ("DNS:www.example.org", "IP Address:10.0.0.1",
                 "CN = www.example.org"):
        check(what in text, text)
    p.refused(73, "is there already", "request", "new", "www.example.org",
              "--no-passphrase")
    p.csrmail("request", "new", "--subject", "O=Example, CN=Ann", "--email",
              "ann@example.org,ann@example.net", "--no-passphrase", "--name",
              "ann", "--key-type", "ed25519")
    text = p.openssl("req", "-inform", "DER", "-in", "ann.p10", "-noout",
                     "-text").stdout
    for what in ("email:ann@example.org", "email:ann@example.net",
                 "O = Example, CN = Ann", "ED25519"):
        check(what in text, text)
    for words, code in ((["--no-passphrase"], 64),
                        (["a.example.org"], 64),
                        (["not a host", "--no-passphrase"], 65),
                        (["b.example.org", "--no-passphrase",
                          "--passphrase-file", "pass"], 64),
                        (["c.example.org", "--no-passphrase", "--out-dir",
                          "nowhere"], 73),
                        (["d.example.org", "--no-passphrase", "--key-type",
                          "rsa512"], 64)):
        before = sorted(os.listdir(p.dir))
        done = p.run("request", "new", *words)
        check(done.returncode == code, "%s: %d %s" % (
            words, done.returncode, done.stderr))
        check(sorted(os.listdir(p.dir)) == before, "nothing is left: %s" %
              words)


# --- the classic forms -----------------------------------------------------------


def test_the_terse_forms(p):
    env = {"CSRMAIL_FOLDER": p.path("t"),
           "CSRMAIL_PASSPHRASE_ROOT": "one", "CSRMAIL_PASSPHRASE_USERS": "two"}
    p.csrmail("-r", "root", "-v", "3000", env=env)
    p.csrmail("-p", "root", "-c", "users", "-v", "2000", env=env)
    check([(r["name"], r.get("parent")) for r in p.rows("t", "ca", "list")] ==
          [("root", None), ("users", "root")], "both are made")
    for path in ("www.example.org", "w2.example.org", "ann@example.org"):
        p.csrmail("-R", p.path(path), "--no-passphrase", env=env)
        check(os.path.exists(p.path(path + ".key")), "PATH.key")
    p.csrmail("-R", "bare", "--no-passphrase", env=env)
    p.csrmail("-p", "users", "-s", "www.example.org.p10", "-o", "www.pem",
              "-v", "20", env=env)
    p.csrmail("-p", "users", "-s", "w2.example.org.p10", "-o", "w2.pem",
              env=env)
    p.csrmail("-p", "users", "-s", "ann@example.org.p10", "-o", "ann.pem",
              env=env)
    profiles = {r["names"]: r["profile"] for r in
                p.rows("t", "cert", "list", "--ca", "users")}
    check(sorted(profiles.values()) == ["tls-server", "tls-server", "user"],
          "the profile is what the request asks for: %s" % profiles)
    text = p.openssl("x509", "-in", "www.pem", "-noout", "-checkend",
                     str(21 * 86400)).stdout
    check("will expire" in text, "-v counts days")
    p.refused(64, "say what it is to be", "-p", "users", "-s", "bare.p10",
              "-o", "x.pem", env=env, folders=["t"])
    # Several match: their list, and nothing is done without a person.
    done = p.run("-p", "users", "-x", "example.org", env=env)
    check(done.returncode == 64, done.stderr)
    for name in ("www.example.org", "w2.example.org", "ann@example.org"):
        check(name in done.stderr, done.stderr)
    check(all(r["state"] == "issued" for r in
              p.rows("t", "cert", "list", "--ca", "users")), "nothing is")
    p.csrmail("-p", "users", "-x", "w2.example", env=env)
    states = {r["names"]: r["state"] for r in
              p.rows("t", "cert", "list", "--ca", "users")}
    check([n for n, s in states.items() if s == "revoked"] ==
          [n for n in states if "w2.example" in n], str(states))
    text = p.openssl("crl", "-inform", "DER", "-in",
                     "t/published/users.crl", "-noout", "-text").stdout
    check("Serial Number" in text, "and a new list is out: " + text)
    p.refused(66, "no certificate in force", "-p", "users", "-x",
              "w2.example", env=env, folders=["t"])
    for words in (["-r"], ["-r", "a", "-c", "b"], ["-p", "users"],
                  ["-p", "users", "-s", "x", "-x", "y"], ["-q", "x"],
                  ["-R", "x", "-v", "3"], ["-r", "a", "-r", "b"]):
        done = p.run(*words, env=env)
        check(done.returncode == 64, "%s: %d" % (words, done.returncode))
    # --folder stands before, and counts more than the environment.
    p.csrmail("--folder", "u", "-r", "solo", "-v", "10", env={
        **env, "CSRMAIL_PASSPHRASE_SOLO": "x"})
    check([r["name"] for r in p.rows("u", "ca", "list")] == ["solo"],
          "in the folder that was told")


def main(tests):
    wanted = sys.argv[2:]
    failed = 0
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        place = Place()
        try:
            test(place)
            print("ok      %s" % name)
        except Failed as why:
            failed += 1
            print("FAILED  %s: %s" % (name, why))
        finally:
            place.close()
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(globals()))
