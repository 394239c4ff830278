"""Mails without a request, with what must not be mailed, from nobody or from a
program, and with MIME that can be read in two ways; see shapes.py."""

from build import (CA, CT_PKI_DATA, DATA, SIGNED_DATA, Mail, asn1, attached,
                   b64, certificate, cms, forwarded, html, multi, octets, part,
                   pem, plain, quote)


def nothing_in_it():
    m = Mail("empty-body", "RFC 5322, 3.5")
    m.write(plain(""))
    m.nothing("text/plain")
    m = Mail("no-body-at-all", "RFC 5322, 3.5")
    m.write("")
    m.nothing()
    m = Mail("hello", "RFC 5322")
    m.write(plain("Hello, how are you?\n"))
    m.nothing("openssl req -new")
    m = Mail("html-only", "RFC 2046, 4")
    m.write(html("<pre>" + m.request.pem + "</pre>"))
    m.nothing("HTML is not read")
    m = Mail("preamble-epilogue", "RFC 2046, 5.1.1")
    m.write(multi("mixed", plain("nothing here\n"), preamble=m.request.pem,
                  epilogue=m.request.pem))
    m.nothing()
    m = Mail("header-field", "RFC 5322, 2.2")
    m.write(plain("nothing here\n"),
            "X-Request: " + m.request.pem.strip().replace("\n", "\n ") + "\n")
    m.nothing()

    m = Mail("archive", "RFC 2046, 4.5")
    m.write(multi("mixed", plain("see there\n"), attached(
        "application/zip", "a.zip", b"PK\3\4" + octets(m.request.pem)),
        attached("application/octet-stream", "winmail.dat", m.request.pem)))
    m.nothing("a.zip", "an archive, not opened", "attach the .req file")

    def file(name, type_, file_name, data, *words, source="RFC 2046, 4.5"):
        m = Mail(name, source)
        m.write(multi("mixed", plain("x\n"), attached(
            type_, file_name, data(m) if callable(data) else data)))
        m.nothing(*words)

    zipped = "Archives are not opened: attach the request file itself"
    file("zip", "application/zip", "a.zip",
         lambda m: b"PK\3\4" + octets(m.request.pem), zipped)
    file("zip-renamed", "application/octet-stream", "a.csr.renamed",
         lambda m: b"PK\3\4" + octets(m.request.pem), zipped)
    file("7z", "application/octet-stream", "a.7z",
         b"7z\xbc\xaf\x27\x1c", zipped)
    file("rar", "application/vnd.rar", "a.rar", b"Rar!\x1a\7\1\0", zipped)
    file("gzip", "application/gzip", "a.csr.gz", b"\x1f\x8b\x08\0", zipped)
    file("pdf", "application/pdf", "a.pdf", b"%PDF-1.7\n",
         "Pictures and documents are not read")
    file("docx", "application/vnd.openxmlformats-officedocument."
         "wordprocessingml.document", "a.docx", b"PK\3\4",
         "Pictures and documents are not read")
    file("screenshot", "image/png", "csr.png", b"\x89PNG\r\n\x1a\n",
         "Pictures and documents are not read")
    no_request = "A certificate is not a request"
    file("certificate-pem", "application/x-pem-file", "a.pem",
         lambda m: pem(certificate(m.request.key), "CERTIFICATE"), no_request,
         source="RFC 7468, 5")
    file("certificate-der", "application/x-x509-ca-cert", "a.cer",
         lambda m: certificate(m.request.key), no_request,
         source="RFC 5280, 4.1")
    file("certificates-p7b", "application/x-pkcs7-certificates", "a.p7b",
         lambda m: cms(SIGNED_DATA, DATA, b""), no_request,
         source="RFC 8551, 3.8")
    file("keystore", "application/x-java-keystore", "a.jks",
         b"\xfe\xed\xfe\xed\0\0\0\2", "key store", source="java.security."
         "KeyStore, the format JKS")
    public = "A public key alone is not a request"
    file("public-key", "application/x-pem-file", "a.pem",
         lambda m: pem(m.request.key.spki, "PUBLIC KEY"), public,
         source="RFC 7468, 13")
    file("ssh-key", "application/octet-stream", "id_ed25519.pub",
         b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKx guest@example.test\n",
         public, source="RFC 8709, 4")
    file("pgp-key", "application/pgp-keys", "a.asc",
         b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n"
         b"-----END PGP PUBLIC KEY BLOCK-----\n", public,
         source="RFC 3156, 7")
    file("cmc-full", "application/pkcs7-mime; smime-type=CMC-Request",
         "a.p7m", lambda m: cms(SIGNED_DATA, CT_PKI_DATA, m.request.der),
         "Full CMC requests are not read yet", source="RFC 10003, 5")
    file("spkac", "application/octet-stream", "a.spkac",
         b"SPKAC=MIIBQDCBqjCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC\nCN=guest\n",
         "SPKAC", source="the manual page of openssl-spkac(1)")
    file("path-as-name", "application/zip", "../../etc/passwd.zip", b"PK\3\4",
         "../../etc/passwd.zip", source="RFC 2183, 2.3")


