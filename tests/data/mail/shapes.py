"""Mails that show one thing each: the forms of PEM and DER, several requests,
forwards. The source of each is the RFC that it follows or breaks."""

from build import (DOMAIN, Mail, Request, attached, b64, forwarded, html, multi,
                   octets, part, pem, plain, qp, quote)


def pem_forms():
    rfc = "RFC 7468, 2 and 7"

    def inline(name, form, source=rfc, client=""):
        m = Mail(name, source, client)
        m.write(plain("Hello,\n\n" + form(m.request.pem) + "\nBye\n"))
        return m

    def file(name, form, source=rfc):
        m = Mail(name, source)
        m.write(multi("mixed", plain("x\n"), attached(
            "application/octet-stream", "a.csr", form(m.request.pem))))
        return m

    inline("inline", lambda t: t).issued()
    inline("inline-spaces", lambda t: t.replace("\n", " \t\n").replace(
        "-----BEGIN", "  -----BEGIN")).issued()
    inline("pem-indented", lambda t: quote(t, "    ")).issued()
    inline("pem-tabs", lambda t: quote(t, "\t")).issued()
    inline("pem-blank-lines", lambda t: t.replace("\n", "\n\n")).issued()
    inline("pem-in-one-line", lambda t: t.replace("\n", " ")).issued()
    inline("pem-no-line-breaks", lambda t: t.replace("\n", "").replace(
        "-----M", "-----\nM").replace("-----END", "\n-----END") + "\n"
           ).issued()
    inline("pem-new", lambda t: t.replace(
        "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")).issued()
    inline("pem-lines-of-four", lambda t: "\n".join(
        [t.split("\n")[0]] + [x[i:i + 4] for x in t.split("\n")[1:-2]
                              for i in range(0, len(x), 4)] +
        t.split("\n")[-2:])).issued()
    inline("quoted", quote).held(words=["forwarded"])
    inline("quoted-deep", lambda t: quote(t, "> > | >")).held(
        words=["forwarded"])
    inline("quoted-no-space", lambda t: quote(t, ">")).held(
        words=["forwarded"])
    inline("broken", lambda t: t.replace("\nMI", "\nM-", 1)).rejected(
        "not whole base64")
    inline("pem-star", lambda t: t[:200] + "*" + t[201:]).rejected(
        "not whole base64")
    inline("cut-off", lambda t: t[:200]).rejected("has no line", "END")
    inline("pem-other-end", lambda t: t.replace(
        "END CERTIFICATE", "END NEW CERTIFICATE")).rejected("has no line")
    inline("pem-header-lines", lambda t: t.replace(
        "-----\n", "-----\nProc-Type: 4,CLEAR\n\n", 1), "RFC 7468, 2: no "
           "header lines").rejected("header lines")
    inline("pem-three-dashes", lambda t: t.replace("-----", "---")).nothing(
        "is damaged")
    inline("pem-small-letters", lambda t: t.replace(
        "BEGIN CERTIFICATE REQUEST", "Begin Certificate Request")).nothing(
            "is damaged")
    inline("pem-missing-begin", lambda t: t.split("\n", 1)[1]).nothing(
        "is damaged")
    inline("pem-after-separator", lambda t: "---------- cut here ----------\n"
           + t).issued()
    file("pem-cr-only", lambda t: t.replace("\n", "\r").encode()).issued()
    file("pem-crlf", octets).issued()
    file("pem-lf", lambda t: t.encode()).issued()
    file("utf8-mark", lambda t: b"\xef\xbb\xbf" + t.encode()).issued()
    file("utf16", lambda t: b"\xff\xfe" + t.encode("utf-16-le")).issued()
    file("utf16-big", lambda t: b"\xfe\xff" + t.encode("utf-16-be")).issued()
    file("utf16-no-mark", lambda t: t.encode("utf-16-le")).issued()
    file("pem-no-last-line-end", lambda t: t.strip().encode()).issued()
    file("pem-nul-behind", lambda t: t.encode() + bytes(20)).issued()

    m = Mail("utf16-big-no-mark", "RFC 2781, 4.3")
    m.write(multi("mixed", plain("x\n"), part(
        "Content-Type: text/plain; charset=UTF-16BE\n"
        "Content-Transfer-Encoding: base64",
        b64(("Hi\n" + m.request.pem).encode("utf-16-be")))))
    m.issued()

    m = Mail("quoted-printable", "RFC 2045, 6.7")
    m.write(part("Content-Type: text/plain; charset=utf-8\n"
                 "Content-Transfer-Encoding: quoted-printable",
                 qp("gr\u00fc\u00dfe\n" + m.request.pem)))
    m.issued()

    m = Mail("no-mime-header", "RFC 5322, 2.3")
    m.write("\n" + m.request.pem)
    m.issued()


