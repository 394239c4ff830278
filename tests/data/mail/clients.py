"""Mails shaped like those of real programs. Each names what its structure was
taken from: the vendor's documentation, a manual page, or the RFC."""

from build import (DATA, ENVELOPED_DATA, SIGNED_DATA, Mail, Request, asn1,
                   attached, b64, cms, forwarded, html, multi, octets, part,
                   plain, qp, rsa_key)

OXCMAIL = ("[MS-OXCMAIL] at learn.microsoft.com, 2.1.3.4 (MIME out of a "
           "message) and 2.2.3.4.2 (attachments)")
TNEF = "[MS-OXTNEF], 2.1.3 (a TNEF stream begins 78 9F 3E 22); RFC 2046"
CERTREQ = "learn.microsoft.com/windows-server/administration/" \
          "windows-commands/certreq_1"
GMAIL = "structure as told in github.com/FlowCrypt/flowcrypt-android " \
        "issue 107 and flowcrypt-browser issue 1513 (X-Attachment-Id)"
APPLE = "RFC 2183 with Apple's parameter x-unix-mode; RFC 3676 (delsp)"
IOS = "cloudexchangers.com, \"iOS message formatting issue\" (the attachment " \
      "stands before the text)"
SMART = "support.apple.com, Smart Punctuation: two hyphens become a dash"