def keys():
    rfc = "RFC 5958; RFC 7468, 10 and 11"
    burnt = ("private key in this mail", "Make a new key")

    m = Mail("key", rfc)
    key = m.request.key
    m.write(plain("here is all I have\n" + pem(key.pkcs8(), "PRIVATE KEY") +
                  m.request.pem))
    m.refused(*burnt)
    m.burnt = key

    def leak(name, form, source=rfc):
        m = Mail(name, source)
        # The same key in all, so that the tests know what is burnt.
        m.write(form(m, key))
        m.refused(*burnt)

    leak("key-sec1", lambda m, k: plain(pem(k.sec1(), "EC PRIVATE KEY")))
    leak("key-html", lambda m, k: part(
        "Content-Type: text/html", "<p>" + pem(
            k.pkcs8(), "PRIVATE KEY").replace("\n", "<br>\n") + "</p>"))
    leak("key-preamble", lambda m, k: multi(
        "mixed", plain(m.request.pem), preamble=pem(k.pkcs8(),
                                                    "PRIVATE KEY")))
    leak("key-der", lambda m, k: multi(
        "mixed", plain(m.request.pem), attached(
            "application/octet-stream", "a.key", k.pkcs8())))
    leak("key-forwarded", lambda m, k: multi(
        "mixed", plain(m.request.pem), forwarded(
            pem(k.pkcs8(), "PRIVATE KEY"))))
    leak("key-quoted", lambda m, k: plain(quote(
        pem(k.pkcs8(), "PRIVATE KEY")) + m.request.pem))
    leak("key-utf16", lambda m, k: multi(
        "mixed", plain(m.request.pem), attached(
            "application/octet-stream", "a.key", b"\xff\xfe" + pem(
                k.pkcs8(), "PRIVATE KEY").encode("utf-16-le"))))
    leak("key-encrypted", lambda m, k: plain(m.request.pem + pem(
        asn1.octets("sealed", 180), "ENCRYPTED PRIVATE KEY")))
    leak("key-openssh", lambda m, k: plain(m.request.pem + pem(
        b"openssh-key-v1\0" + asn1.octets("ssh", 300),
        "OPENSSH PRIVATE KEY", 70)), "OpenSSH, PROTOCOL.key")
    leak("key-pgp", lambda m, k: plain(m.request.pem + pem(
        asn1.octets("pgp", 300), "PGP PRIVATE KEY BLOCK").replace(
            "-----\n", "-----\n\n", 1)), "RFC 9580, 6.2")
    leak("key-putty", lambda m, k: plain(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n"
        "Comment: me\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\n" +
        b64(asn1.octets("ppk", 32)).decode() + m.request.pem),
        "PuTTY manual, appendix C")
    shrouded = asn1.seq(asn1.oid("1.2.840.113549.1.12.10.1.2"),
                        asn1.tlv(0xa0, asn1.octet_string(b"sealed")))
    leak("key-pkcs12", lambda m, k: multi(
        "mixed", plain(m.request.pem), attached(
            "application/x-pkcs12", "me.p12", asn1.seq(
                asn1.integer(3), asn1.seq(asn1.oid(DATA), asn1.tlv(
                    0xa0, asn1.octet_string(asn1.seq(asn1.seq(
                        asn1.oid(DATA), asn1.tlv(0xa0, asn1.octet_string(
                            asn1.seq(shrouded)))))))))),
        ), "RFC 7292, 4")

    m = Mail("key-talk", rfc)
    m.write(plain("do not send -----BEGIN PRIVATE KEY----- blocks,"
                  " we never want them here, thank you\n" + m.request.pem))
    m.issued()