def der_forms():
    def file(name, type_, file_name, form=lambda d: d, source="RFC 5967, 2"):
        m = Mail(name, source)
        m.write(multi("mixed", plain("x\n"), attached(
            type_, file_name, form(m.request.der))))
        return m

    file("attached-octets", "application/octet-stream", "unknown").issued()
    file("der-x-pkcs10", "application/x-pkcs10", "a").issued()
    file("der-as-certificate-type", "application/x-x509-ca-cert",
         "a.der").issued()
    file("der-and-more", "application/pkcs10", "a.p10",
         lambda d: d + b"more").rejected("refused")
    file("der-cut", "application/pkcs10", "a.p10", lambda d: d[:-9]).rejected()
    file("der-long-form", "application/pkcs10", "a.p10", lambda d: b"\x30\x83"
         b"\0" + d[2:] if d[1] == 0x82 else b"\x30\x82\0" + d[2:],
         "X.690, 10.1").rejected()
    file("der-signature-changed", "application/pkcs10", "a.p10",
         lambda d: d[:-1] + bytes([d[-1] ^ 1])).rejected("signature")
    file("not-a-request", "application/pkcs10", "a.p10",
         lambda d: b"what is this").rejected("neither PEM nor DER")
    file("empty-attachment", "application/pkcs10", "a.p10",
         lambda d: b"").rejected("neither PEM nor DER")

    m = Mail("attached-base64-only", "RFC 5967, 2, with the encoding not "
             "named")
    m.write(multi("mixed", plain("x\n"), part(
        "Content-Type: application/pkcs10; name=a.p10", b64(m.request.der))))
    m.issued()

    m = Mail("attached-base64-twice", "RFC 2045, 6.8")
    m.write(multi("mixed", plain("x\n"), attached(
        "application/octet-stream", "a.req", b64(m.request.der, 64))))
    m.issued()

    m = Mail("base64-one-long-line", "RFC 5322, 2.1.1 allows 998")
    m.write(multi("mixed", plain("x\n"), part(
        "Content-Type: application/pkcs10; name=a.p10\n"
        "Content-Transfer-Encoding: base64", b64(m.request.der, 998))))
    m.issued()

    m = Mail("attached-der", "RFC 10003, 5; RFC 2231, 4")
    m.write(multi("mixed", plain("see there\n"), part(
        "Content-Type: application/pkcs10\nContent-Disposition: attachment;"
        " filename*=utf-8''my%20request.p10\n"
        "Content-Transfer-Encoding: base64", b64(m.request.der))))
    m.issued()

    m = Mail("pkcs10-alone", "RFC 10003, 5")
    m.write(attached("application/pkcs10", "a.p10", m.request.der))
    m.issued()

    m = Mail("attached-new", "RFC 2045, 5.2")
    m.write(multi("mixed", plain("see there\n"), part(
        "Content-Type: text/x-whatever; name=req.txt", m.request.new)))
    m.issued()


