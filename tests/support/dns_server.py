#!/usr/bin/python3
"""A name server on 127.0.0.1, over UDP and TCP, that knows a few TXT records
and misbehaves on request.

    dns_server.py ZONE      print the port, then answer until the end

ZONE is a file, read anew for each question, of lines NAME KIND [TEXT]:

    txt TEXT        one record, in strings of 255 octets at most
    two TEXT        that record twice, with another text
    cut TEXT        by UDP an answer that is cut, by TCP the record
    alias NAME      a CNAME, and the txt record of that name
    nodata          the name is there, without a TXT record
    servfail        the server cannot tell
    junk            octets that are no answer
    silent          nothing

What is not there is NXDOMAIN, but for a line "* KIND ..." at the end. On standard
error stands what was asked, a line each: "udp NAME" or "tcp NAME", with the
question's number and the port that it came from.
"""

import selectors
import socket
import struct
import sys

NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
TXT, CNAME = 16, 5


def read_name(octets, at):
    labels = []
    while octets[at] != 0:
        labels.append(octets[at + 1:at + 1 + octets[at]].decode())
        at += 1 + octets[at]
    return ".".join(labels), at + 1


def put_name(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"


def put_record(name, kind, data):
    return put_name(name) + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def put_text(name, text):
    octets = text.encode("latin-1")
    pieces = [octets[i:i + 255] for i in range(0, len(octets), 255)] or [b""]
    return put_record(name, TXT, b"".join(
        bytes([len(piece)]) + piece for piece in pieces))


def look_up(zone, name):
    fallback = None
    with open(zone, encoding="latin-1") as file:
        for line in file:
            words = line.rstrip("\n").split(" ", 2) + [""]
            if words[0] == name.lower():
                return words[1:3]
            if words[0] == "*":
                fallback = words[1:3]
    return fallback or ["nxdomain", ""]


def answer(zone, query, tcp, port):
    """The octets of the answer; None for none."""
    name, end = read_name(query, 12)
    number = struct.unpack(">H", query[:2])[0]
    print("tcp" if tcp else "udp", name, number, port, file=sys.stderr,
          flush=True)
    kind, text = look_up(zone, name)
    records, code, cut = [], NOERROR, 0
    if kind == "silent":
        return None
    if kind == "junk":
        return query[:2] + b"\xff" * 40
    if kind in ("txt", "two") or (kind == "cut" and tcp):
        records = [put_text(name, text)]
    if kind == "two":
        records.append(put_text(name, text + " "))
    if kind == "cut" and not tcp:
        cut = 0x0200
    if kind == "alias":
        records = [put_record(name, CNAME, put_name(text)),
                   put_text(text, look_up(zone, text)[1])]
    if kind == "servfail":
        code = SERVFAIL
    if kind == "nxdomain":
        code = NXDOMAIN
    return query[:2] + struct.pack(
        ">HHHHH", 0x8180 | cut | code, 1, len(records), 0, 0) + \
        query[12:end + 4] + b"".join(records)


def listen(kind, port):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    return s


def main():
    zone = sys.argv[1]
    tcp = listen(socket.SOCK_STREAM, 0)
    tcp.listen()
    port = tcp.getsockname()[1]
    udp = listen(socket.SOCK_DGRAM, port)
    print(port, flush=True)
    selector = selectors.DefaultSelector()
    for s in (udp, tcp):
        selector.register(s, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is udp:
                query, peer = udp.recvfrom(4096)
                octets = answer(zone, query, False, peer[1])
                if octets is not None:
                    udp.sendto(octets, peer)
            else:
                connection, peer = tcp.accept()
                with connection:
                    connection.settimeout(5)
                    size = struct.unpack(">H", connection.recv(2))[0]
                    octets = answer(zone, connection.recv(size), True,
                                    peer[1])
                    if octets is not None:
                        connection.sendall(struct.pack(">H", len(octets)) +
                                           octets)


if __name__ == "__main__":
    main()
