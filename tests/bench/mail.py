"""Mail in to certificate mail out; called by mail.sh with a running system.

    mail.py DIR [-n MAILS] [-c CLASSIC-MAILS] [-r RUNS]

Each run fills the CA's INBOX while nothing reads it: mails with distinct P-256
requests, sent by the user through Postfix with a login, over four sessions, so
that the milters sign and vouch for them. The clock runs from the start of the
program until Postfix has queued the last reply (its log says so, whoever sent
it); starting up is in it. csrmaild runs as root with its roles' users, as
released; it stays the same CA from run to run.
"""

import argparse
import concurrent.futures
import os
import re
import resource
import shutil
import signal
import smtplib
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "journey")]

# pylint: disable=wrong-import-position
import machine  # noqa: E402
import system   # noqa: E402

SESSIONS = 4


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("-n", dest="mails", type=int, default=1000)
    parser.add_argument("-c", dest="classic_mails", type=int, default=200)
    parser.add_argument("-r", dest="runs", type=int, default=3)
    return parser.parse_args()


# --- mails ------------------------------------------------------------------


def make_requests(person, n):
    """n mails, each with a new key."""
    path = os.path.join(person.system.tmp, "request")

    def make(i):
        name = f"{path}.{i}"
        subprocess.run(
            ["openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-keyout", "/dev/null", "-out", name,
             "-subj", f"/CN={person.address}", "-addext",
             f"subjectAltName=email:{person.address}"],
            check=True, stderr=subprocess.DEVNULL)
        with open(name, "rb") as f:
            csr = f.read()
        os.unlink(name)
        mail = system.compose(person, attachment=(
            csr, "application/pkcs10", "request.p10"))
        return mail.as_bytes(policy=system.email.policy.SMTP)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(make, range(n)))


def send_session(person, recipient, mails):
    """All of these in one authenticated session."""
    env = person.system.env
    with smtplib.SMTP(env["SMTP_HOST"], int(env["SMTP_PORT"]),
                      timeout=60) as server:
        server.starttls(context=person.system.tls)
        server.login(person.address, person.password)
        for mail in mails:
            server.sendmail(person.address, [recipient], mail)


def send_all(person, recipient, mails, sessions):
    """Spread over sessions, each a process; the seconds that it took."""
    began = time.monotonic()
    children = []
    for i in range(sessions):
        pid = os.fork()
        if pid == 0:
            try:
                send_session(person, recipient, mails[i::sessions])
                os._exit(0)
            except BaseException as why:  # pylint: disable=broad-except
                print(why, file=sys.stderr)
                os._exit(1)
        children.append(pid)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    if any(codes):
        raise AssertionError("the SMTP server did not take everything")
    return time.monotonic() - began


def inbox_count(person):
    with person.imap() as server:
        return int(server.select("INBOX", readonly=True)[1][0])


def empty_inbox(person):
    with person.imap() as server:
        if int(server.select("INBOX")[1][0]) > 0:
            server.store("1:*", "+FLAGS", "\\Deleted")
            server.expunge()


def wait_quiet(sys_):
    """Until Postfix has delivered all that it has."""
    queue = os.path.join(sys_.folder, "postfix", "queue")
    system.wait_for("Postfix has an empty queue", lambda: not any(
        files for name in ("maildrop", "incoming", "active", "deferred")
        for _, _, files in os.walk(os.path.join(queue, name))), 300)


def fill(sys_, user, mails):
    """The CA's INBOX holds exactly these."""
    empty_inbox(sys_.ca)
    send_all(user, sys_.ca.address, mails, SESSIONS)
    wait_quiet(sys_)
    if inbox_count(sys_.ca) != len(mails):
        raise AssertionError("not all mails are in the CA's INBOX")


class Accepted:
    """How many mails of the CA's Postfix has queued since; from its log."""

    def __init__(self, sys_):
        self.log = open(f"{sys_.folder}/log/postfix.log", "rb")
        self.log.seek(0, os.SEEK_END)
        self.mark = f" from=<{sys_.ca.address}>,".encode()
        self.seen = set()
        self.rest = b""

    def count(self):
        lines = (self.rest + self.log.read()).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            if b"/qmgr[" in line and self.mark in line:
                self.seen.add(line.split(b"]: ")[1].split(b":")[0])
        return len(self.seen)

    def wait(self, n, deadline_s):
        end = time.monotonic() + deadline_s
        while self.count() < n:
            if time.monotonic() > end:
                raise AssertionError(f"only {self.count()} of {n} replies")
            time.sleep(0.01)


# --- the two ------------------------------------------------------------------