def automatic():
    def silent(name, more, source="RFC 3834, 2", entity=None):
        m = Mail(name, source)
        m.write(entity or plain(m.request.pem), more)
        m.silent("rejected")

    silent("mailing-list", "List-Id: <all.example.test>\n", "RFC 2919, 3")
    silent("precedence-bulk", "Precedence: bulk\n")
    silent("auto-replied", "Auto-Submitted: auto-replied\n")
    silent("auto-generated", "Auto-Submitted: auto-generated (cron)\n")
    silent("null-return-path", "Return-Path: <>\n", "RFC 5321, 4.5.5")
    silent("dsn", "", "RFC 3464, 2", multi(
        "report", plain("it bounced\n"), part(
            "Content-Type: message/delivery-status",
            "Reporting-MTA: dns; mx.example.test\n\n"
            "Final-Recipient: rfc822; x@example.test\nAction: failed\n"
            "Status: 5.1.1\n"), part("Content-Type: text/rfc822-headers",
                                     "Subject: old\n"),
        params=" report-type=delivery-status;"))
    m = Mail("delivery-status", "RFC 3464, 2, with a request where none is")
    m.write(multi("report", plain("bounced\n"), part(
        "Content-Type: message/delivery-status",
        "Status: 5.0.0\n\n" + m.request.pem)))
    m.silent("rejected")
    silent("mdn", "", "RFC 8098, 3", multi(
        "report", plain("it was read\n"), part(
            "Content-Type: message/disposition-notification",
            "Final-Recipient: rfc822; x@example.test\nDisposition: "
            "manual-action/MDN-sent-manually; displayed\n"),
        params=" report-type=disposition-notification;"))
    m = Mail("from-ourselves", "RFC 3834, 2", sender=CA)
    m.write(plain(m.request.pem))
    m.silent("rejected")


