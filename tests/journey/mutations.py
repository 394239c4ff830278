"""Mails with some octets changed: what errors of transport, programs and ill
will make of the mails in tests/data/mail. The same seed makes the same."""

import os
import random

MAILS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data",
                     "mail")
# Where readers of mail and of DER go wrong.
EDGES = [b"\r", b"\n", b"\r\n", b" ", b"\t", b"-", b"--", b"=", b'"', b"(",
         b")", b"<", b">", b";", b":", b"\\", b"\x80", b"\xff", b"\x01",
         b"Content-Type: text/plain\r\n", b"\r\n\r\n",
         b"Content-Transfer-Encoding: base64\r\n",
         b"-----BEGIN CERTIFICATE REQUEST-----\r\n"]


def originals():
    """{name: octets}, in the order of their names."""
    found = {}
    for file in sorted(os.listdir(MAILS)):
        if file.endswith(".eml"):
            with open(os.path.join(MAILS, file), "rb") as f:
                found[file[:-4]] = f.read()
    return found


def mutate(octets, draw, others):
    """One to eight changes: an octet, a bit, a piece cut, doubled, moved in
    from another mail, or put in from the table."""
    out = bytearray(octets)
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(out) + 1)
        n = draw.choice((1, 1, 2, 5, 40, 300))
        kind = draw.randrange(7)
        if kind == 0 and at < len(out):
            out[at] = draw.randrange(1, 256)
        elif kind == 1 and at < len(out):
            out[at] = (out[at] ^ 1 << draw.randrange(8)) or 1
        elif kind == 2:
            del out[at:at + n]
        elif kind == 3:
            out[at:at] = out[at:at + n]
        elif kind == 4:
            out[at:at] = draw.choice(EDGES)
        elif kind == 5:
            other = others[draw.randrange(len(others))]
            start = draw.randrange(len(other))
            out[at:at] = other[start:start + n]
        else:
            out[at:at + 1] = draw.choice(EDGES)
    return bytes(out)


def mutations(seed, n):
    """(name of the original, octets), n times."""
    draw = random.Random(seed)
    mails = originals()
    names, contents = list(mails), list(mails.values())
    for _ in range(n):
        name = draw.choice(names)
        yield name, mutate(mails[name], draw, contents)
