#!/usr/bin/env python3
"""Renewal, reissue, lists and export, with the real command line.

Without a daemon, in a folder (csrmaild/desk.h): a root that signs everything.
What is exported is read by other programs: openssl always, and certtool
(GnuTLS), pk12util (NSS) and keytool (Java) where they are.

    lookup.py BINDIR [TEST...]
"""

import datetime
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile

import offline
from offline import Failed, Place, check

ROOT = ("--folder", "root")
PASS = ("--passphrase-file", "pass")


def make(p, same_key="yes"):
    """A CA, one host's certificate; its serial."""
    p.csrmail(*ROOT, "ca", "create-root", "root", "--subject",
              "O=Example, CN=Example Root", *PASS)
    if same_key == "no":
        with open(os.path.join(os.path.dirname(os.path.dirname(
                os.path.abspath(__file__))), "policies", "profiles",
                "tls-server.conf"), encoding="utf-8") as f:
            text = f.read()
        os.makedirs(p.path("root/policies/profiles"), exist_ok=True)
        p.write("root/policies/profiles/tls-server.conf",
                text.replace("same_key = yes", "same_key = no"))
    return sign(p, "www.example.org")


def sign(p, host, *more):
    p.csrmail("request", "new", host, "--no-passphrase")
    p.csrmail(*ROOT, "cert", "sign", host + ".p10", "--ca", "root",
              "--profile", "tls-server", *PASS, "-o", host + ".pem", *more)
    return serial_in(p, host + ".pem")


def serial_in(p, pem):
    out = p.openssl("x509", "-in", pem, "-noout", "-serial").stdout
    return out.strip().split("=")[1].lower()


def rows(p, *words):
    return json.loads(p.csrmail(*ROOT, "--json", "cert", "list", *words))


def serials(p, *words):
    return [r["serial"] for r in rows(p, *words)]


def show(p, serial):
    return json.loads(p.csrmail(*ROOT, "--json", "cert", "show", serial))


def key_of(p, pem):
    return p.openssl("x509", "-in", pem, "-noout", "-pubkey").stdout


def names_of(p, pem):
    return p.openssl("x509", "-in", pem, "-noout", "-subject", "-ext",
                     "subjectAltName,extendedKeyUsage").stdout


def ends(p, pem):
    out = p.openssl("x509", "-in", pem, "-noout", "-enddate").stdout
    return datetime.datetime.strptime(out.strip().split("=")[1],
                                      "%b %d %H:%M:%S %Y %Z")


# --- renew --------------------------------------------------------------------


def test_renew_keeps_key_and_names_and_nothing_else(p):
    old = make(p)
    p.csrmail(*ROOT, "cert", "renew", old, *PASS, "--days", "20", "-o",
              "new.pem")
    new = serial_in(p, "new.pem")
    check(new != old, "another serial")
    check(key_of(p, "new.pem") == key_of(p, "www.example.org.pem"),
          "the same key")
    check(names_of(p, "new.pem") == names_of(p, "www.example.org.pem"),
          "the same names and uses")
    left = ends(p, "new.pem") - datetime.datetime.utcnow()
    check(abs(left.total_seconds() - 20 * 86400) < 600, str(left))
    done = p.openssl("verify", "-x509_strict", "-CAfile",
                     "root/published/root.pem", "new.pem")
    check(done.returncode == 0, done.stdout)
    # The old one stays good, and each knows of the other.
    check(show(p, old)["state"] == "issued", "the old one is in force")
    check(show(p, old)["superseded_by"] == new, str(show(p, old)))
    check(show(p, new)["renews"] == old, str(show(p, new)))
    check("superseded_by" not in show(p, new), "the new one is the last")
    check(show(p, new)["key_sha256"] == show(p, old)["key_sha256"],
          "one key, one digest")
    p.refused(65, "is superseded by %s: renew that" % new, *ROOT, "cert",
              "renew", old, *PASS, folders=["root"])
    said = [r["event"] + " " + r["detail"] for r in json.loads(
        p.csrmail(*ROOT, "--json", "audit", "list"))]
    check("request.approved renews certificate " + old in said, str(said))


def test_renew_and_revoke_the_old_one(p):
    old = make(p)
    p.csrmail(*ROOT, "cert", "renew", old, "--revoke-old", *PASS, "-o",
              "new.pem")
    check(show(p, old)["state"] == "revoked", "it is revoked")
    check(show(p, old)["reason"] == "superseded", show(p, old)["reason"])
    check(show(p, serial_in(p, "new.pem"))["state"] == "issued", "not this")
    text = p.openssl("crl", "-inform", "DER", "-in",
                     "root/published/root.crl", "-noout", "-text").stdout
    check(old.upper() in text, "and on the list: " + text)