def senders():
    def from_field(name, field, source, issued=True):
        m = Mail(name, source)
        field = field.replace("ADDRESS", m.address)
        m.write(plain(m.request.pem), header=(
            f"{field}\nTo: {CA}\nSubject: {m.subject}\n"
            f"Message-ID: {m.message_id}\nMIME-Version: 1.0\n"))
        if issued:
            m.issued()
        else:
            m.silent("held")

    from_field("from-display-name", 'From: "Guest, A." <ADDRESS>',
               "RFC 5322, 3.4")
    from_field("from-encoded-name", "From: =?utf-8?q?Gr=C3=BCn?= <ADDRESS>",
               "RFC 2047, 5")
    from_field("from-8bit-name", "From: Gr\u00fcn <ADDRESS>", "RFC 6532, 3.2")
    from_field("from-folded", "From: Guest\n <ADDRESS>", "RFC 5322, 2.2.3")
    from_field("from-comment", "From: ADDRESS (Guest (me))", "RFC 5322, 3.2.2")
    from_field("from-smtputf8", "From: gr\u00fcn@example.test",
               "RFC 6532, 3.2", False)
    from_field("from-two", "From: ADDRESS, other@example.test",
               "RFC 5322, 3.6.2", False)
    from_field("from-doubled", "From: ADDRESS\nFrom: ADDRESS",
               "RFC 5322, 3.6", False)
    from_field("from-group", "From: us: ADDRESS;", "RFC 6854, 1", False)
    from_field("from-none", "X-From: ADDRESS", "RFC 5322, 3.6", False)
    from_field("from-in-encoded-word", "From: =?utf-8?q?ADDRESS?=",
               "RFC 2047, 5", False)

    m = Mail("reply-to-another", "RFC 5322, 3.6.2")
    m.write(plain(m.request.pem), "Reply-To: other@example.test\n"
            "Sender: other@example.test\n")
    m.issued()
    m = Mail("subject-8bit", "RFC 6532, 3.2", subject="Gr\u00fc\u00dfe")
    m.write(plain(m.request.pem))
    m.issued(Subject="Re: =?UTF-8?B?R3LDvMOfZQ==?=")
    m = Mail("subject-re", "RFC 5322, 3.6.5", subject="Re: Re: again")
    m.write(plain(m.request.pem))
    m.issued(Subject="Re: again")
    m = Mail("threaded", "RFC 5322, 3.6.4")
    m.write(plain(m.request.pem), "In-Reply-To: <b@example.test>\n"
            "References: <a@example.test> <b@example.test>\n")
    m.issued(References="<a@example.test> <b@example.test> " + m.message_id)


