"""The running system as the tests see it: people, mailboxes, the CLI, roles.

    system.py up PLACE      start one with init/quickstart.sh; PLACE (a file)
                            will say where it is
    system.py down PLACE    end it; its logs are left as PLACE.*.log

Nothing here waits a fixed time. What should happen is asked for until it has,
or until a deadline that only a broken system meets.
"""

import email
import email.policy
import imaplib
import json
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
QUICKSTART = os.path.join(SOURCE, "init", "quickstart.sh")
RIG = os.path.join(SOURCE, "init", "rig.sh")
DEADLINE_S = 60
FOLDERS = ("Processed", "Held", "Rejected", "Unreadable")


def wait_for(what, ask, deadline_s=DEADLINE_S):
    """The first true answer of ask()."""
    end = time.monotonic() + deadline_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(0.05)


def free_port():
    """A port of 127.0.0.1 that nobody listens at now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*command, stdin=None, check=True, deadline_s=DEADLINE_S):
    """Run a command; its output as text."""
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          timeout=deadline_s)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit "
                             f"{done.returncode}\n{done.stdout}")
    return done.stdout


def read_env(folder):
    """DIR/env, as a shell understands it."""
    script = '. "$1" && while IFS="=" read -r name _; do ' \
             'eval "printf \'%s\\0%s\\0\' \\"$name\\" \\"\\$$name\\""; ' \
             'done <"$1"'
    out = subprocess.run(["sh", "-c", script, "sh", f"{folder}/env"],
                         stdout=subprocess.PIPE, check=True, text=True).stdout
    words = out.split("\0")
    return dict(zip(words[0::2], words[1::2]))


class Person:
    """Somebody with an address and a password at our mail server."""

    def __init__(self, system, address, password):
        self.system, self.address, self.password = system, address, password

    def send(self, message, login=True, sender=None, to=None):
        """Through our server, to the CA if nobody is named. Octets go as
        they are."""
        if not isinstance(message, bytes):
            message = message.as_bytes(policy=email.policy.SMTP)
        env = self.system.env
        with smtplib.SMTP(env["SMTP_HOST"], int(env["SMTP_PORT"]),
                          timeout=60) as server:
            if login:
                server.starttls(context=self.system.tls)
                server.login(self.address, self.password)
            server.sendmail(sender or self.address,
                            to or [env["CA_ADDRESS"]], message)

    def imap(self):
        env = self.system.env
        server = imaplib.IMAP4_SSL(env["IMAP_HOST"], int(env["IMAPS_PORT"]),
                                   ssl_context=self.system.tls)
        server.login(self.address, self.password)
        return server

    def search(self, server, folder, field, value):
        """Numbers of the mails whose header field has the value."""
        if server.select(folder, readonly=True)[0] != "OK":
            return []
        return server.search(None, "HEADER", field,
                             f'"{value}"')[1][0].split()

    def count(self, folder, message_id):
        with self.imap() as server:
            return len(self.search(server, folder, "Message-ID",
                                   message_id))

    def own_csr(self, **options):
        """What the staff rule signs for this person without another."""
        return self.system.csr(f"email:{self.address}", cn=self.address,
                               **options)

    def replies(self, message_id):
        """What came back for the mail with that Message-ID."""
        with self.imap() as server:
            return [email.message_from_bytes(
                server.fetch(n, "(BODY.PEEK[])")[1][0][1],
                policy=email.policy.default) for n in self.search(
                    server, "INBOX", "In-Reply-To", message_id)]

    def wait_certificate(self, message_id, deadline_s=DEADLINE_S):
        """The reply to that mail which carries a certificate, and it."""
        def ask():
            for reply in self.replies(message_id):
                if certificates_in(reply):
                    return reply, certificates_in(reply)[0]
            return None
        return wait_for(f"certificate for {message_id}", ask, deadline_s)

    def wait_reply(self, message_id, deadline_s=DEADLINE_S):
        return wait_for(f"reply to {message_id}",
                        lambda: self.replies(message_id), deadline_s)[0]


def new_message_id():
    return f"<{uuid.uuid4()}@example.test>"


def compose(person, content=None, subject="A certificate, please",
            message_id=None, attachment=None, from_field=None, to=None):
    """A mail of that person to the CA, or to the field `to`; attachment:
    (octets, type, name)."""
    mail = email.message.EmailMessage()
    mail["From"] = from_field or person.address
    mail["To"] = to or person.system.env["CA_ADDRESS"]
    mail["Subject"] = subject
    mail["Date"] = email.utils.formatdate()
    mail["Message-ID"] = message_id or new_message_id()
    mail.set_content(content or "Please see below.\n")
    if attachment:
        octets, content_type, name = attachment
        maintype, subtype = content_type.split("/")
        mail.add_attachment(octets, maintype=maintype, subtype=subtype,
                            filename=name)
    return mail


def text_of(mail):
    """The first readable part."""
    part = mail.get_body(("plain",))
    return part.get_content() if part else ""


def certificates_in(mail):
    """PEM certificates in attachments, in their order."""
    found = []
    for part in mail.walk():
        if part.is_multipart() or not (part.get_filename() or "").endswith(
                ".pem"):
            continue
        text = part.get_payload(decode=True).decode()
        if "-----BEGIN CERTIFICATE-----" in text:
            found.append(text)
    return found


class System:
    def __init__(self, folder):
        self.folder = folder
        self.env = read_env(folder)
        self.tls = ssl.create_default_context(
            cafile=self.env["MAIL_CA_CERT"])
        self.started = []  # reaped when polled
        self.folders = FOLDERS
        self.tmp = tempfile.mkdtemp(prefix="journey.", dir=folder)
        self.ca = Person(self, self.env["CA_ADDRESS"],
                         self.env["CA_PASSWORD"])

    def new_person(self):
        """Somebody who never wrote before, so that no limit on replies to
        one person and no older mail meets this test."""
        return Person(self, f"guest-{uuid.uuid4().hex[:12]}@"
                      f"{self.env['MAIL_DOMAIN']}",
                      self.env["GUEST_PASSWORD"])

    def file(self, name, content):
        path = os.path.join(self.tmp, name)
        with open(path, "w" if isinstance(content, str) else "wb") as out:
            out.write(content)
        return path

    # --- requests -------------------------------------------------------

    def csr(self, *names, cn, key=("ec", "ec_paramgen_curve:P-256"),
            form="PEM", extensions=()):
        """A new key and a request for it; names: "email:a@b", ..."""
        path = os.path.join(self.tmp, uuid.uuid4().hex)
        command = ["openssl", "req", "-new", "-nodes", "-newkey", key[0],
                   "-keyout", f"{path}.key", "-out", f"{path}.csr",
                   "-outform", form,
                   "-subj", f"/CN={cn}"]
        for option in key[1:]:
            command += ["-pkeyopt", option]
        if names:
            command += ["-addext", "subjectAltName=" + ",".join(names)]
        for extension in extensions:
            command += ["-addext", extension]
        run(*command)
        with open(f"{path}.csr", "rb") as file:
            octets = file.read()
        return octets.decode() if form == "PEM" else octets

    # --- the CLI ----------------------------------------------------------

    def csrmail(self, *arguments, check=True):
        return run(*self.env["CSRMAIL"].split(), *arguments, check=check)

    def rows(self, *arguments):
        """A list of the CLI, as dictionaries."""
        answer = json.loads(self.csrmail(*arguments, "--json"))
        if isinstance(answer, dict):
            answer = next(v for v in answer.values() if isinstance(v, list))
        return answer

    def certificates(self, person):
        return self.rows("cert", "list", "--like", person.address)

    def requests(self, person, state="all"):
        return [row for row in self.rows("request", "list", state)
                if person.address in row["principal"]]

    def revoke(self, pem, reason="keyCompromise", check=True):
        self.csrmail("cert", "revoke", serial_of(pem), "--reason", reason,
                     check=check)

    def is_on_crl(self, pem):
        """Does the CRL, which must verify, list the certificate?"""
        with urllib.request.urlopen(self.env["CRL_URL"],
                                    timeout=10) as answer:
            crl = self.file("crl", answer.read())
        text = run("openssl", "crl", "-inform", "DER", "-in", crl, "-noout",
                   "-text", "-CAfile", self.env["ISSUER_CERT"])
        if "verify OK" not in text:
            raise AssertionError(text)
        return f"Serial Number: {serial_of(pem)}" in text

    # --- OCSP ---------------------------------------------------------------

    def ocsp(self, pem, *options):
        """What openssl ocsp says of the certificate, response verified."""
        certificate = self.file(f"{uuid.uuid4().hex}.pem", pem)
        out = run("openssl", "ocsp", "-url", self.env["OCSP_URL"],
                  "-issuer", self.env["ISSUER_CERT"], *options,
                  "-cert", certificate,
                  "-CAfile", f"{self.folder}/chain.pem")
        if "Response verify OK" not in out:
            raise AssertionError(out)
        return out.split(f"{certificate}: ")[1]

    def wait_ocsp(self, pem, status, *options):
        """ocspd sees what is new within a second."""
        return wait_for(f"OCSP says {status}", lambda: self.ocsp(
            pem, *options).startswith(status))

    def verify(self, pem):
        certificate = self.file(f"{uuid.uuid4().hex}.pem", pem)
        return run("openssl", "verify", "-CAfile", self.env["ROOT_CERT"],
                   "-untrusted", self.env["ISSUER_CERT"], certificate)

    # --- the CA's mailbox ---------------------------------------------------

    def folder_of(self, message_id):
        """Where csrmaild has filed the mail; None: still in INBOX."""
        for folder in self.folders:
            if self.ca.count(folder, message_id) > 0:
                return folder
        return None

    def wait_filed(self, message_id, deadline_s=DEADLINE_S):
        return wait_for(f"{message_id} filed",
                        lambda: self.folder_of(message_id), deadline_s)

    def deposit(self, octets):
        """Lay a mail into the CA's INBOX as our server would have."""
        with self.ca.imap() as server:
            status, answer = server.append("INBOX", None, None, octets)
            assert status == "OK", answer

    def vouched(self, mail):
        """The octets of a mail with our server's word that it is the
        user's; for what Postfix would not let through, or is down for."""
        domain = self.env["MAIL_DOMAIN"]
        return (f"Authentication-Results: {self.env['AUTHSERV_ID']};\r\n"
                f"\tdkim=pass header.d={domain} header.i=@{domain}\r\n"
                ).encode() + (mail if isinstance(mail, bytes) else
                              mail.as_bytes(policy=email.policy.SMTP))

    # --- mail servers and daemons -----------------------------------------

    def rig(self, command):
        run("sh", RIG, command, self.folder)

    def roles(self, program="csrmaild"):
        """{"intake": [pid, ...], ...}: ours only, by their names in ps."""
        found = {}
        binary = os.path.join(self.folder, "bin", program)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/exe") != binary:
                    continue
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().decode().split("\0")
            except OSError:
                continue
            name = words[1] if words[0] == f"{program}:" else "main"
            found.setdefault(name, []).append(int(pid))
        return found

    def is_ready(self):
        """csrmaild answers, has its mailboxes open and its keys."""
        done = subprocess.run(
            [*self.env["CSRMAIL"].split(), "status", "--json"], timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done.returncode not in (0, 1):
            return False
        status = json.loads(done.stdout)
        return all(m["connected"] for m in status["mailboxes"].values()) \
            and all(status["keys"].values())

    def kill_all(self, program="csrmaild"):
        """All processes of a daemon at once, as a power failure would."""
        while self.roles(program):
            for pids in self.roles(program).values():
                for pid in pids:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            time.sleep(0.01)

    def configure(self, conf, is_good=None):
        """csrmaild with another configuration, by `csrmail reload`; returns
        when is_good() or, without it, when all mailboxes are open."""
        before = self.roles().get("intake")
        with open(f"{self.folder}/etc/csrmaild.conf", "w",
                  encoding="utf-8") as file:
            file.write(conf)
        self.csrmail("reload")
        wait_for("new roles", lambda: self.roles().get(
            "intake", before) != before)
        wait_for("csrmail status is good", is_good or self.is_ready)

    def start(self, program="csrmaild", **environment):
        # From a folder that is closed to the roles, as root's home is.
        with open(f"{self.folder}/log/{program}.log", "ab") as log:
            process = subprocess.Popen(
                self.env[program.upper()].split(), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
                cwd=f"{self.folder}/secret", env={**os.environ, **environment})
        self.started.append(process)
        return process

    def heal(self):
        """Before each test: everything that should run does."""
        self.rig("start-imap")
        self.rig("start-smtp")
        for program in ("csrmaild", "ocspd"):
            if not self.roles(program):
                self.start(program)
        wait_for("csrmail status is good", self.is_ready)


def serial_of(pem):
    return run("openssl", "x509", "-noout", "-serial",
               stdin=pem).strip().split("=")[1]


def running_system():
    """The system of this test run; JOURNEY_PLACE is the file that says where
    it is, or JOURNEY_DIR the folder."""
    if os.geteuid() != 0:
        print("only root can run the mail servers")
        sys.exit(77)
    folder = os.environ.get("JOURNEY_DIR")
    if not folder:
        with open(os.environ["JOURNEY_PLACE"]) as place:
            folder = place.read().strip()
    return System(folder)


def up(place):
    folder = tempfile.mkdtemp(prefix="csrmail-journey.", dir="/tmp")
    os.chmod(folder, 0o755)
    with open(place, "w") as file:
        file.write(folder)
    return subprocess.run(["sh", QUICKSTART, "--keep", folder]).returncode


def down(place):
    """What the daemons said stays, beside place."""
    with open(place) as file:
        folder = file.read().strip()
    code = subprocess.run(["sh", QUICKSTART, "--stop", folder]).returncode
    for name in ("csrmaild", "ocspd"):
        shutil.copy(f"{folder}/log/{name}.log", f"{place}.{name}.log")
    shutil.rmtree(folder)
    os.unlink(place)
    return code


if __name__ == "__main__":
    sys.exit({"up": up, "down": down}[sys.argv[1]](sys.argv[2]))