def test_what_cannot_be_renewed_is_refused(p):
    old = make(p)
    lost = sign(p, "lost.example.org")
    held = sign(p, "held.example.org")
    gone = sign(p, "gone.example.org")
    for serial, reason in ((lost, "keyCompromise"),
                           (held, "certificateHold"),
                           (gone, "privilegeWithdrawn")):
        p.csrmail(*ROOT, "cert", "revoke", serial, "--reason", reason, *PASS)
    p.csrmail(*ROOT, "ca", "create-child", "users", "--parent", "root",
              "--subject", "O=Example, CN=Users", *PASS,
              "--parent-passphrase-file", "pass")
    ca = [r["serial"] for r in rows(p) if r["profile"] == "ca"][0]
    for code, why, words in (
            (65, "compromised and is not certified again",
             ["renew", lost]),
            (65, "compromised and is not certified again",
             ["reissue", lost]),
            (65, "is on hold: lift that", ["renew", held]),
            (65, "is revoked: if its key may be trusted", ["renew", gone]),
            (65, "is revoked", ["reissue", gone]),
            (65, "csrmail ca renew", ["renew", ca]),
            (66, "there is no certificate", ["renew", "77"]),
            (64, "is no serial number", ["renew", "x"]),
            (65, "days at most", ["renew", old, "--days", "3650"]),
            (64, "a number of 1", ["renew", old, "--days", "0"]),
            (64, "reason", ["reissue", old, "--reason", "bored"]),
            (64, "one of the two", ["renew", old, "--der", "--chain"]),
            (64, "one of the two", ["reissue", old, "--der", "--chain"]),
            (65, "a compromised key is not certified again",
             ["reissue", old, "--reason", "keyCompromise"]),
            (65, "not put on hold",
             ["reissue", old, "--reason", "certificateHold"])):
        p.refused(code, why, *ROOT, "cert", *words, *PASS, "-o", "x.pem",
                  folders=["root"])
    check(not os.path.exists(p.path("x.pem")), "nothing is written")
    # The hold can end for good with a reissue.
    p.csrmail(*ROOT, "cert", "reissue", held, *PASS, "-o", "x.pem")
    check(show(p, held)["reason"] == "superseded", str(show(p, held)))


def test_a_key_for_one_certificate_is_reissued_but_not_renewed(p):
    old = make(p, same_key="no")
    p.refused(65, "wants a new key for each certificate", *ROOT, "cert",
              "renew", old, *PASS, folders=["root"])
    p.csrmail(*ROOT, "cert", "reissue", old, *PASS, "-o", "new.pem")
    check(show(p, old)["state"] == "revoked", "the old one is revoked")


def test_a_wrong_passphrase_leaves_all_as_it_was(p):
    old = make(p)
    for verb in ("renew", "reissue"):
        done = p.run(*ROOT, "cert", verb, old, "--passphrase-file", "other")
        check(done.returncode != 0, verb)
    check(len(rows(p)) == 1 and show(p, old)["state"] == "issued",
          str(rows(p)))
    p.csrmail(*ROOT, "cert", "reissue", old, "--reason",
              "affiliationChanged", *PASS, "-o", "new.pem")
    check(show(p, old)["reason"] == "affiliationChanged", "that reason")
    check(show(p, old)["superseded_by"] == serial_in(p, "new.pem"),
          "and its successor")


# --- list ---------------------------------------------------------------------