def children_cpu_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def program_of(pid):
    """Whose process it is, for the table of where the time goes."""
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        words = f.read().decode("utf-8", "replace").split("\0")
    if words[0] == "csrmaild:":
        return " ".join(words[:2]).strip()
    with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
        comm = f.read().strip()
    if "/postfix/" in os.readlink(f"/proc/{pid}/exe"):
        return "Postfix"
    if "/dovecot" in os.readlink(f"/proc/{pid}/exe"):
        return "Dovecot"
    return {"opendkim": "OpenDKIM", "csrmaild": "csrmaild: main"}.get(comm)


def difference(after, before):
    return {name: after[name] - before.get(name, 0) for name in after}


def measure(sys_, n, start, finish):
    """Wall time from start() to the n-th reply, processor time of what it
    started until that has ended, and of the whole machine until the reply;
    by programs as well."""
    accepted = Accepted(sys_)
    programs = machine.programs_cpu_s(program_of)
    ours, all_ = children_cpu_s(), machine.machine_cpu_s()
    began = time.monotonic()
    process = start()
    accepted.wait(n, 60 + n)
    wall = time.monotonic() - began
    all_ = machine.machine_cpu_s() - all_
    programs = difference(machine.programs_cpu_s(program_of), programs)
    finish(process)
    process.wait(60)
    ours = children_cpu_s() - ours
    wait_quiet(sys_)
    if accepted.count() != n:
        raise AssertionError(f"{accepted.count()} replies to {n} mails")
    return {"rate": n / wall, "wall": wall, "cpu": 1000 * ours / n,
            "machine": 1000 * all_ / n,
            "programs": {name: 1000 * s / n for name, s in programs.items()}}


def set_sessions(sys_, sessions):
    """smtp.sessions of csrmaild.conf."""
    path = os.path.join(sys_.folder, "etc", "csrmaild.conf")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"\n\tsessions = \d+", "", text)
    text, n = re.subn(r"\nsmtp \{", f"\nsmtp {{\n\tsessions = {sessions}",
                      text)
    if n != 1:
        raise AssertionError(f"{path} has no section smtp")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def run_csrmaild(sys_, n, sessions):
    set_sessions(sys_, sessions)
    issued = len(sys_.replies_of_user())
    row = measure(sys_, n, lambda: sys_.start("csrmaild"),
                  lambda process: process.send_signal(signal.SIGTERM))
    sys_.check_replies(issued + n)
    return row


def make_classic(sys_):
    """The folder of the classic pipeline, with a CA of its own."""
    folder = os.path.join(sys_.folder, "classic")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "certs"))
    env = sys_.env

    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(os.path.join(folder, name), 0o600)

    write("index.txt", "")
    write("index.txt.attr", "unique_subject = no\n")
    write("classic.env", f"AUTHSERV_ID={env['AUTHSERV_ID']}\n"
          f"CA_ADDRESS={env['CA_ADDRESS']}\n"
          f"POSTFIX={sys_.folder}/postfix/etc\n")
    write("ca.cnf", f"""[ca]
default_ca = classic
[classic]
database = {folder}/index.txt
new_certs_dir = {folder}/certs
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
rand_serial = yes
default_md = sha256
default_days = 365
unique_subject = no
copy_extensions = copy
policy = any
x509_extensions = user
[any]
commonName = supplied
[user]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth, emailProtection
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
""")
    write("fetchmailrc", f"""poll {env['IMAP_HOST']} protocol IMAP port """
          f"""{env['IMAPS_PORT']}
 user "{env['CA_ADDRESS']}" password "{env['CA_PASSWORD']}"
 ssl sslcertck sslcertfile "{env['MAIL_CA_CERT']}"
 sslcommonname "{env['AUTHSERV_ID']}"
 fetchall no keep no rewrite
 mda "/usr/bin/procmail {folder}/procmailrc"
""")
    write("procmailrc", f"""SHELL=/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
MAILDIR={folder}
DEFAULT={folder}/left-over
LOGFILE={folder}/procmail.log
LOGABSTRACT=no

:0 w: {folder}/lock
| sh {HERE}/classic.sh {folder}
""")
    system.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
               "/CN=Classic CA", "-keyout", f"{folder}/ca.key", "-out",
               f"{folder}/ca.crt")
    return folder


def run_classic(sys_, n):
    folder = make_classic(sys_)

    def start():
        with open(f"{folder}/fetchmail.log", "wb") as log:
            return subprocess.Popen(
                ["fetchmail", "--nodetach", "--silent", "--pidfile",
                 f"{folder}/fetchmail.pid", "-f", f"{folder}/fetchmailrc"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "HOME": folder, "FETCHMAILHOME": folder})

    row = measure(sys_, n, start, lambda process: None)
    with open(f"{folder}/index.txt", encoding="ascii") as f:
        if len(f.readlines()) != n:
            raise AssertionError("the classic CA did not sign them all")
    return row


# --- the SMTP server alone ----------------------------------------------------


def run_smtp(sys_, reply, n, sessions):
    mails = [reply] * n
    seconds = send_all(sys_.ca, sys_.env["USER_ADDRESS"], mails, sessions)
    wait_quiet(sys_)
    return {"rate": n / seconds}