def microsoft():
    m = Mail("outlook-req", OXCMAIL, "Outlook")
    m.write(multi("mixed", plain("Please sign the attached request.\n"),
                  attached("application/octet-stream", "request.req",
                           octets(m.request.new)),
                  boundary="----=_NextPart_000_0001_01DA3C7A.5B2E0F10",
                  preamble="This is a multipart message in MIME format.\n"),
            "X-Mailer: Microsoft Outlook 16.0\nThread-Index: AdoX\n"
            "Content-Language: en-us\n")
    m.issued()

    m = Mail("outlook-html", OXCMAIL, "Outlook",
             subject="WG: Antrag auf ein Zertifikat")
    m.write(multi("mixed", multi(
        "alternative", plain("see attached\n"), html("<p>see attached</p>"),
        boundary="----=_NextPart_001_0002_01DA3C7A.5B2E0F10"),
        attached("application/octet-stream", "server.req", m.request.new),
        boundary="----=_NextPart_000_0001_01DA3C7A.5B2E0F11"))
    m.issued()

    m = Mail("outlook-utf16-req", OXCMAIL + "; " + CERTREQ, "Outlook")
    m.write(multi("mixed", plain("signed request\n"), attached(
        "application/octet-stream", "request.req", b"\xff\xfe" + octets(
            m.request.new, "utf-16-le"))))
    m.issued()

    m = Mail("outlook-pasted", OXCMAIL, "Outlook")
    m.write(multi("alternative", part(
        'Content-Type: text/plain; charset="iso-8859-1"\n'
        "Content-Transfer-Encoding: quoted-printable",
        qp("Hello,\n\n" + m.request.new + "\nRegards\n")),
        html("<p class=MsoNormal>" + m.request.new.replace(
            "\n", "</p>\n<p class=MsoNormal>") + "</p>")))
    m.issued()

    m = Mail("outlook-double-spaced", OXCMAIL + ": each HTML paragraph "
             "becomes a line and an empty one", "Outlook")
    m.write(part('Content-Type: text/plain; charset="utf-8"\n'
                 "Content-Transfer-Encoding: quoted-printable",
                 qp("Hello,\n\n" + "".join(
                     "\u00a0" + line + "\u00a0\n\n"
                     for line in m.request.pem.splitlines()))))
    m.issued()

    m = Mail("outlook-winmail", TNEF, "Outlook")
    m.write(multi("mixed", plain("see attached\n"), attached(
        "application/ms-tnef", "winmail.dat",
        b"\x78\x9f\x3e\x22\0\1" + octets(m.request.pem))))
    m.nothing("winmail.dat", "send the mail as plain text or HTML",
              "attach the .req file")

    m = Mail("exchange-winmail-octets", TNEF, "Exchange")
    m.write(multi("mixed", plain("see attached\n"), attached(
        "application/octet-stream", "WINMAIL.DAT",
        b"\x78\x9f\x3e\x22\0\1" + octets(m.request.pem))))
    m.nothing("attach the .req file")

    m = Mail("exchange-winmail-unnamed", TNEF, "Exchange")
    m.write(multi("mixed", plain("see attached\n"), attached(
        "application/octet-stream", "ATT00001.dat",
        b"\x78\x9f\x3e\x22\0\1" + octets(m.request.pem))))
    m.nothing("attach the .req file")

    m = Mail("exchange-renewal-der", "kineticcomputer.com/tips/1302: Exchange "
             "2010 writes a renewal's .req in DER", "Exchange")
    m.write(multi("mixed", plain("renewal\n"), attached(
        "application/octet-stream", "renewal.req", m.request.der)))
    m.issued()

    m = Mail("exchange-tnef-beside", TNEF, "Exchange")
    m.write(multi("mixed", plain("both\n"), attached(
        "application/ms-tnef", "winmail.dat", b"\x78\x9f\x3e\x22\0\1"),
        attached("application/octet-stream", "a.req", m.request.new)))
    m.issued()

    # certreq puts four attributes into its requests.
    m = Mail("certreq", CERTREQ, "certreq")
    names = asn1.seq(asn1.ext(asn1.SAN, asn1.seq(asn1.mail(m.address))),
                     asn1.ext(asn1.KU, asn1.bits(b"\xa0", 5), asn1.TRUE))
    ms = "1.3.6.1.4.1.311."
    m.request = Request(m.address, key=rsa_key("mail certreq"), attributes=[
        asn1.attribute(asn1.EXT_REQ, names),
        asn1.attribute(ms + "13.2.3", asn1.tlv(22, b"10.0.19045.2")),
        asn1.attribute(ms + "21.20", asn1.seq(
            asn1.integer(5), asn1.utf8("PC1.example.test"),
            asn1.utf8("EXAMPLE\\user"), asn1.utf8("certreq.exe"))),
        asn1.attribute(ms + "13.2.2", asn1.seq(
            asn1.integer(1), asn1.tlv(30, "Microsoft Software Key Storage "
                                      "Provider".encode("utf-16-be")),
            asn1.bits(b"")))])
    m.write(plain("Here it is:\n\n" + m.request.new))
    m.issued()

    m = Mail("certreq-old-extensions", CERTREQ + "; szOID_CERT_EXTENSIONS in "
             "[MS-WCCE], 2.2.2.7.7", "certreq")
    m.request = Request(m.address, attributes=[asn1.attribute(
        asn1.MS_EXT, asn1.seq(asn1.ext(asn1.SAN, asn1.seq(
            asn1.mail(m.address)))))])
    m.write(plain(m.request.new))
    m.issued()

    m = Mail("iis-certreq-txt", "learn.microsoft.com, IIS: Create Certificate "
             "Request writes certreq.txt", "IIS")
    m.write(multi("mixed", plain("from the server\n"), part(
        'Content-Type: text/plain; name="certreq.txt"\n'
        'Content-Disposition: attachment; filename="certreq.txt"\n'
        "Content-Transfer-Encoding: 7bit", m.request.new)))
    m.issued()

    m = Mail("outlook-forwarded-inline", OXCMAIL + "; an original message "
             "behind a line of dashes", "Outlook")
    m.write(plain("Can you do this?\n\n-----Original Message-----\n"
                  "From: Somebody <somebody@example.org>\n"
                  "Sent: Thursday, 1 January 2026 12:00\nTo: Guest\n"
                  "Subject: mine\n\n" + m.request.pem))
    m.held(words=["forwarded"])

    m = Mail("outlook-forwarded-rule", OXCMAIL + "; newer programs draw a "
             "rule of underscores", "Outlook")
    m.write(part("Content-Type: text/plain; charset=utf-8\n"
                 "Content-Transfer-Encoding: 8bit",
                 "Bitte:\n\n________________________________\n"
                 "Von: Jemand <somebody@example.org>\nGesendet: Donnerstag\n"
                 "An: Guest\nBetreff: meins\n\n" + m.request.pem))
    m.held(words=["forwarded"])

    m = Mail("outlook-saved-mail", "application/vnd.ms-outlook in the IANA "
             "registry of media types", "Outlook")
    m.write(multi("mixed", plain("see the mail\n"), attached(
        "application/vnd.ms-outlook", "mine.msg",
        b"\xd0\xcf\x11\xe0" + octets(m.request.pem))))
    m.nothing("attach the request file itself")

    m = Mail("outlook-saved-eml", OXCMAIL, "Outlook")
    m.write(multi("mixed", plain("see the mail\n"), attached(
        "application/octet-stream", "mine.eml",
        octets("From: somebody@example.org\n\n" + m.request.pem))))
    m.nothing("attach the request file itself")

    m = Mail("outlook-dashes", SMART + "; Office's AutoCorrect does the same",
             "Outlook")
    m.write(part("Content-Type: text/plain; charset=utf-8\n"
                 "Content-Transfer-Encoding: 8bit",
                 m.request.pem.replace("-----", "\u2014\u2013")))
    m.nothing("is damaged", "attach the request as a file")

    m = Mail("outlook-subject-encoded", "RFC 2047, 2 and 5", "Outlook",
             subject="=?iso-8859-1?Q?Zertifikat_f=FCr_mich?=")
    m.write(plain(m.request.pem))
    m.issued()

    m = Mail("outlook-meeting", "RFC 5546 (iTIP), as [MS-OXCICAL] writes it",
             "Outlook")
    m.write(multi("alternative", plain("a meeting\n"), part(
        "Content-Type: text/calendar; charset=utf-8; method=REQUEST",
        "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n")))
    m.nothing("text/calendar")

    m = Mail("outlook-clear-signed", "RFC 8551, 3.5.3", "Outlook")
    m.write(multi("signed", multi("mixed", plain("signed mail\n"), attached(
        "application/octet-stream", "a.req", m.request.new)), attached(
            "application/pkcs7-signature", "smime.p7s",
            cms(SIGNED_DATA, DATA, b"")),
        params=' protocol="application/pkcs7-signature"; micalg=sha-256;'))
    m.issued()

    m = Mail("outlook-opaque", "RFC 8551, 3.5.2", "Outlook")
    m.write(part('Content-Type: application/pkcs7-mime; smime-type=signed-data'
                 '; name="smime.p7m"\nContent-Disposition: attachment; '
                 'filename="smime.p7m"\nContent-Transfer-Encoding: base64',
                 b64(cms(SIGNED_DATA, DATA, plain(m.request.pem)))))
    m.nothing("clear-signed")

    m = Mail("outlook-encrypted", "RFC 8551, 3.3", "Outlook")
    m.write(part('Content-Type: application/pkcs7-mime; smime-type='
                 'enveloped-data; name="smime.p7m"\n'
                 "Content-Transfer-Encoding: base64",
                 b64(cms(ENVELOPED_DATA, DATA, b"secret"))))
    m.nothing("send the mail unencrypted")

    m = Mail("exchange-journal", "learn.microsoft.com, journal reports: the "
             "mail is attached as message/rfc822", "Exchange")
    m.write(multi("mixed", plain("Sender: guest\nSubject: mine\n"),
                  forwarded(m.request.pem)))
    m.held()

    m = Mail("powershell-send-mailmessage", "learn.microsoft.com/powershell, "
             "Send-MailMessage; System.Net.Mail", "PowerShell")
    m.write(multi("mixed", part(
        "Content-Type: text/plain; charset=us-ascii\n"
        "Content-Transfer-Encoding: quoted-printable", qp("by script\n")),
        attached("application/octet-stream", "r.csr", octets(m.request.pem)),
        boundary="--boundary_0_6a0f3c0b-1111-2222-3333-444455556666"),
        "Priority: normal\n")
    m.issued()