def test_lists(p):
    www = make(p)
    mx = sign(p, "mx.example.net", "--days", "9")
    soon = sign(p, "soon.example.org", "--days", "3")
    late = sign(p, "late.example.org", "--days", "80")
    check(serials(p, "--match", "*.EXAMPLE.org") == [www, soon, late],
          "by pattern")
    check(serials(p, "--match", "example.org") == [], "whole names")
    check(serials(p, "--match", "DNS:m[a-z].*") == [mx], "with its kind")
    check(serials(p, "--like", "example.n") == [mx], "by a part")
    check(serials(p, "--key", "mx.example.net.p10") == [mx], "by key")
    check(serials(p, "--key", "soon.example.org.pem") == [soon], "by key")
    check(serials(p, "--ca", "root", "--state", "revoked") == [], "none")
    check(serials(p, "--expiring", "10") == [soon, mx], "soonest first")
    check(serials(p, "--expiring", "3") == [soon], "inclusive")
    check(serials(p, "--expiring", "10", "--match", "*.net") == [mx], "both")
    p.csrmail(*ROOT, "cert", "renew", soon, *PASS, "--days", "90", "-o",
              "s.pem")
    check(serials(p, "--expiring", "10") == [mx], "superseded is seen to")
    check(serials(p, "--superseded") == [soon], "it stands there")
    p.csrmail(*ROOT, "cert", "revoke", mx, "--reason", "superseded", *PASS)
    check(serials(p, "--expiring", "10") == [], "revoked is not in force")
    check(len(serials(p, "--limit", "2")) == 2, "a limit")
    check(serials(p, "--match", "*.org", "--limit", "1") == [www], "a limit")
    after = str(rows(p, "--match", "www*")[0]["request"])
    check(after.isdigit(), "a request's number")
    for code, why, words in (
            (64, "only what is issued expires",
             ["--expiring", "3", "--state", "revoked"]),
            (64, "a number of", ["--expiring", "0"]),
            (66, "", ["--key", "nothing.pem"]),
            (65, "neither", ["--key", "pass"])):
        p.refused(code, why, *ROOT, "cert", "list", *words)


# --- export -------------------------------------------------------------------


