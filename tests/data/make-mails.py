#!/usr/bin/env python3
"""Makes tests/data/mail/*.eml: one small mail for each way in which a CSR
arrives, or should not. Needs openssl(1). Keys are made anew at each run and
thrown away, but for the one that a mail gives away on purpose."""

import base64
import os
import quopri
import subprocess
import tempfile

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mail")
HEAD = ("From: User <user@example.test>\r\nTo: ca@example.test\r\n"
        "Subject: please sign\r\nMessage-ID: <%s@example.test>\r\n"
        "Date: Thu, 01 Jan 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n")


def openssl(*args, data=None):
    return subprocess.run(("openssl",) + args, input=data, check=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def new_request(name):
    """(key in PEM, CSR in PEM, CSR in DER)"""
    with tempfile.TemporaryDirectory() as tmp:
        key = os.path.join(tmp, "key")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-out", key)
        csr = openssl("req", "-new", "-key", key, "-subj", "/CN=" + name,
                      "-addext", "subjectAltName=DNS:" + name)
        der = openssl("req", "-outform", "DER", data=csr)
        with open(key, "rb") as f:
            return f.read().decode(), csr.decode(), der


def crlf(text):
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def b64(octets):
    return crlf(base64.encodebytes(octets).decode())


def part(header, body):
    return crlf(header) + "\r\n\r\n" + crlf(body)


def text(body):
    return part("Content-Type: text/plain", body)


def multipart(kind, *parts, boundary="frontier", preamble="", epilogue=""):
    body = "Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n%s" % (
        kind, boundary, crlf(preamble))
    for p in parts:
        body += "\r\n--%s\r\n%s" % (boundary, p)
    return body + "\r\n--%s--\r\n%s" % (boundary, crlf(epilogue))


def mail(name, entity, extra=""):
    with open(os.path.join(OUT, name + ".eml"), "wb") as f:
        f.write((HEAD % name + crlf(extra) + entity).encode("utf-8"))


def main():
    os.makedirs(OUT, exist_ok=True)
    key, pem, der = new_request("a.example")
    _, other, _ = new_request("b.example")
    new = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
    html = "<html><pre>" + pem + "</pre></html>"

    mail("inline", text("Hello,\n\n" + pem + "\nBye\n"))
    mail("inline-spaces", text("Hello,\n" +
         pem.replace("\n", " \t\n").replace("-----BEGIN", "  -----BEGIN")))
    mail("no-mime-header", "\r\n" + crlf(pem))
    mail("attached-new", multipart("mixed", text("see there"), part(
        "Content-Type: text/x-whatever; name=req.txt", new)))
    mail("attached-der", multipart("mixed", text("see there"), part(
        "Content-Type: application/pkcs10\n"
        "Content-Disposition: attachment;"
        " filename*=utf-8''my%20request.p10\n"
        "Content-Transfer-Encoding: base64", b64(der))))
    mail("attached-octets", multipart("mixed", text("see there"), part(
        "Content-Type: application/octet-stream; name=unknown\n"
        "Content-Transfer-Encoding: base64", b64(der))))
    mail("attached-base64-only", multipart("mixed", text("x"), part(
        "Content-Type: application/pkcs10; name=a.p10", b64(der))))
    mail("der-and-more", multipart("mixed", text("see there"), part(
        "Content-Type: application/pkcs10; name=a.p10\n"
        "Content-Transfer-Encoding: base64", b64(der + b"more"))))
    mail("utf16", multipart("mixed", text("x"), part(
        "Content-Type: application/octet-stream; name=a.csr\n"
        "Content-Transfer-Encoding: base64",
        b64(b"\xff\xfe" + pem.encode("utf-16-le")))))
    mail("utf16-big-no-mark", multipart("mixed", text("x"), part(
        "Content-Type: text/plain; charset=UTF-16BE\n"
        "Content-Transfer-Encoding: base64",
        b64(("Hi\n" + pem).encode("utf-16-be")))))
    mail("utf8-mark", multipart("mixed", text("x"), part(
        "Content-Type: application/octet-stream; name=a.csr\n"
        "Content-Transfer-Encoding: base64",
        b64(b"\xef\xbb\xbf" + pem.encode()))))
    mail("quoted-printable", part(
        "Content-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: quoted-printable",
        quopri.encodestring(("gr\u00fc\u00dfe\n" + pem).encode(),
                            quotetabs=True).decode()))
    mail("twice", multipart("mixed", text(pem), part(
        "Content-Type: application/pkcs10; name=a.p10\n"
        "Content-Transfer-Encoding: base64", b64(der))))
    mail("two", multipart("mixed", text(pem), text(other)))
    mail("alternative-same", multipart("alternative", text(pem), part(
        "Content-Type: text/enriched", pem), part(
        "Content-Type: text/html", html)))
    mail("alternative-different", multipart("alternative", text(pem), part(
        "Content-Type: text/enriched", other)))
    mail("alternative-subset", multipart("alternative", text(pem), part(
        "Content-Type: text/enriched", pem + other)))
    mail("alternative-none", multipart("alternative", text("none here"), part(
        "Content-Type: text/enriched", pem)))
    mail("html-only", part("Content-Type: text/html", html))
    mail("preamble-epilogue", multipart("mixed", text("nothing here"),
         preamble=pem, epilogue=pem))
    mail("header-field", text("nothing here"),
         extra="X-Request: " + pem.strip().replace("\n", "\n ") + "\n")
    mail("forwarded", multipart("mixed", text("see below"), part(
        "Content-Type: message/rfc822", "From: someone@example.test\n"
        "Subject: mine\n\n" + pem)))
    mail("forwarded-and-own", multipart("mixed", text(pem), part(
        "Content-Type: message/rfc822", "Subject: mine\n\n" + pem)))
    mail("quoted", text("Someone wrote:\n> " +
         pem.strip().replace("\n", "\n> ") + "\n"))
    mail("delivery-status", multipart("report", text("bounced"), part(
        "Content-Type: message/delivery-status", "Status: 5.0.0\n\n" + pem)))
    mail("broken", text(pem.replace("\nMI", "\nM-", 1)))
    mail("cut-off", text(pem[:200]))
    mail("not-a-request", multipart("mixed", text("x"), part(
        "Content-Type: application/pkcs10; name=a.p10", "what is this")))
    mail("archive", multipart("mixed", text("see there"), part(
        "Content-Type: application/zip; name=a.zip\n"
        "Content-Transfer-Encoding: base64", b64(b"PK\3\4" + pem.encode())),
        part("Content-Type: application/octet-stream; name=winmail.dat\n"
             "Content-Transfer-Encoding: base64", b64(pem.encode()))))
    mail("base64-tail", multipart("mixed", text("x"), part(
        "Content-Type: application/pkcs10; name=a.p10\n"
        "Content-Transfer-Encoding: base64", b64(der + b"xx") + "QUJD\n")))
    mail("key", text("here is all I have\n" + key + pem))
    mail("key-html", part("Content-Type: text/html", "<p>" +
         key.replace("\n", "<br>\n") + "</p>"))
    mail("key-preamble", multipart("mixed", text(pem), preamble=key))
    mail("key-der", multipart("mixed", text(pem), part(
        "Content-Type: application/octet-stream; name=a.key\n"
        "Content-Transfer-Encoding: base64",
        b64(openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER",
                    data=key.encode())))))
    mail("key-talk", text("do not send -----BEGIN PRIVATE KEY----- blocks,"
         " we never want them here, thank you\n" + pem))
    with open(os.path.join(OUT, "key.spki"), "wb") as f:
        f.write(openssl("pkey", "-pubout", "-outform", "DER",
                        data=key.encode()))
    with open(os.path.join(OUT, "two.pem"), "w") as f:
        f.write(pem + other)
    with open(os.path.join(OUT, "one.der"), "wb") as f:
        f.write(der)
    # Crashes libetpan 1.9.4: it writes out of bounds.
    mail("crash-boundary", "Content-Type: multipart/mixed; boundary=\"\\\"\""
         "\r\n\r\n--\"\r\n\r\nx\r\n--\"--\r\n")


if __name__ == "__main__":
    main()