# --- all ------------------------------------------------------------------------


class Bench(system.System):
    def replies_of_user(self):
        """The message numbers of certificate mails that the user has."""
        with self.user.imap() as server:
            server.select("INBOX", readonly=True)
            return server.search(None, "HEADER", "Auto-Submitted",
                                 "auto-replied")[1][0].split()

    def check_replies(self, n):
        """All are there, and the last is a certificate that verifies."""
        have = self.replies_of_user()
        if len(have) != n:
            raise AssertionError(f"the user has {len(have)} replies, not {n}")
        self.reply = self.last_reply(have[-1])
        pem = system.certificates_in(system.email.message_from_bytes(
            self.reply, policy=system.email.policy.default))[0]
        if ": OK" not in self.verify(pem):
            raise AssertionError("the certificate does not verify")

    def last_reply(self, number):
        with self.user.imap() as server:
            server.select("INBOX", readonly=True)
            return server.fetch(number, "(BODY.PEEK[])")[1][0][1]


def as_sent(reply):
    """Without what our servers put above it, and without its signature."""
    at = reply.index(b"\r\nFrom:") + 2
    return reply[at:]


def stop_daemons(sys_):
    for pids in (sys_.roles("csrmaild").get("main", []),
                 sys_.roles("ocspd").get("main", [])):
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    system.wait_for("the daemons have ended", lambda: not (
        sys_.roles("csrmaild") or sys_.roles("ocspd")))


def main():
    options = arguments()
    sys_ = Bench(options.folder)
    sys_.user = system.Person(sys_, sys_.env["USER_ADDRESS"],
                              sys_.env["USER_PASSWORD"])
    stop_daemons(sys_)
    machine.describe("postfix", "dovecot-core", "opendkim", "openssl",
                     "libssl3", "libsqlite3-0", "fetchmail", "procmail",
                     "mpack")
    ours, many, classic, one, four = [], [], [], [], []
    for i in range(options.runs):
        print(f"run {i + 1} of {options.runs}", end="", flush=True)
        print(": csrmaild", end="", flush=True)
        for rows, sessions in ((ours, 1), (many, SESSIONS)):
            mails = make_requests(sys_.user, options.mails)
            fill(sys_, sys_.user, mails)
            rows.append(run_csrmaild(sys_, len(mails), sessions))
            empty_inbox(sys_.user)
        print(f" {ours[-1]['rate']:.1f}/s and {many[-1]['rate']:.1f}/s, "
              "SMTP alone", end="", flush=True)
        reply = as_sent(sys_.reply)
        one.append(run_smtp(sys_, reply, options.mails, 1))
        four.append(run_smtp(sys_, reply, options.mails, SESSIONS))
        print(f" {one[-1]['rate']:.1f}/s and {four[-1]['rate']:.1f}/s, "
              "classic", end="", flush=True)
        mails = mails[:options.classic_mails]
        fill(sys_, sys_.user, mails)
        classic.append(run_classic(sys_, len(mails)))
        print(f" {classic[-1]['rate']:.1f}/s", flush=True)
        empty_inbox(sys_.user)
    print(f"""
Medians of {options.runs} runs (least to most); {options.mails} mails, """
          f"""classic {options.classic_mails}; a reply has {len(reply)} octets
                          mails/s                 CPU ms/mail, own  whole machine""")
    for name, rows in (("csrmaild, 1 session", ours),
                       ("csrmaild, 4 sessions", many),
                       ("classic pipeline", classic)):
        print(f"{name:25} {machine.spread(rows, 'rate', '{:.1f}'):23} "
              f"{machine.median(rows, 'cpu'):16.2f} "
              f"{machine.median(rows, 'machine'):14.1f}")
    for name, rows in (("SMTP alone, 1 session", one),
                       ("SMTP alone, 4 sessions", four)):
        print(f"{name:25} {machine.spread(rows, 'rate', '{:.1f}')}")
    print("\nCPU ms a mail by program, median run")
    for name, rows in (("csrmaild, 1 session", ours),
                       ("csrmaild, 4 sessions", many),
                       ("classic pipeline", classic)):
        run = sorted(rows, key=lambda row: row["rate"])[len(rows) // 2]
        print(f"{name}: " + ", ".join(
            f"{program} {ms:.2f}" for program, ms in
            sorted(run["programs"].items(), key=lambda item: -item[1])
            if ms >= 0.01))
    rate = machine.median(classic, "rate")
    for name, rows, smtp in (("one session", ours, one),
                             ("four sessions", many, four)):
        got = machine.median(rows, "rate")
        print(f"csrmaild on {name}: {got / rate:.1f} x the classic pipeline, "
              f"{got / machine.median(smtp, 'rate'):.2f} x SMTP alone")


if __name__ == "__main__":
    main()
