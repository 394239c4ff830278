"""DKIM signatures for journeys: after RFC 6376 and 8463, by openssl's command
line alone, so that what csrmaild says of them is another program's word."""

import base64
import hashlib
import os
import re
import subprocess
import tempfile

COVERED = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version",
           "Content-Type", "Content-Transfer-Encoding")


class Key:
    """kind: "rsa:2048", "ed25519"."""

    def __init__(self, path, kind="rsa:2048"):
        self.path, self.name = path, kind.split(":")[0]
        options = ["-algorithm", self.name]
        if ":" in kind:
            options += ["-pkeyopt", f"rsa_keygen_bits:{kind.split(':')[1]}"]
        subprocess.run(["openssl", "genpkey", *options, "-out", path],
                       check=True, stderr=subprocess.DEVNULL)
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout",
                              "-outform", "DER"], check=True,
                             stdout=subprocess.PIPE).stdout
        # RFC 8463, 4: of Ed25519 the bare octets.
        self.public = base64.b64encode(
            der[-32:] if self.name == "ed25519" else der).decode()

    def record(self, tags=""):
        return f"v=DKIM1; k={self.name}; {tags}p={self.public}"

    def sign(self, octets):
        with tempfile.NamedTemporaryFile() as file:
            file.write(hashlib.sha256(octets).digest()
                       if self.name == "ed25519" else octets)
            file.flush()
            command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey",
                       self.path, "-in", file.name]
            if self.name == "rsa":
                command = ["openssl", "dgst", "-sha256", "-sign", self.path,
                           file.name]
            return subprocess.run(command, check=True,
                                  stdout=subprocess.PIPE).stdout


def relaxed(name, value):
    return f"{name.lower()}:{' '.join(value.split())}"


def sign(octets, key, domain, selector="s1", tags="", covered=COVERED):
    """The mail with a DKIM-Signature on top, relaxed/relaxed. Each field that
    is covered is named once more than it is there."""
    head, body = octets.split(b"\r\n\r\n", 1)
    fields = [field.split(":", 1) for field in
              re.split(r"\r\n(?![ \t])", head.decode())]
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ")
             for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    digest = base64.b64encode(hashlib.sha256(
        b"".join(line + b"\r\n" for line in lines)).digest()).decode()
    names, signed = [], []
    for name in covered:
        found = [f for f in fields if f[0].lower() == name.lower()]
        names += [name] * (len(found) + 1)
        signed += [relaxed(*f) + "\r\n" for f in reversed(found)]
    algorithm = f"{key.name}-sha256"
    value = f"v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; " \
        f"s={selector};\r\n\t{tags}h={':'.join(names)};\r\n\tbh={digest};" \
        "\r\n\tb="
    signature = base64.b64encode(key.sign(
        ("".join(signed) + relaxed("DKIM-Signature", value)).encode()))
    return f"DKIM-Signature: {value}".encode() + signature + b"\r\n" + octets
