#!/usr/bin/env python3
"""Files that a person names, and that are none.

Each command that reads a file is given a FIFO that nobody writes to, a device
without an end and a folder. It says so at once, naming it, and waits for
nothing; standard input stays what "-" means.

    file_arguments.py BINDIR
"""

import os
import shutil
import subprocess
import sys
import tempfile

CSRMAIL = os.path.join(os.path.abspath(sys.argv[1]), "csrmail")
KINDS = ("fifo", "/dev/zero", "folder")
DEADLINE_S = 60         # for a command that answers in milliseconds

# "@" is the file that is none. What stands before it is sound.
CASES = [
    "lint @",
    "lint root.pem --issuer @",
    "lint root.pem --profile @",
    "ca create-root other --subject CN=Other --template @",
    "ca create-root other --subject CN=Other --passphrase-file @",
    "ca create-child other --subject CN=Other --parent root --template @",
    "ca sign @ --parent root --name other -o other.p7c",
    "ca install other @ --passphrase-file pass",
    "ca import other @ --cert root.pem --without-key",
    "ca import other --cert @ --without-key",
    "ca import other --cert root.pem --key @",
    "ca import other --cert root.pem --without-key --rows @",
    "ca import other --cert root.pem --key encrypted.key"
    " --key-passphrase-file @",
    "key block @",
    "key import @",
    "cert sign @ --ca root --profile tls-server",
    "cert list --key @",
    "cert revoke --key @ --reason superseded --yes",
    "cert export SERIAL --p12 --key @ -o out.p12",
    "crl install @",
    "crl update root --passphrase-file @",
    "backup verify @",
    "restore @ --configuration restored",
    "policy check --config @",
    "-c etc/csrmaild.conf policy test @",
    "-c etc/csrmaild.conf restore backup --replace --crl @",
    "-c etc/csrmaild.conf restore backup --replace --journal @",
    # The folder is one, and what is in it under the right name is none.
    "-c etc/csrmaild.conf restore backup --replace --crl crls.@",
    "-c etc/csrmaild.conf restore backup --replace --journal journals.@",
]
# A folder of certificates can be imported, and lists and journals are read
# from folders.
FOLDERS_TOO = ("import other @", "--crl @", "--journal @")


class Place:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="file_arguments.")

    def path(self, name):
        return os.path.join(self.dir, name)

    def run(self, words, stdin=None):
        return subprocess.run(
            [CSRMAIL, *words], cwd=self.dir, input=stdin or b"",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, check=False, timeout=DEADLINE_S)

    def must(self, *words):
        done = self.run(words)
        if done.returncode != 0:
            raise SystemExit("csrmail %s: %d\n%s" % (
                " ".join(words), done.returncode, done.stderr.decode()))
        return done.stdout


def prepare(place):
    with open(place.path("pass"), "w", encoding="ascii") as f:
        os.chmod(f.fileno(), 0o600)
        f.write("correct horse\n")
    os.mkfifo(place.path("fifo"))
    os.mkdir(place.path("folder"))
    place.must("--folder", "ca", "ca", "create-root", "root", "--subject",
               "CN=Root", "--passphrase-file", "pass")
    shutil.copy(place.path("ca/published/root.pem"), place.path("root.pem"))
    shutil.copy(place.path("ca/keys/root.key"), place.path("encrypted.key"))
    place.must("request", "new", "--dns", "www.example.test", "--name", "www",
               "--no-passphrase")
    place.must("--folder", "ca", "cert", "sign", "www.p10", "--ca", "root",
               "--profile", "tls-server", "--passphrase-file", "pass",
               "-o", "www.pem")
    prepare_restore(place)
    shown = place.must("--folder", "ca", "--json", "cert", "list").decode()
    return shown.split('"serial":')[1].split('"')[1]


def prepare_restore(place):
    """A whole CA and its backup; folders with what is no file in them."""
    place.must(
        "init", "--yes", "--unprivileged", "--conf-dir", place.path("etc"),
        "--state-dir", place.path("state"), "--run-dir", place.path("run"),
        "--ocspd-dir", place.path("ocspd"), "--name", "Test", "--address",
        "ca@example.test", "--imap-host", "127.0.0.1", "--imap-tls", "none",
        "--imap-port", "1", "--smtp-host", "127.0.0.1", "--smtp-port", "1",
        "--smtp-tls", "none", "--user", "ca", "--password-file",
        place.path("pass"), "--authserv-id", "mail.example.test", "--ocsp-url",
        "http://127.0.0.1:1/", "--ocsp-listen", "127.0.0.1:0",
        "--health-listen", "")
    place.must("-c", "etc/csrmaild.conf", "backup", "backup")
    for folder, file in (("crls", "x.crl"), ("journals", "users.journal")):
        for kind in KINDS:
            inside = place.path(folder + "." + os.path.basename(kind))
            os.mkdir(inside)
            if kind == "fifo":
                os.mkfifo(os.path.join(inside, file))
            elif kind == "folder":
                os.mkdir(os.path.join(inside, file))
            else:
                os.symlink(kind, os.path.join(inside, file))


def words_of(case, name, serial):
    words = [serial if w == "SERIAL" else name if w == "@" else
             w.replace("@", os.path.basename(name)) for w in case.split()]
    own = words[0] in ("lint", "restore", "policy", "-c") or \
        words[:2] == ["backup", "verify"]
    return words if own else ["--folder", "ca", *words]


def try_one(place, case, name, serial):
    """What is wrong, or None."""
    try:
        done = place.run(words_of(case, name, serial))
    except subprocess.TimeoutExpired:
        return "waits"
    said = done.stderr.decode(errors="replace")
    if done.returncode <= 0:
        return "exit %d" % done.returncode
    shown = name if "@" in case.split() else os.path.basename(name)
    if shown not in said or "file" not in said:
        return "says %r" % said
    return None


def main():
    place = Place()
    bad = 0
    try:
        serial = prepare(place)
        for case in CASES:
            for name in KINDS:
                if name == "folder" and any(f in case for f in FOLDERS_TOO):
                    continue
                wrong = try_one(place, case, name, serial)
                if wrong is not None:
                    bad += 1
                    print("%s with %s: %s" % (case, name, wrong))
        with open(place.path("root.pem"), "rb") as f:
            pem = f.read()
        if place.run(["lint", "-"], stdin=pem).returncode != 0:
            bad += 1
            print("lint - does not read standard input")
    finally:
        shutil.rmtree(place.dir)
    if bad:
        raise SystemExit("%d are wrong" % bad)
    print("%d commands say what is no file" % len(CASES))


main()
