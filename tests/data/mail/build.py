"""What tests/data/mail/make.py builds mails from: requests with fixed keys,
MIME entities, and rows of expected outcomes. Standard library only; every run
makes the same octets. No key of these is of any use to anybody."""

import base64
import hashlib
import importlib.util
import os
import quopri

HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN = "example.test"
CA = "ca@" + DOMAIN


def load_requests():
    """DER, RSA and ECDSA of ../make-requests.py."""
    path = os.path.join(HERE, "..", "make-requests.py")
    spec = importlib.util.spec_from_file_location("make_requests", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


asn1 = load_requests()

# --- keys and requests --------------------------------------------------------


class Key(asn1.Ec):
    """P-256, out of a seed."""

    def __init__(self, seed):
        super().__init__("p256")
        self.d = int.from_bytes(asn1.octets("mail " + seed, 32),
                                "big") % self.order
        self.point = self.times(self.d, self.base)
        self.spki = self.spki_of(self.encode("uncompressed"))

    def sec1(self):
        """ECPrivateKey (RFC 5915)."""
        return asn1.seq(asn1.integer(1),
                        asn1.octet_string(self.d.to_bytes(32, "big")),
                        asn1.tlv(0xa0, asn1.oid(asn1.P256)),
                        asn1.tlv(0xa1, asn1.bits(
                            self.encode("uncompressed"))))

    def pkcs8(self):
        inner = asn1.seq(asn1.integer(1),
                         asn1.octet_string(self.d.to_bytes(32, "big")))
        return asn1.seq(asn1.integer(0),
                        asn1.seq(asn1.oid(asn1.EC), asn1.oid(asn1.P256)),
                        asn1.octet_string(inner))


def rsa_key(seed):
    return asn1.Rsa([asn1.prime(seed + " p", 1024),
                     asn1.prime(seed + " q", 1024)])


class Request:
    """What somebody asks for: their own mailbox, unless said otherwise."""

    digests = set()     # of all that were made

    def __init__(self, address, seed=None, key=None, attributes=()):
        self.key = key or Key(seed or address)
        names = asn1.seq(asn1.ext(asn1.SAN, asn1.seq(asn1.mail(address))))
        attributes = list(attributes) or [asn1.attribute(asn1.EXT_REQ, names)]
        self.der = asn1.csr(self.key, asn1.name(asn1.rdn(
            asn1.CN, asn1.utf8(address))), attributes)
        Request.digests.add(hashlib.sha256(self.der).hexdigest())
        self.spki_sha256 = hashlib.sha256(self.key.spki).hexdigest()

    @property
    def pem(self):
        return pem(self.der)

    @property
    def new(self):
        """As Windows and Java write it."""
        return pem(self.der, "NEW CERTIFICATE REQUEST")


def pem(der, label="CERTIFICATE REQUEST", width=64, eol="\n"):
    text = base64.b64encode(der).decode()
    lines = [text[i:i + width] for i in range(0, len(text), width)]
    return eol.join([f"-----BEGIN {label}-----", *lines,
                     f"-----END {label}-----", ""])


def certificate(key):
    """A self-signed one, as somebody may mail it by mistake."""
    name = asn1.name(asn1.rdn(asn1.CN, asn1.utf8("a.example.test")))
    algorithm = asn1.seq(asn1.oid(asn1.ECDSA_WITH["sha256"]))
    tbs = asn1.seq(asn1.tlv(0xa0, asn1.integer(2)), asn1.integer(7), algorithm,
                   name, asn1.seq(asn1.tlv(0x17, b"260101000000Z"),
                                  asn1.tlv(0x17, b"270101000000Z")),
                   name, key.spki)
    return asn1.seq(tbs, algorithm, asn1.bits(key.sign(tbs)[1]))


SIGNED_DATA, ENVELOPED_DATA = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.3"
DATA, CT_PKI_DATA = "1.2.840.113549.1.7.1", "1.3.6.1.5.5.7.12.2"


def cms(kind, content_type, content):
    """ContentInfo with that content and nobody's signature (RFC 5652)."""
    inner = asn1.seq(asn1.integer(3), asn1.tlv(0x31, b""), asn1.seq(
        asn1.oid(content_type), asn1.tlv(0xa0, asn1.octet_string(content))),
        asn1.tlv(0x31, b""))
    return asn1.seq(asn1.oid(kind), asn1.tlv(0xa0, inner))


# --- MIME ---------------------------------------------------------------------


def octets(text, charset="utf-8"):
    """Lines with CRLF; what is octets already stays as it is."""
    if isinstance(text, bytes):
        return text
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode(charset)


def b64(data, width=76):
    text = base64.b64encode(data if isinstance(data, bytes) else
                            data.encode()).decode()
    return "".join(text[i:i + width] + "\r\n"
                   for i in range(0, len(text), width)).encode()


def qp(text, width=76):
    """Every "=" escaped, lines of width at most with soft breaks."""
    lines = []
    for line in quopri.encodestring(octets(text).replace(b"\r\n", b"\n"),
                                    quotetabs=False).split(b"\n"):
        lines.append(line)
    return b"\r\n".join(lines)


def part(header, body):
    return octets(header) + b"\r\n\r\n" + octets(body)


def plain(body, header="Content-Type: text/plain; charset=us-ascii"):
    return part(header, body)


def html(body):
    return part("Content-Type: text/html; charset=utf-8",
                "<html><body>" + body + "</body></html>\n")


def attached(type_, name, data, disposition=None):
    """base64, the way that most programs do."""
    return part(f'Content-Type: {type_}; name="{name}"\n'
                "Content-Disposition: " + (disposition or
                                           f'attachment; filename="{name}"') +
                "\nContent-Transfer-Encoding: base64", b64(data))


def multi(kind, *parts, boundary=None, params="", preamble="", epilogue=""):
    boundary = boundary or "=_" + hashlib.sha256(
        b"".join(parts)).hexdigest()[:24]
    out = octets(f'Content-Type: multipart/{kind};{params}\n'
                 f' boundary="{boundary}"\n\n{preamble}')
    for one in parts:
        out += b"\r\n--" + boundary.encode() + b"\r\n" + one
    return out + b"\r\n--" + boundary.encode() + b"--\r\n" + octets(epilogue)


def forwarded(body, header=""):
    """message/rfc822 around a plain mail of somebody else."""
    return part("Content-Type: message/rfc822", octets(
        "From: Somebody <somebody@example.org>\nSubject: mine\n" + header +
        "\n") + octets(body))


def quote(text, mark="> "):
    return "".join(mark + line + "\n" for line in text.splitlines())


# --- rows ---------------------------------------------------------------------

MIXED = ["text/plain; charset=utf-8", 'application/x-pem-file; name="{}.pem"',
         'application/pkcs7-mime; smime-type=certs-only; name="{}.p7c"']

MAILS = {}


class Mail:
    """One mail, who sends it, and what must become of it.

    source: what the structure is modelled on. Rows of real programs name
    them in client."""

    def __init__(self, name, source, client="", sender=None, subject=None):
        assert name not in MAILS, name
        MAILS[name] = self
        self.name, self.source, self.client = name, source, client
        self.address = sender or f"guest-{name}@{DOMAIN}"
        self.subject = "My certificate, please" if subject is None else subject
        self.request = Request(self.address)
        self.message_id = f"<{name}.2026@mail.{DOMAIN}>"
        self.octets = b""
        self.want = {}

    def another(self, seed="2", address=None):
        return Request(address or self.address, seed + self.address)

    def header(self, more=""):
        return octets(f"From: {self.address}\nTo: {CA}\n"
                      f"Subject: {self.subject}\n"
                      "Date: Thu, 01 Jan 2026 12:00:00 +0000\n"
                      f"Message-ID: {self.message_id}\n"
                      f"MIME-Version: 1.0\n{more}")

    def write(self, entity, more="", header=None):
        """entity: its own fields, the empty line, its body."""
        self.octets = (self.header(more) if header is None else
                       octets(header)) + octets(entity)
        return self

    # what must follow

    def row(self, outcome, requests, words, silent=False, **fields):
        """requests: those that must come back certified."""
        n = len(requests)
        self.want = {
            "mail": self.name, "outcome": outcome, "certificates": n,
            "keys": sorted(r.spki_sha256 for r in requests),
            "replies": 0 if silent else 1,
            "recipient": "" if silent else self.address,
            "words": list(words),
        }
        if silent:
            return
        self.want["header"] = {
            "From": CA, "To": self.address, "Subject": "Re: " + self.subject,
            "In-Reply-To": self.message_id, "References": self.message_id,
            "Auto-Submitted": "auto-replied", "MIME-Version": "1.0",
            "Content-Type": "multipart/mixed", **fields}
        if n == 1:
            self.want["parts"] = [MIXED[0], MIXED[1].format("certificate"),
                                  MIXED[2].format("chain")]

    def issued(self, *requests, words=(), **fields):
        self.row("processed", requests or [self.request],
                 ["your certificate was issued", *words], **fields)

    def held(self, *requests, words=(), **fields):
        """requests: certified at once, beside what waits."""
        self.row("held", requests, ["waits for a person", *words], **fields)

    def rejected(self, *words, **fields):
        """A request is there, and is no good."""
        self.row("rejected", [], ["was rejected", *words], **fields)

    def refused(self, *words, **fields):
        """No request is looked at: why, and what to do."""
        self.row("rejected", [], ["did not lead to a certificate", *words],
                 **{"Content-Type": "text/plain; charset=utf-8", **fields})

    def nothing(self, *words, **fields):
        self.refused("No certificate signing request was found", *words,
                     **fields)

    def silent(self, outcome):
        self.row(outcome, [], [], silent=True)
