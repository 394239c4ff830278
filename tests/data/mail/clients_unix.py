"""Mails of Thunderbird, of programs for terminals and scripts, and of those
that make requests; see clients.py."""

from build import Mail, attached, b64, html, multi, octets, part, pem, \
    plain, qp

FLOWED = "RFC 3676, 4.1 to 4.4 (soft breaks, space-stuffing, quotes)"


def mozilla():
    m = Mail("thunderbird-flowed", FLOWED, "Thunderbird")
    m.write(part("Content-Type: text/plain; charset=UTF-8; format=flowed\n"
                 "Content-Transfer-Encoding: 7bit",
                 "Hello, this line flows \ninto this one.\n\n" +
                 m.request.pem + "\n-- \nGuest\n"),
            "User-Agent: Mozilla Thunderbird\nContent-Language: en-US\n")
    m.issued()

    m = Mail("thunderbird-stuffed", FLOWED, "Thunderbird")
    m.write(part("Content-Type: text/plain; charset=UTF-8; format=flowed",
                 " From here on:\n" + "".join(
                     "   " + line + "\n"
                     for line in m.request.pem.splitlines())))
    m.issued()

    m = Mail("thunderbird-flowed-marker", FLOWED, "Thunderbird")
    m.write(part("Content-Type: text/plain; charset=UTF-8; format=flowed",
                 "a long line that ends here \nand flows " +
                 "\n\n" + m.request.pem.replace("CERTIFICATE ",
                                                "CERTIFICATE \n")))
    m.issued()

    m = Mail("thunderbird-flowed-reply", FLOWED, "Thunderbird")
    m.write(part("Content-Type: text/plain; charset=UTF-8; format=flowed",
                 "yes\n\nAm 01.01.26 um 12:00 schrieb Somebody:\n" + "".join(
                     ">> " + line + "\n"
                     for line in m.request.pem.splitlines())))
    m.held(words=["forwarded"])

    m = Mail("thunderbird-attached", "RFC 2183; RFC 2045", "Thunderbird")
    m.write(multi("mixed", part(
        "Content-Type: text/plain; charset=UTF-8; format=flowed", "x\n"),
        part('Content-Type: text/plain; charset=UTF-8; name="a.csr"\n'
             'Content-Disposition: attachment; filename="a.csr"\n'
             "Content-Transfer-Encoding: base64", b64(m.request.pem)),
        boundary="------------0a1B2c3D4e5F6g7H8i9J0k1L"))
    m.issued()

    m = Mail("thunderbird-forwarded-attached", "RFC 2046, 5.2.1",
             "Thunderbird")
    m.write(multi("mixed", plain("\n"), part(
        'Content-Type: message/rfc822; charset=UTF-8; name="mine.eml"\n'
        'Content-Disposition: attachment; filename="mine.eml"',
        "From: somebody@example.org\nSubject: mine\n\n" + m.request.pem)))
    m.held()

    m = Mail("thunderbird-forwarded-inline", "support.mozilla.org: forwarding "
             "inline", "Thunderbird")
    m.write(part("Content-Type: text/plain; charset=UTF-8; format=flowed",
                 "\n\n\n-------- Weitergeleitete Nachricht --------\n"
                 "Betreff: \tmine\nDatum: \tThu, 1 Jan 2026 12:00\n"
                 "Von: \tSomebody\n\n\n" + m.request.pem))
    m.held(words=["forwarded"])

    m = Mail("thunderbird-name-in-pieces", "RFC 2231, 3 and 4",
             "Thunderbird")
    m.write(multi("mixed", plain("x\n"), part(
        "Content-Type: application/zip\nContent-Disposition: attachment;\n"
        " filename*0*=UTF-8''Mein%20Antrag;\n filename*1*=%20f%C3%BCr;\n"
        ' filename*2=" 2026.zip"\nContent-Transfer-Encoding: base64',
        b64(b"PK\3\4" + octets(m.request.pem)))))
    m.nothing("Mein Antrag f\u00fcr 2026", "Archives are not opened")

    m = Mail("thunderbird-openpgp-signed", "RFC 3156, 5", "Thunderbird")
    m.write(multi("signed", multi("mixed", plain(m.request.pem)), part(
        'Content-Type: application/pgp-signature; name="signature.asc"',
        "-----BEGIN PGP SIGNATURE-----\n\nwsB5BAAB\n"
        "-----END PGP SIGNATURE-----\n"),
        params=' protocol="application/pgp-signature"; micalg=pgp-sha256;'))
    m.issued()

    m = Mail("thunderbird-openpgp-encrypted", "RFC 3156, 4", "Thunderbird")
    m.write(multi("encrypted", part(
        "Content-Type: application/pgp-encrypted", "Version: 1\n"), part(
        'Content-Type: application/octet-stream; name="encrypted.asc"',
        "-----BEGIN PGP MESSAGE-----\n\nwcBMA\n-----END PGP MESSAGE-----\n"),
        params=' protocol="application/pgp-encrypted";'))
    m.nothing("send the mail unencrypted")

    m = Mail("thunderbird-related", "RFC 2387", "Thunderbird")
    m.write(multi("mixed", multi("related", html('<img src="cid:a">'), part(
        "Content-Type: image/png\nContent-ID: <a>\n"
        "Content-Transfer-Encoding: base64", b64(b"\x89PNG"))),
        attached("application/pkcs10", "a.p10", m.request.der)))
    m.issued()


