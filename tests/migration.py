"""CAs of other programs move here, and back.

    migration.py FOLDER-OF-PROGRAMS

Folders are made by the real programs, openssl and easy-rsa; what they say of
each serial is what the store and the CRL must say after `csrmail ca import`,
and what comes out of `csrmail ca export --openssl` is compared with what went
in, and used by openssl again.
"""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAMS = None
EASY_RSA = "/usr/share/easy-rsa/easyrsa"
REASONS = ["keyCompromise", "CACompromise", "affiliationChanged",
           "superseded", "cessationOfOperation", "certificateHold"]

CONF = """
[ca]
default_ca = old
[old]
dir = {dir}
certificate = $dir/cacert.pem
private_key = $dir/private/cakey.pem
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir/newcerts
unique_subject = no
default_md = sha256
default_days = 365
default_crl_days = 30
policy = any
x509_extensions = leaf
crl_extensions = crl
string_mask = utf8only
[any]
commonName = optional
organizationName = optional
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:http://crl.old.example/ca.crl
authorityInfoAccess = OCSP;URI:http://ocsp.old.example/
[crl]
authorityKeyIdentifier = keyid
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def run(*command, code=0, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, **more)
    if done.returncode != code:
        raise AssertionError("%s: exit %d, not %d:\n%s" % (
            " ".join(command), done.returncode, code, done.stdout))
    return done.stdout


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        os.chmod(path, 0o600)
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class OpensslCa:
    """A CA kept by `openssl ca`."""

    def __init__(self, place, key="EC"):
        self.dir = place
        self.conf = f"{place}/openssl.cnf"
        for folder in ("", "/newcerts", "/private"):
            os.makedirs(place + folder)
        write(self.conf, CONF.format(dir=place))
        for name, text in (("index.txt", ""), ("serial", "1000\n"),
                           ("crlnumber", "1000\n")):
            write(f"{place}/{name}", text)
        options = ["-newkey", key] if key.startswith("rsa:") else [
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        run("openssl", "req", "-new", "-x509", "-nodes", *options,
            "-config", self.conf, "-extensions", "root", "-days", "3650",
            "-subj", "/O=Old/CN=Old CA", "-keyout",
            f"{place}/private/cakey.pem", "-out", f"{place}/cacert.pem")

    def sign(self, name, *options, key=None):
        """key: a file; a new P-256 key otherwise."""
        which = ["-key", key] if key is not None else [
            "-nodes", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-keyout", f"{self.dir}/k.pem"]
        run("openssl", "req", "-new", *which, "-config", self.conf, "-utf8",
            "-subj", name, "-out", f"{self.dir}/r.pem")
        run("openssl", "ca", "-batch", "-notext", "-utf8", "-config",
            self.conf, "-in", f"{self.dir}/r.pem", "-out",
            f"{self.dir}/c.pem", *options)
        return read(f"{self.dir}/index.txt").splitlines()[-1].split("\t")[3]

    def revoke(self, serial, *options):
        run("openssl", "ca", "-config", self.conf, "-revoke",
            f"{self.dir}/newcerts/{serial}.pem", *options)

    def crl(self, name="crl.pem"):
        run("openssl", "ca", "-config", self.conf, "-gencrl", "-out",
            f"{self.dir}/{name}")
        return f"{self.dir}/{name}"

    def updatedb(self):
        run("openssl", "ca", "-config", self.conf, "-updatedb")


def prime():
    return int(run("openssl", "prime", "-generate", "-bits", "1024",
                   "-hex").strip(), 16)


def rsa_key(place, name, p, q):
    """A file with the RSA key of these primes."""
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = (0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    write(f"{place}/{name}.cnf", "asn1 = SEQUENCE:key\n[key]\n" + "".join(
        f"n{i} = INTEGER:0x{n:x}\n" for i, n in enumerate(numbers)))
    run("openssl", "asn1parse", "-genconf", f"{place}/{name}.cnf", "-noout",
        "-out", f"{place}/{name}.der")
    run("openssl", "pkey", "-inform", "DER", "-in", f"{place}/{name}.der",
        "-out", f"{place}/{name}.pem")
    return f"{place}/{name}.pem"


def full_openssl_ca(place):
    ca = OpensslCa(place)
    serials = [ca.sign(f"/CN=host{i}.example") for i in range(3)]
    ca.sign("/O=Käse & Söhne/CN=tab\tand=sign.example")
    ended = ca.sign("/CN=ended.example", "-startdate", "20200101000000Z",
                    "-enddate", "20210101000000Z")
    for reason in REASONS:
        ca.revoke(ca.sign(f"/CN={reason}.example"), "-crl_reason", reason)
    ca.revoke(ca.sign("/CN=plain.example"))
    ca.revoke(ca.sign("/CN=time.example"), "-crl_compromise",
              "20260102030405Z")
    ca.revoke(ca.sign("/CN=catime.example"), "-crl_CA_compromise",
              "20260102030405Z")
    ca.revoke(ca.sign("/CN=oldrevoked.example", "-startdate",
                      "20200101000000Z", "-enddate", "20210101000000Z"),
              "-crl_reason", "superseded")
    ca.crl("first.pem")
    ca.crl()
    ca.updatedb()
    ca.sign("/CN=late.example", "-enddate", "20550101000000Z")
    return ca, serials[0], ended


def index_of(path):
    """{serial: (state, end, revocation, subject)}"""
    rows = {}
    for line in read(path).splitlines():
        state, end, revoked, serial, _, subject = \
            re.split(r"(?<!\\)\t", line)
        rows[serial.upper()] = (state, end, revoked, subject)
    return rows


def crl_of(path):
    """{serial: (date, reason, invalidity)} and the number."""
    text = run("openssl", "crl", "-in", path, "-noout", "-text")
    entries, serial = {}, None
    for i, line in enumerate(lines := text.splitlines()):
        if "Serial Number:" in line:
            serial = line.split(":")[1].strip()
            entries[serial] = [None, "none", None]
        elif "Revocation Date:" in line:
            entries[serial][0] = line.split(":", 1)[1].strip()
        elif "CRL Reason Code:" in line:
            entries[serial][1] = lines[i + 1].strip()
        elif "Invalidity Date:" in line:
            entries[serial][2] = lines[i + 1].strip()
    number = run("openssl", "crl", "-in", path, "-noout", "-crlnumber")
    return entries, int(number.split("=")[1].strip(), 16) \
        if "0x" in number else None


class CfsslCa:
    """A CA kept by cfssl, with its table of certificates in SQLite."""

    TABLE = """CREATE TABLE certificates (serial_number blob NOT NULL,
        authority_key_identifier blob NOT NULL, ca_label blob,
        status blob NOT NULL, reason int, expiry timestamp,
        revoked_at timestamp, pem blob NOT NULL,
        PRIMARY KEY(serial_number, authority_key_identifier))"""

    def __init__(self, place):
        self.dir = place
        self.pems = []
        os.makedirs(place)
        write(f"{place}/db.json", json.dumps(
            {"driver": "sqlite3", "data_source": f"{place}/certs.db"}))
        self.ask(self.TABLE)
        made = self.cfssl("gencert", "-initca", self.request("Old CA"))
        write(f"{place}/ca.pem", made["cert"])
        write(f"{place}/ca-key.pem", made["key"])

    def ask(self, statement, *values):
        db = sqlite3.connect(f"{self.dir}/certs.db")
        try:
            with db:
                return db.execute(statement, values).fetchall()
        finally:
            db.close()

    def cfssl(self, *words):
        done = subprocess.run(["cfssl", *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=True)
        return json.loads(done.stdout or "{}")

    def request(self, name):
        path = f"{self.dir}/{name}.json"
        write(path, json.dumps({"CN": name, "hosts": [name],
                                "key": {"algo": "ecdsa", "size": 256}}))
        return path

    def sign(self, name):
        self.pems.append(self.cfssl(
            "gencert", "-ca", f"{self.dir}/ca.pem", "-ca-key",
            f"{self.dir}/ca-key.pem", "-db-config", f"{self.dir}/db.json",
            self.request(name))["cert"])
        # Built with Go 1.15 or later it records no authority key identifier,
        # and then refuses to revoke.
        self.ask("UPDATE certificates SET authority_key_identifier = 'ab'")
        serial = "%x" % int(self.ask(
            "SELECT serial_number FROM certificates WHERE pem = ?",
            self.pems[-1])[0][0])
        return "0" * (len(serial) % 2) + serial

    def revoke(self, serial, reason):
        self.cfssl("revoke", "-db-config", f"{self.dir}/db.json", "-serial",
                   str(int(serial, 16)), "-aki", "ab", "-reason", reason)

    def export(self):
        """As docs/guide/migration.md says."""
        path = f"{self.dir}/rows.json"
        write(path, run("sqlite3", "-json", f"{self.dir}/certs.db",
                        "SELECT * FROM certificates"))
        return path


class Migration(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="csrmail-migration.")
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.folder = f"{self.place}/ours"
        write(f"{self.place}/new", "new passphrase\n")
        write(f"{self.place}/old", "old passphrase\n")

    def csrmail(self, *words, code=0):
        return run(f"{PROGRAMS}/csrmail", "--folder", self.folder, *words,
                   code=code)

    def take(self, *words, code=0):
        return self.csrmail("ca", "import", "old", *words,
                            "--passphrase-file", f"{self.place}/new",
                            code=code)

    def rows(self, question, *values):
        db = sqlite3.connect(f"file:{self.folder}/store.db?mode=ro", uri=True)
        try:
            return db.execute(question, values).fetchall()
        finally:
            db.close()

    def has_ca(self):
        return os.path.exists(f"{self.folder}/store.db") and \
            self.rows("SELECT name FROM ca") != []

    def status(self, serial):
        """(state, reason, invalidity): what ocspd and CRLs go by."""
        found = self.rows("SELECT state, reason, invalidity FROM status"
                          " WHERE serial = ?", bytes.fromhex(serial))
        self.assertEqual(len(found), 1, serial)
        return found[0]

    def check_statuses(self, index):
        for serial, (state, *_) in index.items():
            with self.subTest(serial=serial):
                self.assertEqual(self.status(serial)[0],
                                 2 if state == "R" else 1)
        self.assertEqual(self.rows("SELECT count(*) FROM certificate")[0][0],
                         len(index))

    def export(self, name="back"):
        out = f"{self.place}/{name}"
        self.csrmail("ca", "export", "old", "--openssl", out, "--with-key")
        return out

    # --- openssl ca ---------------------------------------------------------

    def test_an_openssl_ca_comes_over_with_all_that_it_said(self):
        ca, good, ended = full_openssl_ca(f"{self.place}/demoCA")
        before = index_of(f"{ca.dir}/index.txt")
        self.assertEqual({r[0] for r in before.values()}, set("VRE"))
        told = self.take(ca.dir, "--report", f"{self.place}/report")
        self.assertIn("http://crl.old.example/ca.crl", told)
        self.assertIn("http://ocsp.old.example/", told)
        self.assertEqual(read(f"{self.place}/report"), "")
        self.check_statuses(before)
        # What `openssl ca -status` says, one by one.
        words = {"Valid": 1, "Revoked": 2, "Expired": 1}
        for serial in before:
            said = subprocess.run(     # its exit code says nothing
                ["openssl", "ca", "-config", ca.conf, "-status", serial],
                stderr=subprocess.PIPE, text=True, timeout=60).stderr
            word = re.search(r"=(\w+)", said).group(1)
            self.assertEqual(self.status(serial)[0], words[word], said)
        # The old CRL, and one of ours.
        old, number = crl_of(f"{ca.dir}/crl.pem")
        self.csrmail("crl", "update", "old", "--passphrase-file",
                     f"{self.place}/new", "-o", f"{self.place}/ours.crl")
        run("openssl", "crl", "-in", f"{self.place}/ours.crl", "-inform",
            "DER", "-out", f"{self.place}/ours.pem", "-CAfile",
            f"{ca.dir}/cacert.pem")
        ours, next_number = crl_of(f"{self.place}/ours.pem")
        over = {s for s, r in before.items()
                if r[0] == "R" and r[1].startswith("21")}
        # One that has ended may stay for a CRL more (RFC 5280, 3.3).
        self.assertEqual({s: e for s, e in ours.items() if s not in over},
                         {s: e for s, e in old.items() if s not in over})
        self.assertLessEqual(ours.keys(), old.keys())
        self.assertGreater(next_number, number)
        # And back again, to the letter.
        out = self.export()
        self.assertEqual(read(f"{out}/index.txt"), read(f"{ca.dir}/index.txt"))
        self.assertEqual(sorted(os.listdir(f"{out}/newcerts")),
                         sorted(os.listdir(f"{ca.dir}/newcerts")))
        for name in os.listdir(f"{out}/newcerts"):
            self.assertEqual(read(f"{out}/newcerts/{name}"),
                             read(f"{ca.dir}/newcerts/{name}"))
        # openssl works with it: a CRL, a certificate, a revocation.
        run("openssl", "ca", "-config", f"{out}/openssl.cnf", "-gencrl",
            "-passin", f"file:{self.place}/new", "-out", f"{out}/crl.pem")
        again, after = crl_of(f"{out}/crl.pem")
        self.assertEqual(again, old)
        self.assertGreater(after, next_number)
        run("openssl", "ca", "-batch", "-config", f"{out}/openssl.cnf",
            "-passin", f"file:{self.place}/new", "-in", f"{ca.dir}/r.pem",
            "-out", f"{out}/new.pem")
        run("openssl", "ca", "-batch", "-config", f"{out}/openssl.cnf",
            "-passin", f"file:{self.place}/new", "-revoke",
            f"{out}/newcerts/{good}.pem")

    def test_a_dry_run_and_a_refused_one_change_nothing(self):
        ca, *_ = full_openssl_ca(f"{self.place}/demoCA")
        told = json.loads(self.csrmail(
            "ca", "import", "old", ca.dir, "--dry-run", "--json"))
        self.assertEqual((told["valid"], told["expired"], told["revoked"]),
                         (5, 1, 10))
        self.assertFalse(self.has_ca())
        write(f"{self.place}/other", "")
        run("openssl", "genpkey", "-algorithm", "ED25519", "-out",
            f"{self.place}/other")
        self.take(ca.dir, "--key", f"{self.place}/other", code=65)
        self.assertFalse(self.has_ca())

    def test_an_import_that_was_cut_off_is_completed_by_another(self):
        ca, *_ = full_openssl_ca(f"{self.place}/demoCA")
        index = read(f"{ca.dir}/index.txt").splitlines(True)
        write(f"{ca.dir}/index.txt", "".join(index[:4]))
        hidden = f"{self.place}/hidden"
        shutil.move(f"{ca.dir}/newcerts", hidden)
        # The list would add what the lines no longer have.
        shutil.move(f"{ca.dir}/crl.pem", f"{self.place}/crl.pem")
        # As far as a cut-off one comes: rows, and no key.
        self.csrmail("ca", "import", "old", ca.dir, "--without-key")
        self.assertFalse(os.path.exists(f"{self.folder}/keys/old.key"))
        self.assertEqual(self.rows("SELECT count(*) FROM certificate")[0][0],
                         4)
        shutil.move(hidden, f"{ca.dir}/newcerts")
        shutil.move(f"{self.place}/crl.pem", f"{ca.dir}/crl.pem")
        write(f"{ca.dir}/index.txt", "".join(index))
        self.take(ca.dir)
        self.check_statuses(index_of(f"{ca.dir}/index.txt"))
        self.assertTrue(os.path.exists(f"{self.folder}/keys/old.key"))
        # What the old one did meanwhile; nothing good comes back.
        ca.revoke(index_of(f"{ca.dir}/index.txt") and "1000")
        self.take(ca.dir)
        self.assertEqual(self.status("1000")[0], 2)
        write(f"{ca.dir}/index.txt", "".join(index))
        self.take(ca.dir)
        self.assertEqual(self.status("1000")[0], 2)

    def test_odd_lines_are_told_and_the_rest_comes_over(self):
        ca = OpensslCa(f"{self.place}/demoCA")
        # One end for all: lines below say it of other certificates too.
        serials = [ca.sign(f"/CN=h{i}.example", "-enddate", "20351231000000Z")
                   for i in range(6)]
        other = OpensslCa(f"{self.place}/other")
        stranger = other.sign("/CN=stranger.example")
        shutil.copy(f"{other.dir}/newcerts/{stranger}.pem",
                    f"{ca.dir}/newcerts/77.pem")
        lines = read(f"{ca.dir}/index.txt").splitlines()
        end = lines[0].split("\t")[1]
        os.unlink(f"{ca.dir}/newcerts/{serials[1]}.pem")
        write(f"{ca.dir}/newcerts/{serials[2]}.pem", "no certificate\n")
        odd = {
            "cannot be read, left out": [
                "V\t%s\t\t\tunknown\t/CN=noserial" % end,
                "V\t%s\t\t-05\tunknown\t/CN=negative" % end,
                "V\t%s\t\t00\tunknown\t/CN=zero" % end,
                "V\t%s\t\t%s\tunknown\t/CN=long" % (end, "7f" * 21),
                "V\t%s\t\t2x\tunknown\t/CN=nohex" % end,
                "V\t%s\t\t21\tunknown" % end,
                "V\t%s\t\t22\tunknown\t/CN=seven\tfields" % end,
                "nothing of the kind",
                "V" * 9000,
            ],
            "cannot be read, taken as revoked": [
                "X\t%s\t\t20\tunknown\t/CN=state" % end,
                "R \t%s\t260102030405Z\t23\tunknown\t/CN=space" % end,
                "R\t%s\t260102030405Z,superseded\t24\tunknown\t"
                "/CN=a\ttab" % end,
                "R\t%s\t260102030405Z\t25\tunknown\t/CN=" % end +
                "x" * 9000,
            ],
            "date that is missing or contradicts": [
                "V\t991332000000Z\t\t30\tunknown\t/CN=noday",
                "R\t%s\t2601020304Z\t31\tunknown\t/CN=noseconds" % end,
                "R\t%s\t\t32\tunknown\t/CN=nodate" % end,
            ],
            "unknown reason": [
                "R\t%s\t260102030405Z,boredom\t40\tunknown\t/CN=a" % end,
                "R\t%s\t260102030405Z,removeFromCRL\t41\tunknown\t/CN=b" % end,
                "R\t%s\t260102030405Z,keyTime,soon\t42\tunknown\t/CN=c" % end,
            ],
            "stand there twice": [
                lines[0],
                "R\t%s\t260102030405Z\t%s\tunknown\t/CN=h3.example" % (
                    end, serials[3].lower()),
                "E\t%s\t\t%s\tunknown\t/CN=h4.example" % (
                    end, serials[4].lower()),
                "R\t%s\t260102030405Z,superseded\t62\tunknown\t/CN=h" % end,
            ],
            "in the future": [
                "R\t%s\t20990102030405Z\t50\tunknown\t/CN=future" % end,
            ],
        }
        fine = [
            "R\t%s\t260102030405Z,KEYCOMPROMISE\t60\tunknown\t/CN=d" % end,
            "R\t%s\t20260102030405Z,holdInstruction,1.2.840.10040.2.1\t"
            "0061\tunknown\t/CN=e" % end,
            "R\t%s\t260102030405Z,cakeytime,20260101000000Z\t0abc\tunknown"
            "\t/CN=f" % end,
            "E\t20200102030405Z\t\t62\tunknown\t/CN=tab\\\there",
            "R\t%s\t260102030405Z,privilegeWithdrawn\t63\tunknown\t/CN=g" %
            end,
            "# a comment", "",
        ]
        write(f"{ca.dir}/index.txt", "\n".join(
            lines[:5] + fine + sum(odd.values(), [])) + "\n")
        write(f"{ca.dir}/crlnumber", "nonsense\n")
        shutil.copy(f"{ca.dir}/newcerts/{serials[0]}.pem",
                    f"{ca.dir}/newcerts/other.pem")
        # Two lines may have been revocations.
        self.assertIn("2 lines cannot be read, and may be revocations",
                      self.take(ca.dir, code=65))
        self.assertFalse(self.has_ca())
        told = self.take(ca.dir, "--accept-unreadable", "--report",
                         f"{self.place}/report")
        report = read(f"{self.place}/report")
        self.assertIn("other.pem: serial %s" % serials[0].lower(), report)
        odd["stand there twice"].append("other.pem")
        for title, rows in odd.items():
            self.assertEqual(report.count(title), len(rows), title)
        self.assertIn("number of CRLs: ", report)
        # The one not in the index, and the one of somebody else.
        self.assertIn(f"{serials[5]}.pem: serial {serials[5]}".lower(),
                      report.lower())
        self.assertIn("of another CA or key, left out: ", report)
        self.assertIn("77.pem: serial", report)
        self.assertIn(f"{serials[2]}.pem: it is no certificate", report)
        self.assertIn("serial %s" % serials[1].lower(), report)
        self.assertIn("odd: ", told)
        for serial, want in {
                serials[0]: (1, None, None), serials[3]: (2, 0, None),
                serials[5]: (1, None, None), "30": (1, None, None),
                "31": (2, 0, None), "32": (2, 0, None), "40": (2, 0, None),
                "41": (2, 0, None), "42": (2, 1, None), "50": (2, 0, None),
                "60": (2, 1, None), "61": (2, 6, None),
                "0abc": (2, 2, 1767225600), "62": (2, 4, None),
                serials[4]: (1, None, None),
                "63": (2, 9, None)}.items():
            self.assertEqual(self.status(serial), want, serial)
        for serial in ("20", "23", "24", "25"):
            self.assertEqual(self.status(serial)[0], 2, serial)
        for serial in ("05", "21", "22", "77"):
            self.assertEqual(self.rows(
                "SELECT 1 FROM status WHERE serial = ?",
                bytes.fromhex(serial)), [], serial)
        # It can go back all the same.
        out = self.export()
        run("openssl", "ca", "-config", f"{out}/openssl.cnf", "-gencrl",
            "-passin", f"file:{self.place}/new", "-out", f"{out}/crl.pem")
        self.assertIn("R\t200102030405Z\t260102030405Z,superseded\t62\t"
                      "unknown\t/CN=tab",
                      read(f"{out}/index.txt"))

    def test_a_folder_with_nothing_sensible_is_refused(self):
        ca = OpensslCa(f"{self.place}/demoCA")
        write(f"{ca.dir}/index.txt", "what is this\nand this\n")
        self.assertIn("nothing there can be imported",
                      self.take(ca.dir, code=65))
        self.assertFalse(self.has_ca())

    def test_what_the_last_crl_has_is_revoked(self):
        ca = OpensslCa(f"{self.place}/demoCA")
        serials = [ca.sign(f"/CN=h{i}.example") for i in range(4)]
        index = read(f"{ca.dir}/index.txt").splitlines(True)
        for serial in serials[:3]:
            ca.revoke(serial, "-crl_reason", "keyCompromise")
        ca.crl()
        # One is good again, one is in no index, one has no trace at all.
        write(f"{ca.dir}/index.txt", index[0] + index[3])
        os.unlink(f"{ca.dir}/newcerts/{serials[2]}.pem")
        told = self.take(ca.dir)
        self.assertIn("odd: 3 on the last CRL and not revoked elsewhere",
                      told)
        self.assertEqual([self.status(s) for s in serials],
                         [(2, 1, None)] * 3 + [(1, None, None)])
        # So they are on the list of a folder of certificates.
        self.folder = f"{self.place}/many"
        shutil.copy(f"{ca.dir}/crl.pem", f"{ca.dir}/newcerts/crl.pem")
        self.take(f"{ca.dir}/newcerts", "--cert", f"{ca.dir}/cacert.pem",
                  "--without-key")
        self.assertEqual([self.status(s) for s in serials],
                         [(2, 1, None)] * 3 + [(1, None, None)])

    def test_a_revocation_without_a_serial_is_not_passed_over(self):
        ca = OpensslCa(f"{self.place}/demoCA")
        ca.sign("/CN=good.example")
        serial = ca.sign("/CN=lost.example")
        ca.revoke(serial)
        index = read(f"{ca.dir}/index.txt")
        write(f"{ca.dir}/index.txt", index.replace(f"Z\t{serial}", "Z"))
        for options in ((), ("--dry-run",)):
            self.assertIn("may be revocations",
                          self.take(ca.dir, *options, code=65))
        self.assertFalse(self.has_ca())
        self.assertIn("taken as issued", self.take(
            ca.dir, "--accept-unreadable"))
        # Mended, the same command puts it right.
        write(f"{ca.dir}/index.txt", index)
        self.take(ca.dir)
        self.assertEqual(self.status(serial)[0], 2)

    def test_keys_that_were_compromised_are_blocked(self):
        ca, *_ = full_openssl_ca(f"{self.place}/demoCA")
        self.take(ca.dir)
        self.assertEqual(
            self.rows("SELECT count(*) FROM key_block JOIN certificate"
                      " USING (spki_sha256) JOIN status USING (serial)"
                      " WHERE reason = 1 AND kind = 'compromised'"), [(2,)])
        self.assertEqual(self.rows("SELECT count(*) FROM key_block"), [(2,)])

    def test_a_bare_certificate_and_key(self):
        ca = OpensslCa(f"{self.place}/demoCA", "rsa:2048")
        key = f"{self.place}/sealed.pem"
        run("openssl", "rsa", "-aes256", "-in",
            f"{ca.dir}/private/cakey.pem", "-traditional", "-out", key,
            "-passout", f"file:{self.place}/old")
        words = ("--cert", f"{ca.dir}/cacert.pem", "--key", key)
        write(f"{self.place}/wrong", "wrong\n")
        self.take(*words, "--key-passphrase-file", f"{self.place}/wrong",
                  code=65)
        self.take(*words, "--key-passphrase-file", f"{self.place}/old")
        self.assertIn("ENCRYPTED", read(f"{self.folder}/keys/old.key"))
        run("openssl", "pkey", "-in", f"{self.folder}/keys/old.key",
            "-passin", f"file:{self.place}/new", "-noout")

    def test_a_key_that_cannot_sign_here_leaves_nothing_on_record(self):
        weak = OpensslCa(f"{self.place}/weakCA", "rsa:1024")
        weak.sign("/CN=a.example")
        told = self.take(weak.dir, code=65)
        self.assertIn("without the key", told)
        self.assertFalse(self.has_ca())
        # A file of that name with another key in it.
        good = OpensslCa(f"{self.place}/demoCA")
        run("openssl", "pkcs8", "-topk8", "-in",
            f"{weak.dir}/private/cakey.pem", "-passout",
            f"file:{self.place}/new", "-out", f"{self.folder}/keys/old.key")
        os.chmod(f"{self.folder}/keys/old.key", 0o600)
        self.take(good.dir, code=65)
        self.assertFalse(self.has_ca())
        os.unlink(f"{self.folder}/keys/old.key")
        self.take(weak.dir, "--without-key")
        self.assertTrue(self.has_ca())

    def test_keys_that_share_a_prime_are_found(self):
        ca = OpensslCa(f"{self.place}/demoCA")
        p, q, r, s, t = (prime() for _ in range(5))
        keys = [rsa_key(self.place, f"k{i}", *pair) for i, pair in
                enumerate(((p, q), (r, s), (t, p), (s, q)))]
        serials = [ca.sign(f"/CN=h{i}.example", key=key)
                   for i, key in enumerate(keys)]
        serials.append(ca.sign("/CN=again.example", key=keys[1]))
        told = self.take(ca.dir)
        self.assertIn("2 RSA keys share a prime", told)
        pairs = ("SELECT a.owner, b.owner FROM shared_prime AS s JOIN modulus"
                 " AS a ON a.id = s.modulus_id JOIN modulus AS b ON"
                 " b.id = s.other_id ORDER BY s.modulus_id")
        found = self.rows(pairs)
        self.assertEqual([a for a, _ in found],
                         [f"cert:{serials[i].lower()}" for i in (2, 3)])
        self.assertEqual(found[0][1], f"cert:{serials[0].lower()}")
        self.assertIn(found[1][1], [f"cert:{serials[i].lower()}"
                                    for i in (0, 1)])
        self.assertEqual(self.rows(
            "SELECT object FROM audit WHERE event = 'key.shared-prime'"),
            [(a,) for a, _ in found])
        # With what is on record by now, too.
        late = ca.sign("/CN=late.example", key=rsa_key(
            self.place, "late", prime(), r))
        self.assertIn("1 RSA keys share a prime", self.take(ca.dir))
        self.assertEqual(self.rows(pairs)[2:], [
            (f"cert:{late.lower()}", f"cert:{serials[1].lower()}")])

    def test_a_certificate_of_a_ca_is_known_as_one(self):
        """So that csrmail-security decides about it, before its CA comes."""
        ca = OpensslCa(f"{self.place}/demoCA")
        ca.sign("/CN=leaf.example")
        write(f"{self.place}/ext", "basicConstraints=critical,CA:TRUE\n")
        ca.sign("/CN=Sub CA", "-extfile", f"{self.place}/ext")
        self.take(ca.dir)
        self.assertEqual(self.rows("SELECT names_text, profile FROM"
                                   " certificate ORDER BY serial"),
                         [("CN=leaf.example", ""), ("CN=Sub CA", "ca")])

    def test_a_certificate_that_comes_later_completes_its_row(self):
        """Its serial was on the CRL alone, or in an index without it."""
        ca = OpensslCa(f"{self.place}/demoCA")
        serials = [ca.sign(f"/CN=h{i}.example") for i in range(3)]
        index = read(f"{ca.dir}/index.txt").splitlines(True)
        ca.revoke(serials[0], "-crl_reason", "keyCompromise")
        ca.crl()
        revoked = read(f"{ca.dir}/index.txt")
        os.mkdir(f"{self.place}/aside")
        for serial in serials[:2]:
            shutil.move(f"{ca.dir}/newcerts/{serial}.pem",
                        f"{self.place}/aside")
        write(f"{ca.dir}/index.txt", index[1] + index[2])
        self.take(ca.dir)
        known = ("SELECT hex(serial), der IS NOT NULL, spki_sha256 IS NOT"
                 " NULL FROM certificate ORDER BY serial")
        self.assertEqual(self.rows(known), [
            (s, i, i) for s, i in zip(serials, (0, 0, 1))])
        self.assertEqual(self.rows("SELECT count(*) FROM key_block"), [(0,)])
        before = [self.status(s) for s in serials]
        for serial in serials[:2]:
            shutil.move(f"{self.place}/aside/{serial}.pem",
                        f"{ca.dir}/newcerts")
        write(f"{ca.dir}/index.txt", revoked)
        told = self.take(ca.dir)
        self.assertIn("2 completed", told)
        self.assertEqual(self.rows(known), [(s, 1, 1) for s in serials])
        self.assertEqual([self.status(s) for s in serials], before)
        self.assertEqual(self.rows(
            "SELECT names_text FROM certificate ORDER BY serial"),
            [(f"CN=h{i}.example",) for i in range(3)])
        self.assertEqual(self.rows("SELECT count(*) FROM key_block"), [(1,)])
        # The status has its end now, which CRLs go by.
        self.assertEqual(self.rows(
            "SELECT count(*) FROM certificate AS c JOIN status AS s ON"
            " s.issuer_id = c.issuer_id AND s.serial = c.serial"
            " WHERE s.not_after = c.not_after AND c.not_after <>"
            " (SELECT not_after FROM ca)"), [(3,)])
        # And nothing is left to do.
        self.assertNotIn("completed", self.take(ca.dir))

    # --- easy-rsa -----------------------------------------------------------

    @unittest.skipUnless(os.path.exists(EASY_RSA), "needs easy-rsa")
    def test_an_easy_rsa_pki(self):
        for phrase in (False, True):
            with self.subTest(passphrase=phrase):
                self.easy_rsa(phrase)

    def easy_rsa(self, phrase):
        self.folder = f"{self.place}/ours{phrase}"
        place = f"{self.place}/easy{phrase}"
        os.makedirs(place)
        pki = f"{place}/pki"

        # From a file, openssl would take a line for each of the two.
        secret = {"EASYRSA_PASSIN": "pass:old passphrase",
                  "EASYRSA_PASSOUT": "pass:old passphrase"} if phrase else {}

        def easy(*words):
            run(EASY_RSA, *words, cwd=place,
                env={**secret, "PATH": os.environ["PATH"],
                     "EASYRSA_BATCH": "1",
                     "EASYRSA": "/usr/share/easy-rsa", "EASYRSA_PKI": pki,
                     "EASYRSA_REQ_CN": words[-1] if words[0] == "gen-req"
                     else "Easy CA", "EASYRSA_ALGO": "ec",
                     "EASYRSA_CURVE": "prime256v1"})

        easy("init-pki")
        easy("build-ca", *([] if phrase else ["nopass"]))
        for name in ("server", "client", "lost", "held"):
            easy("gen-req", name, "nopass")
            easy("sign-req", "server" if name == "server" else "client",
                 name)
        easy("revoke", "lost", "keyCompromise")
        easy("revoke", "held", "certificateHold")
        easy("gen-crl")
        index = index_of(f"{pki}/index.txt")
        self.assertEqual(sorted(r[0] for r in index.values()), list("RRVV"))
        told = self.take(pki, "--key-passphrase-file", f"{self.place}/old",
                         "--report", f"{self.place}/report")
        self.assertIn("easy-rsa", told)
        self.assertEqual(read(f"{self.place}/report"), "")
        self.check_statuses(index)
        self.assertEqual(
            self.rows("SELECT DISTINCT origin FROM certificate"
                      " WHERE der IS NOT NULL"), [("easy-rsa",)])
        out = self.export(f"back{phrase}")
        self.assertEqual(index_of(f"{out}/index.txt"), index)
        run("openssl", "ca", "-config", f"{out}/openssl.cnf", "-gencrl",
            "-passin", f"file:{self.place}/new", "-out", f"{out}/crl.pem")
        self.assertEqual(crl_of(f"{out}/crl.pem")[0],
                         crl_of(f"{pki}/crl.pem")[0])

    # --- cfssl, step-ca -----------------------------------------------------

    def test_certificates_and_rows_of_cfssl_and_step_ca(self):
        ca = OpensslCa(f"{self.place}/demoCA")
        serials = [ca.sign(f"/CN=h{i}.example") for i in range(4)]
        pems = {s: read(f"{ca.dir}/newcerts/{s}.pem") for s in serials}
        rows = [{"serial_number": str(int(s, 16)),
                 "authority_key_identifier": "00", "status": "good",
                 "reason": 0, "expiry": "2027-01-01 00:00:00+00:00",
                 "revoked_at": "0001-01-01 00:00:00+00:00", "pem": pems[s]}
                for s in serials[:3]]
        rows[1].update(status="revoked", reason=4,
                       revoked_at="2026-01-02 03:04:05+00:00")
        rows.append({"serial_number": str(0xabcd), "status": "revoked",
                     "reason": 6, "revoked_at": "2026-01-02T03:04:05Z",
                     "expiry": "2030-01-01T00:00:00Z", "pem": ""})
        bad = [{"serial_number": "x"}, {"status": "good"},
               dict(rows[2], status=7),
               dict(rows[0], serial_number="77"), ["an array"]]
        rows.pop(2)
        rows += [{"serial_number": "5", "revoked_at": "yesterday"},
                 {"serial_number": "6", "status": "rvoked"}]
        text = "[" + ",\n".join(json.dumps(r) for r in rows + bad) + "]\n"
        write(f"{self.place}/rows.json", text)
        words = (f"{self.place}/rows.json", "--cert", f"{ca.dir}/cacert.pem",
                 "--key", f"{ca.dir}/private/cakey.pem", "--report",
                 f"{self.place}/report")
        self.assertIn(f"{len(bad)} lines cannot be read",
                      self.take(*words, code=65))
        self.take(*words, "--accept-unreadable")
        self.assertEqual(read(f"{self.place}/report").count(
            "cannot be read, left out"), len(bad))
        self.assertEqual([self.status(s) for s in serials[:2] + [
            "abcd", "05", "06"]], [(1, None, None), (2, 4, None),
                                   (2, 6, None), (2, 0, None),
                                   (2, 0, None)])
        # Its row is of no use: nobody took its certificate for good.
        self.assertEqual(self.rows("SELECT 1 FROM status WHERE serial = ?",
                                   bytes.fromhex(serials[2])), [])
        # Certificates in one file, and step-ca's table of revoked ones.
        self.folder = f"{self.place}/step"
        write(f"{self.place}/all.pem",
              "".join("junk\n" + p for p in pems.values()) +
              read(f"{ca.dir}/cacert.pem"))
        write(f"{self.place}/revoked.json", json.dumps(
            {"Serial": str(int(serials[2], 16)), "ReasonCode": 1,
             "Reason": "stolen", "RevokedAt": "2026-01-02T03:04:05.123Z",
             "ExpiresAt": "2027-01-01T00:00:00+02:00", "MTLS": True}) + "\n")
        self.take(f"{self.place}/all.pem", "--rows",
                  f"{self.place}/revoked.json", "--cert",
                  f"{ca.dir}/cacert.pem", "--key",
                  f"{ca.dir}/private/cakey.pem")
        self.assertEqual([self.status(s) for s in serials],
                         [(1, None, None), (1, None, None), (2, 1, None),
                          (1, None, None)])
        # A folder with a file for each.
        self.folder = f"{self.place}/many"
        shutil.copytree(f"{ca.dir}/newcerts", f"{self.place}/exported")
        self.take(f"{self.place}/exported", "--cert",
                  f"{ca.dir}/cacert.pem", "--without-key")
        self.assertEqual(len(self.rows("SELECT 1 FROM status")), 4)


    def test_a_table_that_cfssl_kept(self):
        ca = CfsslCa(f"{self.place}/cfssl")
        serials = [ca.sign(f"h{i}.example") for i in range(3)]
        ca.revoke(serials[1], "superseded")
        ca.revoke(serials[2], "certificateHold")
        told = self.take(ca.export(), "--cert", f"{ca.dir}/ca.pem", "--key",
                         f"{ca.dir}/ca-key.pem")
        self.assertIn("3 certificates of old (cfssl): 1 valid, 2 revoked "
                      "(1 on hold), 0 expired", told)
        self.assertEqual([self.status(s) for s in serials],
                         [(1, None, None), (2, 4, None), (2, 6, None)])
        for serial, pem in zip(serials, ca.pems):
            der = self.rows("SELECT der FROM certificate WHERE serial = ?",
                            bytes.fromhex(serial))[0][0]
            self.assertEqual(der, ssl.PEM_cert_to_DER_cert(pem))
        self.csrmail("crl", "update", "old", "--passphrase-file",
                     f"{self.place}/new")
        crl = run("openssl", "crl", "-in", f"{self.folder}/published/old.crl",
                  "-inform", "DER", "-CAfile", f"{ca.dir}/ca.pem", "-noout",
                  "-text")
        self.assertIn("verify OK", crl)
        self.assertEqual([s.upper() in crl for s in serials],
                         [False, True, True])


class AtOnce(unittest.TestCase):
    """With the daemons: OCSP and CRL answer for what was imported."""

    OPTIONS = ("--unprivileged",)

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="csrmail-migration.")
        self.addCleanup(place.cleanup)
        self.place = place.name
        os.chmod(self.place, 0o755)
        self.daemons = []
        self.addCleanup(self.stop)
        for name, text in (("password", "secret"), ("new", "new one")):
            write(f"{self.place}/{name}", text + "\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        run(f"{PROGRAMS}/csrmail", "init", "--yes", *self.OPTIONS,
            "--conf-dir", f"{self.place}/etc",
            "--state-dir", f"{self.place}/state",
            "--run-dir", f"{self.place}/run",
            "--ocspd-dir", f"{self.place}/ocspd", "--name", "New",
            "--address", "ca@example.test", "--imap-host", "127.0.0.1",
            "--imap-tls", "none", "--imap-port", "1", "--smtp-host",
            "127.0.0.1", "--smtp-port", "1", "--smtp-tls", "none", "--user",
            "ca", "--password-file", f"{self.place}/password",
            "--authserv-id", "mail.example.test",
            "--ocsp-url", f"http://127.0.0.1:{self.port}/",
            "--ocsp-listen", f"127.0.0.1:{self.port}",
            "--health-listen", "")

    def csrmail(self, *words, code=0):
        return run(f"{PROGRAMS}/csrmail", "-c",
                   f"{self.place}/etc/csrmaild.conf", *words, code=code)

    def start(self, program):
        with open(f"{self.place}/{program}.log", "w") as log:
            self.daemons.append(subprocess.Popen(
                [f"{PROGRAMS}/{program}", "-c",
                 f"{self.place}/etc/{program}.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def stop(self):
        for daemon in self.daemons:
            daemon.send_signal(signal.SIGTERM)
        for daemon in self.daemons:
            daemon.wait(60)
        self.daemons = []

    def ask(self, ca, serial):
        return subprocess.run(
            ["openssl", "ocsp", "-url", f"http://127.0.0.1:{self.port}/",
             "-issuer", f"{ca.dir}/cacert.pem", "-serial", f"0x{serial}",
             "-CAfile", f"{ca.dir}/cacert.pem", "-no_nonce"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60).stdout

    def wait_for_socket(self):
        end = time.monotonic() + 60
        while not os.path.exists(f"{self.place}/run/api.sock"):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def test_a_list_from_elsewhere_is_installed_while_csrmaild_runs(self):
        ca = OpensslCa(f"{self.place}/demoCA")
        stolen, good = (ca.sign(f"/CN={n}.example") for n in ("a", "b"))
        self.csrmail("ca", "import", "old", ca.dir, "--without-key")
        self.start("csrmaild")
        self.wait_for_socket()
        crl = f"{self.place}/state/published/old.crl"
        lists = []
        for _ in range(2):
            lists.append(f"{self.place}/{len(lists)}.pem")
            run("openssl", "ca", "-config", ca.conf, "-gencrl", "-out",
                lists[-1])
            if len(lists) == 1:
                ca.revoke(stolen, "-crl_reason", "keyCompromise")
        for path in lists:
            self.assertIn("was installed", self.csrmail(
                "crl", "install", path))
            self.assertEqual(run("openssl", "crl", "-inform", "DER", "-in",
                                 crl), run("openssl", "crl", "-in", path))
        # An older one would hide the revocation again.
        self.csrmail("crl", "install", lists[0], code=65)
        states = {row["serial"]: row["state"] for row in json.loads(
            self.csrmail("cert", "list", "--ca", "old", "--json"))}
        self.assertEqual([states[s.lower()] for s in (stolen, good)],
                         ["revoked", "issued"])
        keys = json.loads(self.csrmail("key", "list", "--json"))
        self.assertEqual([key["kind"] for key in keys], ["compromised"])
        self.assertIn("crl.installed", self.csrmail("audit", "list"))
        # One of another CA is nobody's.
        other = OpensslCa(f"{self.place}/other")
        run("openssl", "ca", "-config", other.conf, "-gencrl", "-out",
            f"{self.place}/other.pem")
        self.assertIn("no CA on record has signed", self.csrmail(
            "crl", "install", f"{self.place}/other.pem", code=65))

    def test_ocsp_and_crl_answer_for_the_imported(self):
        ca, *_ = full_openssl_ca(f"{self.place}/demoCA")
        # A line without its certificate is answered for as well.
        os.unlink(f"{ca.dir}/newcerts/1001.pem")
        index = index_of(f"{ca.dir}/index.txt")
        self.csrmail("ca", "import", "old", ca.dir, "--passphrase-file",
                     f"{self.place}/new")
        with open(f"{self.place}/etc/csrmaild.conf", "a") as conf:
            conf.write('ca "old" {\n\tpassphrase_file = "%s/new"\n'
                       '\tresponder_spool = "%s/ocspd/spool"\n}\n' %
                       (self.place, self.place))
        self.csrmail("policy", "check")
        self.start("csrmaild")
        self.start("ocspd")
        end = time.monotonic() + 60
        while "verify OK" not in (said := self.ask(ca, "1000")):
            self.assertLess(time.monotonic(), end, said)
            time.sleep(0.2)
        for serial, (state, *_) in index.items():
            said = self.ask(ca, serial)
            self.assertIn("verify OK", said)
            self.assertIn(f"0x{serial}: " + (
                "revoked" if state == "R" else "good"), said)
        self.assertIn("0x77AA: unknown", self.ask(ca, "77AA"))
        crl = f"{self.place}/state/published/old.crl"
        while not os.path.exists(crl):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.2)
        run("openssl", "crl", "-inform", "DER", "-in", crl, "-out",
            f"{self.place}/crl.pem", "-CAfile", f"{ca.dir}/cacert.pem")
        ours, number = crl_of(f"{self.place}/crl.pem")
        self.assertGreater(number, 0x1001)
        self.assertTrue({s for s, r in index.items() if r[0] == "R" and
                         not r[1].startswith("21")} <= ours.keys())


@unittest.skipIf(os.geteuid() != 0, "needs root")
class AtOnceOfRoot(AtOnce):
    OPTIONS = ()


if __name__ == "__main__":
    PROGRAMS = sys.argv.pop()
    unittest.main(verbosity=2)