def tool(p, *words):
    """What it said; None when there is no such program."""
    if shutil.which(words[0]) is None:
        return None
    done = subprocess.run(words, cwd=p.dir, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    check(done.returncode == 0, "%s: %s" % (" ".join(words), done.stdout))
    return done.stdout


def read_by_all(p, name):
    out = p.openssl("pkcs12", "-info", "-in", name, "-passin", "file:out",
                    "-nodes")
    check(out.returncode == 0, out.stdout)
    check(out.stdout.count("BEGIN CERTIFICATE") == 2, "both certificates")
    check("BEGIN PRIVATE KEY" in out.stdout, "and the key")
    tool(p, "certtool", "--p12-info", "--infile", name, "--inder",
         "--password", "open sesame")
    tool(p, "keytool", "-list", "-keystore", name, "-storetype", "PKCS12",
         "-storepass", "open sesame")
    tool(p, "pk12util", "-l", name, "-W", "open sesame")
    return out.stdout


def export(p, serial, *words):
    return p.csrmail(*ROOT, "cert", "export", serial, *words)


def test_pkcs12_is_read_by_others(p):
    serial = make(p)
    p.write("out", "open sesame\n")
    form = ("--p12", "--key", "www.example.org.key",
            "--p12-passphrase-file", "out", "-o")
    export(p, serial, *form, "modern.p12")
    said = read_by_all(p, "modern.p12")
    for what in ("MAC: sha256, Iteration 100000", "friendlyName: ",
                 "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, "
                 "PRF hmacWithSHA256"):
        check(what in said, "%s: %s" % (what, said))
    check("RC2" not in said and "sha1," not in said, said)
    export(p, serial, "--legacy", "--name", "My site", *form, "old.p12")
    said = read_by_all(p, "old.p12")
    for what in ("MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC",
                 "friendlyName: My site"):
        check(what in said, "%s: %s" % (what, said))
    check("RC2" not in said and "PBES2" not in said, said)
    for name in ("modern.p12", "old.p12"):
        mode = stat.S_IMODE(os.stat(p.path(name)).st_mode)
        check(mode == 0o600, oct(mode))
    p.refused(73, "is not replaced", *ROOT, "cert", "export", serial, *form,
              "old.p12")


def test_every_form_of_key_opens(p):
    serial = make(p)
    p.write("out", "open sesame\n")
    key = "www.example.org.key"
    forms = {
        "pkcs8.pem": ["pkcs8", "-topk8", "-in", key, "-passout", "file:pass"],
        "pkcs8.der": ["pkcs8", "-topk8", "-in", key, "-passout", "file:pass",
                      "-outform", "DER"],
        "plain.der": ["pkcs8", "-topk8", "-in", key, "-nocrypt", "-outform",
                      "DER"],
        "ec.pem": ["pkey", "-in", key, "-traditional"],
        "ec-encrypted.pem": ["ec", "-in", key, "-aes256", "-passout",
                             "file:pass"],
        "ec.der": ["ec", "-in", key, "-outform", "DER"],
    }
    for name, words in forms.items():
        done = p.openssl(*words, "-out", name)
        check(done.returncode == 0, done.stdout)
        export(p, serial, "--p12", "--key", name, "--key-passphrase-file",
               "pass", "--p12-passphrase-file", "out", "-o", name + ".p12")
        read_by_all(p, name + ".p12")


def test_what_cannot_be_exported_is_refused(p):
    serial = make(p)
    sign(p, "mx.example.net")
    p.write("out", "open sesame\n")
    p.write("empty", "\n")
    p.openssl("pkcs8", "-topk8", "-in", "www.example.org.key", "-passout",
              "file:pass", "-out", "locked.pem")
    mine = ("--p12", "--key", "www.example.org.key")
    to = ("--p12-passphrase-file", "out", "-o", "x.p12")
    for code, why, words in (
            (65, "the key is not that of the certificate",
             ["--p12", "--key", "mx.example.net.key", *to]),
            (65, "the key is not that of the certificate",
             ["--zip", "--key", "mx.example.net.key", *to]),
            (64, "--p12 needs --key", ["--p12", *to]),
            (64, "--p12 needs --output", [*mine]),
            (64, "--key goes with --p12", ["--key", "out", "-o", "x.p12"]),
            (64, "--der and --p12: one of the two", ["--der", *mine, *to]),
            (64, "--p7c and --chain", ["--p7c", "--chain"]),
            (77, "does not open it",
             ["--p12", "--key", "locked.pem", "--key-passphrase-file",
              "other", *to]),
            (64, "no terminal", ["--p12", "--key", "locked.pem", *to]),
            (64, "no terminal", [*mine, "-o", "x.p12"]),
            (65, "no private key", ["--p12", "--key", "out", *to]),
            (65, "no private key",
             ["--p12", "--key", "www.example.org.pem", *to]),
            (66, "", ["--p12", "--key", "nothing", *to]),
            (65, "at least one character",
             [*mine, "--p12-passphrase-file", "empty", "-o", "x.p12"])):
        p.refused(code, why, *ROOT, "cert", "export", serial, *words)
    check(not os.path.exists(p.path("x.p12")), "nothing is written")


def test_the_other_forms(p):
    serial = make(p)
    export(p, serial, "-o", "a.pem")
    check(p.read("a.pem") == p.read("www.example.org.pem"), "PEM")
    export(p, serial, "--der", "-o", "a.der")
    out = p.openssl("x509", "-inform", "DER", "-in", "a.der", "-noout",
                    "-serial").stdout
    check(serial in out.lower(), out)
    chain = export(p, serial, "--chain")
    check(chain.count("BEGIN CERTIFICATE") == 2, chain)
    export(p, serial, "--p7c", "-o", "a.p7c")
    out = p.openssl("pkcs7", "-inform", "DER", "-in", "a.p7c", "-print_certs",
                    "-noout").stdout
    check(out.count("subject=") == 2, out)


def test_a_zip_has_all_of_it_and_says_how(p):
    serial = make(p)
    p.write("out", "open sesame\n")
    export(p, serial, "--zip", "-o", "plain.zip")
    export(p, serial, "--zip", "--key", "www.example.org.key",
           "--p12-passphrase-file", "out", "-o", "full.zip")
    for name, more in (("plain.zip", []), ("full.zip", ["certificate.p12"])):
        with zipfile.ZipFile(p.path(name)) as z:
            check(z.testzip() is None, name)
            check(sorted(z.namelist()) == sorted(
                ["README.txt", "certificate.pem", "fullchain.pem",
                 "root.pem", "certificate.p7c"] + more), str(z.namelist()))
            z.extractall(p.path(name + ".d"))
            text = z.read("README.txt").decode()
        for what in ("nginx", serial, "fullchain.pem", "\r\n"):
            check(what in text, "%s: %s" % (what, text))
        check("Thunderbird" not in text, "a server has no mailbox")
        check("\n" not in text.replace("\r\n", ""), "lines end alike")
        check(("openssl pkcs12" in text) == (not more), text)
        mode = stat.S_IMODE(os.stat(p.path(name)).st_mode)
        check(mode == 0o600, oct(mode))
    done = p.openssl("verify", "-CAfile", "full.zip.d/root.pem",
                     "full.zip.d/fullchain.pem")
    check(done.returncode == 0, done.stdout)
    shutil.copy(p.path("full.zip.d/certificate.p12"), p.path("z.p12"))
    read_by_all(p, "z.p12")


if __name__ == "__main__":
    sys.exit(offline.main(globals()))