def mime():
    structure = "RFC 2045, 5 and 6; RFC 2046, 5.1"

    def refused(name, entity, *words, source=structure):
        m = Mail(name, source)
        m.write(entity(m))
        m.refused(*words)

    def issued(name, entity, source=structure):
        m = Mail(name, source)
        m.write(entity(m))
        m.issued()

    refused("two-types", lambda m: part(
        "Content-Type: text/plain\nContent-type: text/html", m.request.pem),
        "two Content-Type fields")
    refused("two-encodings", lambda m: part(
        "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64",
        m.request.pem), "two Content-Transfer-Encoding fields")
    refused("encoding-unknown", lambda m: part(
        "Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode",
        "begin 644 a.csr\n`\nend\n"), "encoded in a way that is not known")
    refused("encoded-multipart", lambda m: part(
        "Content-Type: multipart/mixed; boundary=b\n"
        "Content-Transfer-Encoding: base64", b64(m.request.pem)),
        "must not be encoded as a whole")
    refused("base64-tail", lambda m: multi("mixed", plain("x\n"), part(
        "Content-Type: application/pkcs10; name=a.p10\n"
        "Content-Transfer-Encoding: base64",
        b64(m.request.der + b"x" * (4 - len(m.request.der) % 3)) +
        b"QUJD\r\n")), "base64")
    refused("base64-list-footer", lambda m: part(
        "Content-Type: text/plain\nContent-Transfer-Encoding: base64",
        b64(m.request.pem) + b"_____\r\nto unsubscribe\r\n"), "base64")
    refused("boundary-missing", lambda m: part(
        "Content-Type: multipart/mixed", "--b\n\n" + m.request.pem +
        "--b--\n"), "no boundary")
    refused("boundary-twice", lambda m: part(
        "Content-Type: multipart/mixed; boundary=b; boundary=c",
        "--b\n\n" + m.request.pem + "--b--\n"), "two boundaries")
    refused("boundary-in-pieces", lambda m: part(
        "Content-Type: multipart/mixed; boundary*0=b; boundary*1=c",
        "--bc\n\n" + m.request.pem + "--bc--\n"), "boundary")
    refused("boundary-not-there", lambda m: part(
        "Content-Type: multipart/mixed; boundary=c",
        "--b\n\n" + m.request.pem + "--b--\n"), "does not occur")
    refused("boundary-not-closed", lambda m: part(
        "Content-Type: multipart/mixed; boundary=b",
        "--b\n\n" + m.request.pem), "last boundary is missing")
    refused("boundary-71", lambda m: multi(
        "mixed", plain(m.request.pem), boundary="b" * 71),
        "1 to 70 characters")
    refused("boundary-goes-on", lambda m: part(
        "Content-Type: multipart/mixed; boundary=b",
        "--b\n\nx\n--bb\n\n" + m.request.pem + "\n--b--\n"), "two ways")
    refused("boundaries-alike", lambda m: multi("mixed", multi(
        "mixed", plain(m.request.pem), boundary="frontier"),
        boundary="frontier2"), "mistaken for each other")
    refused("part-after-the-last", lambda m: part(
        "Content-Type: multipart/mixed; boundary=b",
        "--b\n\nx\n--b--\n--b\n\n" + m.request.pem + "--b--\n"), "two ways")
    # Writes out of bounds in libetpan 1.9.4.
    refused("crash-boundary", lambda m: part(
        'Content-Type: multipart/mixed; boundary="\\""',
        '--"\n\nx\n--"--\n'), "boundary", source="libetpan 1.9.4")
    refused("type-of-one-word", lambda m: part(
        "Content-Type: text", m.request.pem), "Content-Type")
    refused("field-with-space", lambda m: part(
        "Content-Type : text/plain", m.request.pem), "white space before",
        source="RFC 5322, 4.5")
    refused("comments-33-deep", lambda m: part(
        "Content-Type: text/plain\nX-Deep: " + "(" * 33 + ")" * 33,
        m.request.pem), "comments")
    refused("messages-11-deep", lambda m: octets(
        "Content-Type: message/rfc822\n\n" * 11 + "Subject: x\n\n" +
        m.request.pem), "nested deeper")
    refused("parts-101", lambda m: multi("mixed", *(
        [plain("x\n")] * 100 + [plain(m.request.pem)])), "100 parts")
    refused("header-70-kib", lambda m: multi("mixed", part(
        "Content-Type: text/plain\n" + "X-Long: yes\n" * 6000 + "X-Last: 1",
        m.request.pem)), "header is longer")

    issued("nested-nine-deep", lambda m: nest(plain(m.request.pem), 9))
    issued("parts-99", lambda m: multi("mixed", *(
        [plain("x\n")] * 97 + [plain(m.request.pem)])))
    issued("comments-in-type", lambda m: part(
        "Content-Type: (this) text/plain (is (text)); charset=us-ascii",
        m.request.pem))
    issued("transport-padding", lambda m: part(
        "Content-Type: multipart/mixed; boundary=b",
        "--b \t\n\n" + m.request.pem + "\n--b--  \n"))
    issued("multipart-unknown", lambda m: multi(
        "x-new", plain("x\n"), plain(m.request.pem)))
    issued("charset-unknown", lambda m: part(
        "Content-Type: text/plain; charset=x-martian", m.request.pem))
    issued("type-unknown", lambda m: part(
        "Content-Type: strange/thing", m.request.pem))
    issued("related", lambda m: multi("related", plain("x\n"), attached(
        "application/pkcs10", "a.p10", m.request.der)), "RFC 2387")
    issued("encoding-in-capitals", lambda m: part(
        "CONTENT-TYPE: TEXT/PLAIN\nCONTENT-TRANSFER-ENCODING: BASE64",
        b64(m.request.pem)))
    issued("content-md5-and-location", lambda m: part(
        "Content-Type: text/plain\nContent-MD5: x\nContent-Location: a",
        m.request.pem))

    m = Mail("language-german", "RFC 3282, 2")
    m.write(plain(m.request.pem), "Content-Language: de\n")
    m.row("processed", [m.request], ["Ihr Zertifikat ist ausgestellt"])
    m = Mail("language-german-nothing", "RFC 3282, 2")
    m.write(html(m.request.pem), "Content-Language: de-AT\n")
    m.row("rejected", [], ["zu keinem Zertifikat", "HTML wird nicht gelesen"],
          **{"Content-Type": "text/plain; charset=utf-8"})

    def named(name, header, shown, source):
        m = Mail(name, source)
        m.write(multi("mixed", plain("x\n"), part(
            header + "\nContent-Transfer-Encoding: base64",
            b64(b"PK\3\4"))))
        m.nothing(shown)

    named("name-rfc2231", "Content-Type: application/zip;\n name*=iso-8859-1'"
          "de'Gr%FC%DFe.zip", "Gr\u00fc\u00dfe.zip", "RFC 2231, 4")
    named("name-rfc2231-pieces", "Content-Type: application/zip\n"
          "Content-Disposition: attachment;\n filename*0=\"one \";\n"
          " filename*1=\"two \";\n filename*2=\"three.zip\"",
          '"one two three.zip"', "RFC 2231, 3")
    named("name-rfc2231-out-of-order", "Content-Type: application/zip\n"
          "Content-Disposition: attachment;\n filename*1*=%C3%BC.zip;\n"
          " filename*0*=utf-8'de'a", '"a\u00fc.zip"', "RFC 2231, 3")
    named("name-rfc2047", "Content-Type: application/zip;\n name=\"=?utf-8?B?"
          "QW50cmFnLcO8LnppcA==?=\"", "Antrag-\u00fc.zip", "RFC 2047; "
          "Outlook and Gmail write it so, RFC 2231 wants otherwise")
    named("name-rfc2047-q", "Content-Type: application/zip\n"
          "Content-Disposition: attachment;\n filename=\"=?iso-8859-1?Q?"
          "Antrag=2D=FC_1?= =?us-ascii?Q?.zip?=\"", "Antrag-\u00fc 1.zip",
          "RFC 2047, 6.2")
    named("name-8bit", "Content-Type: application/zip\nContent-Disposition: "
          "attachment; filename=\"\u00fc.zip\"", "\u00fc.zip",
          "RFC 6532, 3.2")
    named("name-unquoted", "Content-Type: application/zip; name=my.zip",
          "my.zip", "RFC 2045, 5.1")


