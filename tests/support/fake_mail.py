"""Mail servers that misbehave, one way at a time, on 127.0.0.1.

FakeImap has one INBOX and does what csrmaild asks for; FakeSmtp takes mails.
`mode` says what goes wrong, and may be changed while they run: "" behaves.
Both record every octet that came in clear (`clear`) and under TLS (`hidden`),
and when a connection came (`connections`, monotonic seconds).
"""

import base64
import os
import re
import socket
import ssl
import threading
import time

TICK_S = 0.05


class Gone(Exception):
    """The conversation is over."""


class Conversation:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.tls = False
        self.buffer = b""
        self.recorded = b""     # of this connection, in clear

    def start_tls(self):
        self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
        self.tls = True

    def say(self, *lines):
        self.write("".join(line + "\r\n" for line in lines).encode())

    def write(self, octets):
        self.sock.sendall(octets)

    def read_some(self):
        octets = self.sock.recv(65536)
        if not octets:
            raise Gone
        if self.tls:
            self.server.hidden += octets
        else:
            self.server.clear += octets
        self.buffer += octets

    def line(self):
        while b"\n" not in self.buffer:
            self.read_some()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def hang(self):
        """Say nothing more, until the client has enough."""
        while True:
            self.read_some()

    def drip(self, octets):
        for n in range(len(octets)):
            self.write(octets[n:n + 1])
            time.sleep(1)
        self.hang()

    def flood(self, line):
        while True:
            self.write(line * 1000)


class Server:
    def __init__(self, tls, implicit=False):
        """tls: the server's SSLContext."""
        self.tls, self.implicit = tls, implicit
        self.mode = ""
        self.clear = self.hidden = b""
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(time.monotonic())
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def serve(self, sock):
        sock.settimeout(120)
        conversation = self.conversation(self, sock)
        try:
            if self.mode == "close at connect":
                return
            if self.mode == "mute":
                conversation.hang()
            if self.implicit:
                conversation.start_tls()
            conversation.run()
        except (Gone, OSError, ValueError):
            pass
        finally:
            conversation.sock.close()

    def close(self):
        self.listener.close()


# --- IMAP ---------------------------------------------------------------------

STAGES = ("greeting", "CAPABILITY", "LOGIN", "SELECT", "FETCH", "IDLE")


