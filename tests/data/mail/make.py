#!/usr/bin/env python3
"""Makes tests/data/mail/*.eml, more than two hundred mails as they may arrive,
and expected.json, what must become of each: the folder it is filed in, the
certificates and replies that come back, to whom, words that the reply has, and
fields of its header. tests/journey/test_mail_corpus.py runs them through the
whole daemon; the unit tests of csrmaild/message.c read them too.

clients.py and clients_unix.py have the mails of real programs, shapes.py and
oddities.py one mail for each form and fault, build.py what all are made of. Every run makes the same octets.

    make.py
"""

import hashlib
import json
import os

import clients
import clients_unix
import oddities
import shapes
from build import HERE, MAILS, Request


def write(name, octets):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(octets)


def main():
    for name in os.listdir(HERE):
        if name.endswith((".eml", ".pem", ".der", ".spki",
                          ".txt")):
            os.unlink(os.path.join(HERE, name))
    for mails in clients, clients_unix, shapes, oddities:
        mails.make()
    rows = []
    for m in MAILS.values():
        assert m.octets and m.want, m.name
        write(m.name + ".eml", m.octets)
        rows.append({"source": m.source, "client": m.client, **m.want})
    with open(os.path.join(HERE, "expected.json"), "w",
              encoding="utf-8") as f:
        json.dump(rows, f, indent=1, ensure_ascii=False)
        f.write("\n")
    # For the tests of files instead of mails.
    one, other = Request("a@example.test"), Request("b@example.test")
    write("two.pem", (one.pem + other.pem).encode())
    write("one.der", one.der)
    # SHA-256 of each request that is whole: nothing else may be certified.
    write("requests.txt", "".join(
        d + "\n" for d in sorted(Request.digests)).encode())
    write("key.spki", MAILS["key"].burnt.spki)
    print("%d mails, %d of real programs, %s" % (
        len(rows), sum(bool(r["client"]) for r in rows), hashlib.sha256(
            b"".join(m.octets for m in MAILS.values())).hexdigest()[:16]))


if __name__ == "__main__":
    main()