def nest(entity, depth):
    for i in range(depth):
        entity = multi("mixed", plain("level\n"), entity,
                       boundary=f"level-{i:02d}")
    return entity


def wishes():
    """What is asked for besides certificates; none of it is signed."""
    m = Mail("revoke-in-a-sentence", "RFC 5280, 3.3")
    m.write(plain("Please revoke my certificate, the laptop is lost.\n"))
    m.nothing("send a mail with the line REVOKE")
    m = Mail("revoke-quoted", "RFC 3676, 4.5")
    m.write(plain("Good.\n\n> REVOKE 4f2b\n-- \nREVOKE 4f2b\n"))
    m.nothing()
    m = Mail("revoke-unsigned", "RFC 5280, 3.3")
    m.write(plain("REVOKE 4f2b keyCompromise\n"))
    m.row("rejected", [], ["was not carried out", "the mail is not signed",
                           "REVOKE SERIAL REASON"])
    m = Mail("revoke-and-request", "RFC 5280, 3.3")
    m.write(plain("REVOKE\n\n" + m.request.pem))
    m.issued(words=["was not carried out", "the mail is not signed"])
    m = Mail("status-of-nothing", "RFC 5322")
    m.write(plain("STATUS 4f2b\n"))
    m.row("processed", [], ["There is nothing here"],
          **{"Content-Type": "text/plain; charset=utf-8"})
    m = Mail("status-and-request", "RFC 5322")
    m.write(plain("STATUS\n\n" + m.request.pem))
    m.issued()


def make():
    nothing_in_it()
    wishes()
    keys()
    automatic()
    senders()
    mime()