def apple():
    m = Mail("apple-mail", APPLE, "Apple Mail")
    m.write(multi("mixed", part(
        "Content-Transfer-Encoding: 7bit\nContent-Type: text/plain;\n"
        "\tcharset=us-ascii", "see attached\n\n"), part(
        'Content-Disposition: attachment;\n\tfilename=request.csr\n'
        "Content-Type: application/octet-stream;\n\tx-unix-mode=0644;\n\t"
        'name="request.csr"\nContent-Transfer-Encoding: 7bit',
        m.request.pem), boundary="Apple-Mail=_0A1B2C3D-4E5F-6071-8293-A4B5C6D7"
        "E8F9"), "X-Mailer: Apple Mail (2.3774.300.61.1.2)\n")
    m.issued()

    m = Mail("apple-mail-sandwich", APPLE, "Apple Mail")
    m.write(multi("alternative", plain("see attached\n"), multi(
        "mixed", html("see"), part(
            "Content-Disposition: attachment; filename=user.p10\n"
            "Content-Type: application/pkcs10; x-unix-mode=0600; "
            'name="user.p10"\nContent-Transfer-Encoding: base64',
            b64(m.request.der)), html("bye"),
        boundary="Apple-Mail=_BBBB"), boundary="Apple-Mail=_AAAA"))
    m.issued()

    m = Mail("apple-mail-appledouble", "RFC 1740, 5", "Apple Mail")
    m.write(multi("mixed", plain("see attached\n"), multi(
        "appledouble", attached("application/applefile", "a.csr",
                                b"\0\5\x16\7" + bytes(20)),
        attached("application/octet-stream", "a.csr", m.request.pem))))
    m.issued()

    m = Mail("apple-mail-delsp", APPLE, "Apple Mail")
    text = m.request.pem.replace("CERTIFICATE REQ", "CERTIFICATE  \nREQ")
    m.write(part("Content-Type: text/plain; charset=us-ascii; format=flowed; "
                 "delsp=yes\nContent-Transfer-Encoding: 7bit",
                 "Hello,\n" + text))
    m.issued()

    m = Mail("apple-mail-forwarded", "support.apple.com, Mail: forwarded text "
             "is quoted below \"Begin forwarded message:\"", "Apple Mail")
    m.write(plain("please\n\nBegin forwarded message:\n\n> From: Somebody\n"
                  "> Subject: mine\n> \n" + "".join(
                      "> " + line + "\n"
                      for line in m.request.pem.splitlines())))
    m.held(words=["forwarded"])

    m = Mail("ios-inline", IOS, "iOS Mail")
    m.write(part("Content-Type: text/plain;\n\tcharset=us-ascii\n"
                 "Content-Transfer-Encoding: 7bit",
                 m.request.pem + "\n\nSent from my iPhone"),
            "X-Mailer: iPhone Mail (21A360)\n")
    m.issued()

    m = Mail("ios-attachment-first", IOS, "iOS Mail")
    m.write(multi("mixed", attached("application/octet-stream", "request.csr",
                                    m.request.pem, "inline;\n\tfilename="
                                    'request.csr;\n\tx-apple-part-url='
                                    '"AAAA-BBBB"'),
                  plain("\n\nSent from my iPhone")))
    m.issued()

    m = Mail("ios-dashes", SMART, "iOS Mail")
    m.write(part("Content-Type: text/plain; charset=utf-8\n"
                 "Content-Transfer-Encoding: quoted-printable",
                 qp(m.request.pem.replace("-----", "\u2014\u2014-"))))
    m.nothing("is damaged")

    m = Mail("ios-photo", IOS, "iOS Mail")
    m.write(multi("mixed", attached("image/jpeg", "IMG_0001.jpg",
                                    b"\xff\xd8\xff\xe0 a picture of it"),
                  plain("\n\nSent from my iPhone")))
    m.nothing("Pictures and documents are not read")