def unix():
    manual = "the manual page of {}(1)"
    m = Mail("mutt-inline", manual.format("mutt"), "mutt")
    m.write(part("Content-Type: text/plain; charset=us-ascii\n"
                 "Content-Disposition: inline",
                 "\n" + m.request.pem + "\n-- \nguest\n"),
            "User-Agent: Mutt/2.2.9 (2022-11-12)\n")
    m.issued()

    m = Mail("mutt-pkcs10", manual.format("mutt") + "; RFC 10003, 5", "mutt")
    m.write(multi("mixed", part(
        "Content-Type: text/plain; charset=us-ascii\n"
        "Content-Disposition: inline", ""), part(
        "Content-Type: application/pkcs10\nContent-Disposition: attachment; "
        'filename="user.p10"\nContent-Transfer-Encoding: base64',
        b64(m.request.der)), boundary="zYM0uCDKw75PZbzx"))
    m.issued()

    m = Mail("mailx-pipe", manual.format("mailx") + ": no MIME at all",
             "mailx")
    m.write(b"\r\n" + octets(m.request.pem), header=(
        f"From: {m.address}\nTo: ca@example.test\nSubject: {m.subject}\n"
        f"Message-ID: {m.message_id}\n"))
    m.issued()

    m = Mail("bsd-mailx-8bit", manual.format("bsd-mailx"), "bsd-mailx")
    m.write(part("Content-Type: text/plain; charset=UTF-8\n"
                 "Content-Transfer-Encoding: 8bit",
                 "Gr\u00fc\u00dfe,\n" + m.request.pem))
    m.issued()

    m = Mail("s-nail-base64", manual.format("s-nail"), "s-nail")
    m.write(part("Content-Type: text/plain; charset=utf-8\n"
                 "Content-Disposition: inline\n"
                 "Content-Transfer-Encoding: base64", b64(m.request.pem)),
            "User-Agent: s-nail v14.9.24\n")
    m.issued()

    m = Mail("s-nail-attached", manual.format("s-nail"), "s-nail")
    m.write(multi("mixed", part(
        "Content-Type: text/plain; charset=us-ascii\n"
        "Content-Disposition: inline", "\n"), part(
        "Content-Type: application/octet-stream\nContent-Disposition: "
        'attachment;\n filename="user.csr"\nContent-Transfer-Encoding: '
        "base64\nContent-ID: <20260101120000.x@mail>", b64(m.request.pem)),
        boundary="=-=Abc-DEF_123=-="))
    m.issued()

    m = Mail("mailx-uuencode", manual.format("uuencode") +
             ": uuencode FILE FILE | mail", "mailx")
    m.write(plain("begin 644 user.csr\nM+2TM+2U\"14=)3B!#15)42490\n`\nend\n"))
    m.nothing("Uuencoded text is not read")

    m = Mail("swaks-attached", manual.format("swaks"), "swaks")
    m.write(multi("mixed", part("Content-Type: text/plain", "test mailing\n"),
                  part('Content-Type: application/octet-stream; name="a.csr"\n'
                       "Content-Description: a.csr\nContent-Disposition: "
                       'attachment; filename="a.csr"\n'
                       "Content-Transfer-Encoding: BASE64",
                       b64(m.request.pem)),
                  boundary="----=_MIME_BOUNDARY_000_12345"),
            "X-Mailer: swaks v20201014.0 jetmore.org/john/code/swaks/\n")
    m.issued()

    m = Mail("swaks-body", manual.format("swaks"), "swaks")
    m.write(b"\r\n" + octets(m.request.pem), header=(
        "Date: Thu, 01 Jan 2026 12:00:00 +0000\nTo: ca@example.test\n"
        f"From: {m.address}\nSubject: {m.subject}\nMessage-Id: "
        f"{m.message_id}\nX-Mailer: swaks\n"))
    m.issued()

    m = Mail("sendmail-script", manual.format("sendmail") + " -t: what a "
             "script wrote, and no Message-ID", "sendmail -t")
    m.write(b"\r\n" + octets(m.request.pem), header=(
        f"To: ca@example.test\nFrom: {m.address}\nSubject: {m.subject}\n"))
    m.issued(**{"In-Reply-To": "", "References": ""})

    m = Mail("python-email", "docs.python.org/3/library/email.message.html",
             "Python")
    m.write(multi("mixed", part(
        'Content-Type: text/plain; charset="utf-8"\n'
        "Content-Transfer-Encoding: 7bit", "x\n"), part(
        "Content-Type: application/octet-stream\n"
        "Content-Transfer-Encoding: base64\nContent-Disposition: attachment; "
        'filename="a.csr"\nMIME-Version: 1.0', b64(m.request.pem)),
        boundary="===============1234567890123456789=="))
    m.issued()

    m = Mail("perl-mime-lite", "metacpan.org/pod/MIME::Lite", "MIME::Lite")
    m.write(multi("mixed", part(
        "Content-Disposition: inline\nContent-Length: 3\n"
        "Content-Transfer-Encoding: binary\nContent-Type: text/plain", "x\n"),
        part("Content-Disposition: attachment; filename=\"a.csr\"\n"
             "Content-Transfer-Encoding: quoted-printable\n"
             'Content-Type: text/plain; name="a.csr"', qp(m.request.pem)),
        boundary="_----------=_17040672001230", preamble="This is a "
        "multi-part message in MIME format.\n"))
    m.issued()

    m = Mail("php-mail", "php.net/manual/function.mail.php, and what its "
             "comments copy from one another", "PHP")
    m.write(multi("mixed", plain("x\n"), part(
        'Content-Type: application/octet-stream; name="a.csr"\n'
        "Content-Transfer-Encoding: base64\nContent-Disposition: attachment",
        b64(m.request.pem)), boundary="PHP-mixed-0cc175b9c0f1b6a831c399e2"),
        "X-Mailer: PHP/8.2\n")
    m.issued()

    m = Mail("curl-form", manual.format("curl") + " -F with smtp://", "curl")
    m.write(multi("mixed", part("Content-Type: text/plain", "x\n"), part(
        "Content-Disposition: attachment; filename=\"a.csr\"\n"
        "Content-Transfer-Encoding: base64", b64(m.request.pem)),
        boundary="------------------------d74496d66958873e"))
    m.issued()

    m = Mail("mpack", manual.format("mpack"), "mpack")
    m.write(multi("mixed", plain("x\n"), part(
        'Content-Type: application/octet-stream; name="a.csr"\n'
        "Content-Transfer-Encoding: base64\nContent-Disposition: inline; "
        'filename="a.csr"\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==',
        b64(m.request.pem)), boundary="-"))
    m.issued()

    for tool, header, text in (
            ("openssl-text", "openssl-req", "Certificate Request:\n    Data:\n"
             "        Version: 1 (0x0)\n        Subject: CN = guest\n"
             "    Signature Algorithm: ecdsa-with-SHA256\n"
             "         30:45:02:20:\n"),
            ("certtool", "certtool", "PKCS #10 Certificate Request "
             "Information:\n\tVersion: 1\n\tSubject: CN=guest\n\n"
             "Self signature: verified\n\n")):
        m = Mail(tool, manual.format(header), tool)
        m.write(plain(text + (m.request.new if tool == "certtool" else
                              m.request.pem)))
        m.issued()
    m = Mail("keytool", manual.format("keytool") + ": lines of 76", "keytool")
    m.write(multi("mixed", plain("x\n"), attached(
        "application/octet-stream", "a.csr",
        pem(m.request.der, "NEW CERTIFICATE REQUEST", 76, "\r\n"))))
    m.issued()

    m = Mail("easy-rsa", "easy-rsa: pki/reqs/NAME.req", "easy-rsa")
    m.write(multi("mixed", plain("x\n"), part(
        'Content-Type: text/plain; name="guest.req"', m.request.pem)))
    m.issued()

    m = Mail("lotus-notes", "RFC 2045, 6.7: long lines, soft breaks within "
             "the base64", "Lotus Notes")
    m.write(multi("alternative", part(
        'Content-Type: text/plain; charset="US-ASCII"\n'
        "Content-Transfer-Encoding: quoted-printable",
        b"".join(octets(line[:40] + "=\n" + line[40:] + "\n")
                 for line in m.request.pem.replace("=", "=3D").splitlines())),
        html("x"), boundary="=_alternative 004A1C5DC1258A0B_="))
    m.issued()


def make():
    mozilla()
    unix()