def several():
    rfc = "RFC 2046, 5.1.3"
    m = Mail("two", rfc)
    two = [m.request, m.another()]
    m.write(multi("mixed", *(plain(r.pem) for r in two)))
    m.issued(*two)

    m = Mail("five-in-one-text", rfc)
    five = [m.request] + [m.another(str(i)) for i in range(2, 6)]
    m.write(plain("\n".join(r.pem for r in five)))
    m.issued(*five)

    m = Mail("twice", rfc)
    m.write(multi("mixed", plain(m.request.pem), attached(
        "application/pkcs10", "a.p10", m.request.der)))
    m.issued()

    m = Mail("two-and-one-broken", rfc)
    two = [m.request, m.another()]
    m.write(multi("mixed", plain(two[0].pem), plain(
        two[1].pem[:300] + "*" + two[1].pem[301:])))
    m.issued(m.request, words=["was rejected", "not whole base64"])

    m = Mail("two-and-one-of-another", rfc)
    other = Request("guest-somebody-else@" + DOMAIN, "foreign")
    m.write(multi("mixed", plain(m.request.pem), plain(other.pem)))
    m.held(m.request, words=["your certificate was issued"])

    m = Mail("of-another", "RFC 8823, 3: the sender is who is certified")
    other = Request("guest-somebody-else@" + DOMAIN, "foreign 2")
    m.write(plain(other.pem))
    m.held()

    m = Mail("thirty-three", rfc)
    m.write(plain("".join(pem(b"%d" % i) for i in range(33))))
    m.refused("more than 32 requests")


def alternatives():
    rfc = "RFC 2046, 5.1.4"
    m = Mail("alternative-same", rfc)
    m.write(multi("alternative", plain(m.request.pem), part(
        "Content-Type: text/enriched", m.request.pem),
        html(m.request.pem)))
    m.issued()
    m = Mail("alternative-none", rfc)
    m.write(multi("alternative", plain("none here\n"), part(
        "Content-Type: text/enriched", m.request.pem)))
    m.issued()
    for name, first in (("different", ""), ("subset", "own")):
        m = Mail("alternative-" + name, rfc)
        other = m.another().pem
        m.write(multi("alternative", plain(m.request.pem), part(
            "Content-Type: text/enriched",
            (m.request.pem if first else "") + other)))
        m.refused("different requests")
    m = Mail("alternative-nested", rfc)
    m.write(multi("mixed", plain("x\n"), multi(
        "alternative", plain(m.request.pem), multi(
            "related", html("x"), attached("application/pkcs10", "a.p10",
                                           m.another().der)))))
    m.refused("different requests")


def forwards():
    rfc = "RFC 2046, 5.2.1"
    m = Mail("forwarded", rfc)
    m.write(multi("mixed", plain("see below\n"), forwarded(m.request.pem)))
    m.held(words=["forwarded"])
    m = Mail("forwarded-and-own", rfc)
    m.write(multi("mixed", plain(m.request.pem), forwarded(m.request.pem)))
    m.issued()
    m = Mail("forwarded-and-another", rfc)
    m.write(multi("mixed", plain(m.request.pem),
                  forwarded(m.another().pem)))
    m.held(m.request, words=["your certificate was issued", "forwarded"])
    m = Mail("forwarded-twice", rfc)
    m.write(multi("mixed", plain("x\n"), part(
        "Content-Type: message/rfc822", octets("Subject: outer\n") +
        forwarded(m.request.pem))))
    m.held()
    m = Mail("digest", "RFC 2046, 5.1.5")
    m.write(multi("digest", octets("\nSubject: one\n\nnothing\n"), octets(
        "\nSubject: two\n\n" + m.request.pem)))
    m.held()
    m = Mail("forwarded-alone", rfc)
    m.write(forwarded(m.request.pem))
    m.held()
    m = Mail("partial", "RFC 2046, 5.2.2")
    m.write(part('Content-Type: message/partial; id="a@b"; number=1; total=2',
                 "Subject: whole\n\n" + m.request.pem[:300]))
    m.nothing("came in pieces")
    m = Mail("external-body", "RFC 2046, 5.2.3")
    m.write(multi("mixed", plain("x\n"), part(
        'Content-Type: message/external-body; access-type=URL;\n'
        ' URL="http://example.test/a.csr"',
        "Content-Type: application/pkcs10\n\n")))
    m.nothing("lies elsewhere")
    m = Mail("headers-only", "RFC 6522, 4")
    m.write(multi("mixed", plain("x\n"), part(
        "Content-Type: text/rfc822-headers", "Subject: x\nX-A: " +
        m.request.pem.replace("\n", "\n "))))
    m.nothing("text/rfc822-headers: not read")


def make():
    pem_forms()
    der_forms()
    several()
    alternatives()
    forwards()