def google():
    m = Mail("gmail-attached", GMAIL, "Gmail")
    m.write(multi("mixed", multi(
        "alternative", part('Content-Type: text/plain; charset="UTF-8"',
                            "attached\n"),
        part('Content-Type: text/html; charset="UTF-8"',
             '<div dir="ltr">attached</div>\n'),
        boundary="000000000000c0ffee05aabbccdd"), part(
        'Content-Type: application/octet-stream; name="server.csr"\n'
        'Content-Disposition: attachment; filename="server.csr"\n'
        "Content-Transfer-Encoding: base64\n"
        "Content-ID: <f_lr0abcde0>\nX-Attachment-Id: f_lr0abcde0",
        b64(m.request.pem)), boundary="000000000000c0ffee05aabbccde"))
    m.issued()

    m = Mail("gmail-pkcs10", GMAIL, "Gmail")
    m.write(multi("mixed", plain("x\n"), part(
        'Content-Type: application/pkcs10; name="user.p10"\n'
        'Content-Disposition: attachment; filename="user.p10"\n'
        "Content-Transfer-Encoding: base64\nX-Attachment-Id: f_lr0abcde1",
        b64(m.request.der))))
    m.issued()

    m = Mail("gmail-pasted", GMAIL, "Gmail")
    m.write(multi("alternative", part(
        'Content-Type: text/plain; charset="UTF-8"', m.request.pem),
        part('Content-Type: text/html; charset="UTF-8"\n'
             "Content-Transfer-Encoding: quoted-printable",
             qp('<div dir="ltr">' + m.request.pem.replace("\n", "<br>") +
                "</div>\n"))))
    m.issued()

    m = Mail("gmail-long-quoted-printable", GMAIL + "; RFC 2045, 6.7",
             "Gmail")
    one = m.request.pem.split("\n")
    m.write(part('Content-Type: text/plain; charset="UTF-8"\n'
                 "Content-Transfer-Encoding: quoted-printable",
                 qp("Gr\u00fc\u00dfe, " + "a long line " * 20 + "\n" +
                    one[0] + "\n" + "".join(one[1:-2]) + "\n" + one[-2] +
                    "\n")))
    m.issued()

    m = Mail("gmail-forwarded", "support.google.com/mail: the forwarded "
             "message follows a line of hyphens and its header", "Gmail")
    m.write(part('Content-Type: text/plain; charset="UTF-8"',
                 "---------- Forwarded message ---------\n"
                 "From: Somebody <somebody@example.org>\n"
                 "Date: Thu, Jan 1, 2026 at 12:00 PM\nSubject: mine\n"
                 "To: <guest@example.test>\n\n\n" + m.request.pem))
    m.held(words=["forwarded"])

    m = Mail("gmail-reply", "RFC 3676, 4.5: quoted lines begin with >",
             "Gmail")
    m.write(part('Content-Type: text/plain; charset="UTF-8"',
                 "yes please\n\nOn Thu, Jan 1, 2026 at 12:00 PM Somebody "
                 "wrote:\n\n" + "".join("> " + line + "\n" for line in
                                        m.request.pem.splitlines())))
    m.held(words=["forwarded"])

    m = Mail("gmail-drive-link", "support.google.com/mail: large files become "
             "links", "Gmail")
    m.write(multi("alternative", plain(
        "server.csr <https://drive.google.com/file/d/1/view>\n"), html(
        '<a href="https://drive.google.com/file/d/1/view">server.csr</a>')))
    m.nothing("text/html: HTML, not read")

    m = Mail("gmail-confidential", "support.google.com/mail: confidential "
             "mode keeps the text on a web page", "Gmail")
    m.write(html('<a href="https://confidential-mail.google.com/msg/1">'
                 "View the email</a>"))
    m.nothing("HTML is not read")