class ImapConversation(Conversation):
    def run(self):
        self.mode = self.server.mode    # of this conversation
        if self.mode == "PREAUTH":
            self.say("* PREAUTH come in")
        elif self.mode == "BYE at greeting":
            self.say("* BYE too busy")
            return
        elif self.mode == "garbage":
            self.write(os.urandom(4096))
            self.hang()
        elif self.mode == "drip the greeting":
            self.drip(b"* OK " + b"x" * 1000)
        elif self.mode == "flood":
            self.flood(b"* OK still here\r\n")
        else:
            self.say("* OK fake")
        while True:
            words = self.line().split(" ", 2)
            self.server.commands += 1
            self.tag = words[0]
            if len(words) < 2:
                continue
            command = words[1].upper()
            if command == "UID" and len(words) > 2:
                command = "UID " + words[2].split(" ")[0].upper()
            self.answer(command, words[2] if len(words) > 2 else "")

    def ok(self, *lines):
        self.say(*lines, f"{self.tag} OK done")

    def answer(self, command, rest):
        stage = "LOGIN" if command == "AUTHENTICATE" else \
            command.replace("UID ", "")
        if self.mode == f"BYE at {stage}":
            self.say("* BYE going down")
            raise Gone
        if self.mode == f"mute at {stage}":
            self.hang()
        if self.mode == f"garbage at {stage}":
            self.write(os.urandom(4096) + b"\r\n")
            self.hang()
        if self.mode == "NO to everything" and command not in (
                "CAPABILITY", "LOGOUT"):
            self.say(f"{self.tag} NO [UNAVAILABLE] out of order")
            return
        getattr(self, "do_" + command.replace(" ", "_").lower(),
                self.do_other)(rest)

    def do_other(self, _):
        self.say(f"{self.tag} BAD what is that?")

    def do_capability(self, _):
        starttls = "" if self.tls or self.mode == "no STARTTLS" \
            else " STARTTLS LOGINDISABLED"
        self.ok(f"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 "
                f"IDLE MOVE UIDPLUS{starttls}")

    def do_starttls(self, _):
        if self.mode == "NO to STARTTLS":
            self.say(f"{self.tag} NO not today")
            return
        if self.mode == "octets behind STARTTLS":
            self.say(f"{self.tag} OK go", "* OK [ALERT] injected")
        else:
            self.ok()
        self.start_tls()

    def logged_in(self, said):
        if self.mode == "wrong password" or said not in self.server.logins:
            self.say(f"{self.tag} NO [AUTHENTICATIONFAILED] wrong, says "
                     "the fake")
        else:
            self.ok()

    def do_login(self, rest):
        self.logged_in(rest)

    def do_authenticate(self, rest):
        words = rest.split(" ")
        if len(words) == 1:
            self.say("+ ")
            words.append(self.line())
        said = base64.b64decode(words[1]).decode()
        if words[0] == "XOAUTH2" and said not in self.server.logins:
            self.say("+ eyJzdGF0dXMiOiI0MDEifQ==")
            self.line()
        self.logged_in(said)

    def do_select(self, _):
        if self.mode == "no such folder":
            self.say(f"{self.tag} NO [NONEXISTENT] no such folder")
            return
        self.inbox = sorted(self.server.inbox)
        self.ok(f"* {len(self.inbox)} EXISTS",
                f"* OK [UIDVALIDITY {self.server.uid_validity}] fake",
                "* OK [UIDNEXT 1000] fake")

    def do_fetch(self, rest):
        first, last = re.match(r"(\d+)(?::(\d+))?", rest).groups()
        lines = []
        for number in range(int(first), int(last or first) + 1):
            uid = self.inbox[number - 1]
            size = len(self.server.inbox.get(uid, b""))
            size = {"sizes too small": 1, "sizes too large": 2 ** 32 - 1,
                    "sizes twice": size * 2}.get(self.mode, size)
            lines.append(f"* {number} FETCH (UID {uid} RFC822.SIZE {size})")
        self.ok(*lines)

    def do_uid_fetch(self, rest):
        uids = {int(n) for a, b in re.findall(
            r"(\d+)(?::(\d+))?", rest.split(" ")[1])
            for n in range(int(a), int(b or a) + 1)}
        what = re.search(r"BODY\.PEEK\[(HEADER)?\](<\d+\.(\d+)>)?", rest)
        for number, uid in enumerate(self.inbox, 1):
            if uid not in uids or uid not in self.server.inbox:
                continue
            octets = self.server.inbox[uid]
            section = "BODY[]"
            if what.group(1):
                octets = octets.split(b"\r\n\r\n")[0] + b"\r\n\r\n"
                octets = octets[:int(what.group(3))]
                section = "BODY[HEADER]<0>"
            size = len(octets)
            size = {"literal too long": size + 1000,
                    "literal of 4 GB": 2 ** 32 - 1,
                    "literal too short": 10}.get(self.mode, size)
            self.write(f"* {number} FETCH (UID {uid} {section} "
                       f"{{{size}}}\r\n".encode())
            if self.mode == "cut in a literal":
                self.write(octets[:size // 2])
                raise Gone
            if self.mode == "drip a literal":
                self.drip(octets)
            if self.mode == "literal of 4 GB":
                self.flood(octets)
            self.write(octets + b")\r\n")
        self.ok()

    def do_uid_move(self, rest):
        if self.mode == "NO to MOVE":
            self.say(f"{self.tag} NO [OVERQUOTA] the folder is full")
            return
        uids, folder = rest.split(" ", 2)[1:]
        for a, b in re.findall(r"(\d+)(?::(\d+))?", uids):
            for uid in range(int(a), int(b or a) + 1):
                if uid in self.server.inbox:
                    self.server.filed.setdefault(
                        folder.strip('"'), []).append(
                            self.server.inbox.pop(uid))
        self.ok()

    def do_create(self, _):
        self.say(f"{self.tag} NO [ALREADYEXISTS] it is there")

    def do_idle(self, _):
        known = len(self.server.inbox)
        if self.mode == "news that is none":
            self.write(b"+ idling\r\n* 99 EXISTS\r\n")
        else:
            self.say("+ idling")
        self.sock.settimeout(TICK_S)
        told = False
        try:
            while b"\n" not in self.buffer:
                try:
                    self.read_some()
                except TimeoutError:
                    if not told and len(self.server.inbox) > known:
                        self.say(f"* {len(self.server.inbox)} EXISTS")
                        told = True
                    if self.server.mode != self.mode:
                        raise Gone from None
        finally:
            self.sock.settimeout(120)
        self.line()
        self.ok()

    def do_logout(self, _):
        self.ok("* BYE see you")
        raise Gone


class FakeImap(Server):
    conversation = ImapConversation

    def __init__(self, tls, logins, implicit=False):
        """logins: what LOGIN, or SASL's answer, may say."""
        self.logins = logins
        self.inbox, self.filed = {}, {}
        self.commands = 0
        self.uid_validity, self.last_uid = 42, 0
        super().__init__(tls, implicit)

    def deliver(self, octets):
        self.last_uid += 1
        self.inbox[self.last_uid] = octets


# --- SMTP -----------------------------------------------------------------------

SMTP_STAGES = ("banner", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA",
               "dot", "QUIT")
SMTP_FAILURES = ("4xx", "5xx", "close", "mute", "garbage", "drip")


class Refused(Exception):
    """A reply has been sent that ends the step, not the conversation."""


class SmtpConversation(Conversation):
    def run(self):
        self.mode = self.server.mode
        self.authenticated = False
        self.reply("banner", "220 fake.example.test ESMTP")
        while True:
            try:
                self.answer(self.line())
            except Refused:
                pass

    def answer(self, line):
        command = line.split(" ")[0].upper()
        if command == "EHLO":
            offers = ["AUTH PLAIN XOAUTH2", "8BITMIME"]
            if not self.tls and self.mode != "no STARTTLS":
                offers = ["STARTTLS"]
            self.reply("EHLO", "250-fake", *(
                f"250{' ' if n == len(offers) - 1 else '-'}{offer}"
                for n, offer in enumerate(offers)))
        elif command == "STARTTLS":
            self.reply("STARTTLS", "220 go on")
            self.start_tls()
        elif command == "AUTH":
            self.authenticate(line.split(" ")[1:])
        elif command == "MAIL":
            self.recipient = None
            self.reply("MAIL", "250 fine")
        elif command == "RCPT":
            self.reply("RCPT", "250 fine")
            self.recipient = re.search("<(.*)>", line).group(1)
        elif command == "DATA" and self.recipient is None:
            self.say("554 5.5.1 for nobody")
        elif command == "DATA":
            self.reply("DATA", "354 go on")
            self.take()
        elif command == "QUIT":
            self.reply("QUIT", "221 bye")
            raise Gone
        else:
            self.say("250 fine")

    def reply(self, stage, *lines):
        """What goes wrong at this stage, or the lines."""
        place, _, how = self.mode.partition(" ")
        if place != stage:
            self.say(*lines)
            return
        self.server.failed += 1
        if how == "4xx":
            self.say("421 4.3.2 not now" if stage in ("banner", "EHLO")
                     else "451 4.3.0 not now")
        elif how == "5xx":
            self.say("554 5.7.1 never")
        elif how == "close":
            raise Gone
        elif how == "mute":
            self.hang()
        elif how == "garbage":
            self.write(os.urandom(3000) + b"\r\n")
            self.hang()
        elif how == "drip":
            self.drip(b"250-" + b"x" * 1000)
        if stage in ("STARTTLS", "banner"):
            raise Gone
        raise Refused

    def authenticate(self, words):
        if len(words) == 1:
            self.say("334 ")
            words.append(self.line())
        said = base64.b64decode(words[1]).decode()
        if said not in self.server.logins:
            self.say("535 5.7.8 wrong, says the fake")
            return
        self.reply("AUTH", "235 welcome")
        self.authenticated = True

    def take(self):
        lines = []
        while True:
            line = self.line()
            if line == ".":
                break
            lines.append(line[1:] if line.startswith(".") else line)
        if not self.authenticated:
            self.server.unauthenticated += 1
        self.reply("dot", "250 taken")
        self.server.taken.append(
            (self.recipient, "\r\n".join(lines).encode()))


class FakeSmtp(Server):
    conversation = SmtpConversation

    def __init__(self, tls, logins, implicit=False):
        self.logins = logins
        self.taken = []             # (recipient, octets)
        self.failed = 0             # times that `mode` went wrong
        self.unauthenticated = 0    # mails that came without a login
        super().__init__(tls, implicit)