def phones():
    m = Mail("samsung-email", "RFC 2046, 5.1.1: a boundary may hold _ and .",
             "Samsung Email")
    m.write(multi("mixed", part(
        "Content-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: base64",
        b64("Sent from my Galaxy\n")), attached(
            "application/octet-stream", "a.csr", m.request.pem),
        boundary="--_com.samsung.android.email_7310293847561029"))
    m.issued()

    m = Mail("k9-mail", "docs.k9mail.app; RFC 2183 (size)", "K-9 Mail")
    m.write(multi("mixed", part(
        "Content-Type: text/plain;\n charset=utf-8\n"
        "Content-Transfer-Encoding: quoted-printable", qp("attached\n")),
        part('Content-Type: application/octet-stream;\n name="a.p10"\n'
             "Content-Transfer-Encoding: base64\nContent-Disposition: "
             f'attachment;\n filename="a.p10";\n size={len(m.request.der)}',
             b64(m.request.der)), boundary="----ABCDEFGHIJKLMNOPQRSTUVWXYZ01"))
    m.issued()

    m = Mail("android-base64-text", "RFC 2045, 6.8; javax.mail encodes text "
             "with long lines so", "Android Email")
    m.write(part("Content-Type: text/plain; charset=utf-8\n"
                 "Content-Transfer-Encoding: base64",
                 b64("Gr\u00fc\u00dfe\r\n" + m.request.pem)))
    m.issued()

    m = Mail("android-unknown-type", "android.webkit.MimeTypeMap knows no "
             ".csr, so that programs write */*", "Android Email")
    m.write(multi("mixed", plain("x\n"), attached(
        "application/x-unknown", "a.csr", m.request.pem)))
    m.issued()

    m = Mail("blackberry-text", "RFC 2045, 5.2: what has no fields is text",
             "BlackBerry")
    m.write(multi("mixed", part("X-rim-org-msg-ref-id: 1", m.request.pem)))
    m.issued()


def make():
    microsoft()
    apple()
    google()
    phones()
