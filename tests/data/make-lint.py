#!/usr/bin/env python3
"""Makes tests/data/lint: for each rule of the linter a document that breaks it,
and documents that break none.

    plain/      looked at alone
    issuer/     with issuer.der as the issuer
    profile/    and with the profile of tests/common/test_lint_rules.c
    ca-profile/ the same with a profile for CAs

RULE.der and RULE.variant.der break that rule and no other; good.*.der none.
Everything is written octet by octet here, without a library that would refuse
to write what is wrong. Keys are the generator points of their curves and
signatures are zeros: nothing verifies, and nothing has to. The same octets
come out at each run."""

import hashlib
import os
import shutil

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint")

# --- DER -----------------------------------------------------------------------


def tlv(tag, *parts):
    content = b"".join(parts)
    n = len(content)
    if n < 0x80:
        return bytes((tag, n)) + content
    size = (n.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + n.to_bytes(size, "big") + content


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *sorted(parts))


def oid(text):
    arcs = [int(a) for a in text.split(".")]
    out = b""
    for arc in [40 * arcs[0] + arcs[1]] + arcs[2:]:
        part = [arc & 0x7f]
        while arc > 0x7f:
            arc >>= 7
            part.insert(0, 0x80 | arc & 0x7f)
        out += bytes(part)
    return tlv(6, out)


def integer(n):
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def octets(content):
    return tlv(4, content)


def bits(content, unused=0):
    return tlv(3, bytes((unused,)), content)


def utf8(text):
    return tlv(0x0c, text.encode())


def printable(text):
    return tlv(0x13, text.encode())


def ia5(text):
    return tlv(0x16, text.encode())


def utc(text):
    return tlv(0x17, text.encode())


def gtime(text):
    return tlv(0x18, text.encode())


def enumerated(n):
    return tlv(0x0a, bytes((n,)))


def explicit(n, *parts):
    return tlv(0xa0 | n, *parts)


NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"
FALSE = b"\x01\x01\x00"

# --- names -----------------------------------------------------------------------

CN, SURNAME, C, O, OU, TITLE = ("2.5.4.%d" % n for n in (3, 4, 6, 10, 11, 12))
DC = "0.9.2342.19200300.100.1.25"


def attribute(kind, value):
    return seq(oid(kind), value)


def name(*attributes):
    return seq(*(set_of(attribute(kind, value))
                 for kind, value in attributes))


ISSUER = name((O, utf8("Example")), (CN, utf8("Example Issuing CA")))
ROOT = name((O, utf8("Example")), (CN, utf8("Example Root CA")))
SERVER = name((O, utf8("Example")), (CN, utf8("www.example.test")))


def dns(text):
    return tlv(0x82, text.encode())


def email(text):
    return tlv(0x81, text.encode())


def uri(text):
    return tlv(0x86, text.encode())


def ip(*content):
    return tlv(0x87, bytes(content))


def smtp_utf8(value):
    return explicit(0, oid("1.3.6.1.5.5.7.8.9"), explicit(0, value))


# --- keys and algorithms ---------------------------------------------------------

G256 = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
# The same point, the other side of the curve: another key.
MINUS_G256 = G256[:33] + (
    (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1 -
    int.from_bytes(G256[33:], "big")).to_bytes(32, "big")
MODULUS = int(
    "B92C5D28FAB9755E2D26FEDD9509F405787DF08DC416CDF2A697FBFC464A7FB37EB5"
    "4C66040BE1BBF9E35B492DB9E6523303C2FC066BA6E16E7136F4EA8D252717802214"
    "D1D988A5D6B90B6097AABEF56927A28A7E8314B455B168691A49E216D8BFF83ED3DC"
    "2F9CBBE06EDE42578BEF53BF06D1E7CDD4B65F1E75F7B9CB8896316E86C5D7C2915E"
    "0013D0189E7247B37628BEDBF0EE65CE7A49B51C03725A60897DB9E35E01A679B5C5"
    "763000D7BF90DDB4226C4C6B08F32987C722FAF12AE25EC19214554AB624C37B7F5D"
    "82832E3EFB245D34C8831EBB234CA2C75D0096B6A76CA32AC5C0C5631FC38707A996"
    "E8C7AE989D4E7A3B10E1A12DA998604C281F", 16)


def ec_key(point):
    return seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")),
               bits(point))


def rsa_key(modulus, exponent=65537):
    return seq(seq(oid("1.2.840.113549.1.1.1"), NULL),
               bits(seq(integer(modulus), integer(exponent))))


CA_KEY = ec_key(MINUS_G256)
KEY = ec_key(G256)
RSA_KEY = rsa_key(MODULUS)
ED25519_KEY = seq(seq(oid("1.3.101.112")), bits(bytes(range(32))))


def key_id(spki):
    """SHA-1 of the BIT STRING's content (RFC 5280, 4.2.1.2)"""
    content = spki
    for step in range(2):       # SEQUENCE, then skip the AlgorithmIdentifier
        n, head = content[1], 2
        if n >= 0x80:
            head += n & 0x7f
            n = int.from_bytes(content[2:head], "big")
        if step == 0:
            content = content[head:]
            content = content[2 + content[1]:]
        else:
            content = content[head + 1:head + n]
    return hashlib.sha1(content).digest()


ECDSA_SHA256 = seq(oid("1.2.840.10045.4.3.2"))
ECDSA_SHA384 = seq(oid("1.2.840.10045.4.3.3"))
RSA_SHA256 = seq(oid("1.2.840.113549.1.1.11"), NULL)
RSA_SHA1 = seq(oid("1.2.840.113549.1.1.5"), NULL)
SIGNATURE = bits(bytes(64))

# --- extensions -------------------------------------------------------------------


def extension(kind, value, critical=False):
    return seq(oid(kind), TRUE if critical else b"", octets(value))


def ce(n):
    return "2.5.29.%d" % n


SKI, KU, SAN, BC, CRL_NUMBER, REASON, INVALIDITY, DELTA, POINT, NC, CDP = (
    ce(n) for n in (14, 15, 17, 19, 20, 21, 24, 27, 28, 30, 31))
POLICIES, MAPPINGS, AKI, CONSTRAINTS, EKU, FRESHEST, ANY, NO_REV = (
    ce(n) for n in (32, 33, 35, 36, 37, 46, 54, 56))
AIA, FEATURE, NOCHECK = ("1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.1.24",
                         "1.3.6.1.5.5.7.48.1.5")
NONCE, REVOKE = "1.3.6.1.5.5.7.48.1.2", "1.3.6.1.5.5.7.48.1.9"
OWN = "1.3.6.1.4.1.32473.1"     # of the test's profile

OCSP_URL = "http://ocsp.example.test/"
CA_URL = "http://pki.example.test/issuing.crt"
CRL_URL = "http://pki.example.test/issuing.crl"


def aki(spki):
    return AKI, seq(tlv(0x80, key_id(spki)))


def ski(spki):
    return SKI, octets(key_id(spki))


def ku(content, unused):
    return KU, bits(bytes(content), unused), True


SIGN = ku([0x80], 7)
CERT_SIGN = ku([0x06], 1)


def eku(*arcs, critical=False):
    return EKU, seq(*(oid("1.3.6.1.5.5.7.3.%d" % a) for a in arcs)), critical


def bc(*parts):
    return BC, seq(*parts), True


def san(*names, critical=False):
    return SAN, seq(*names), critical


def point(*names):
    return seq(explicit(0, explicit(0, *names)))


def cdp(url=CRL_URL):
    return CDP, seq(point(uri(url)))


def access(arc, where):
    return seq(oid("1.3.6.1.5.5.7.48.%d" % arc), where)


def aia(*which):
    return AIA, seq(*which)


BOTH = aia(access(1, uri(OCSP_URL)), access(2, uri(CA_URL)))
CPS = seq(oid("1.3.6.1.5.5.7.2.1"), ia5("http://pki.example.test/cps"))


def policies(*which):
    return POLICIES, seq(*which)


def policy(text, *qualifiers):
    return seq(oid(text), seq(*qualifiers) if qualifiers else b"")


# --- documents ----------------------------------------------------------------------


def extensions(which):
    """which: (oid, value[, critical]) or an Extension as it stands"""
    return seq(*(e if isinstance(e, bytes) else extension(*e) for e in which))


def changed(base, *changes, without=()):
    """Extensions of base with those of the same OID replaced, others added,
    and those named left out."""
    new = {e[0]: e for e in changes if not isinstance(e, bytes)}
    out = [new.pop(e[0], e) for e in base if e[0] not in without]
    return out + list(new.values()) + [e for e in changes
                                       if isinstance(e, bytes)]


SERIAL = integer(0x5d1c0ffee0ddba115ca1ab1e0badcafe)
V3 = explicit(0, integer(2))
DATES = seq(utc("260101120000Z"), utc("260331120000Z"))
LONG = seq(utc("260101000000Z"), utc("351231235959Z"))


def certificate(exts, serial=SERIAL, algorithm=ECDSA_SHA256, issuer=ISSUER,
                dates=DATES, subject=SERVER, key=KEY, version=V3, outer=None,
                signature=SIGNATURE, ids=b"", behind=b""):
    listed = b"" if exts is None else explicit(3, extensions(exts))
    return seq(seq(version, serial, algorithm, issuer, dates, subject, key,
                   ids, listed, behind), outer or algorithm, signature)


END = [aki(CA_KEY), ski(KEY), SIGN, bc(), eku(1), san(dns("www.example.test")),
       BOTH, cdp()]
SUB = [aki(CA_KEY), ski(KEY), CERT_SIGN, bc(TRUE)]
SUB_NAME = name((O, utf8("Example")), (CN, utf8("Example Sub CA")))
SELF = [ski(CA_KEY), CERT_SIGN, bc(TRUE, integer(0))]
RESPONDER = [aki(CA_KEY), ski(KEY), SIGN, bc(), eku(9), (NOCHECK, NULL)]
RESPONDER_NAME = name((CN, utf8("Example OCSP responder")))


def end(*changes, without=(), **fields):
    return certificate(changed(END, *changes, without=without), **fields)


def sub(*changes, without=(), **fields):
    return certificate(changed(SUB, *changes, without=without), dates=LONG,
                       **{"subject": SUB_NAME, **fields})


def self_signed(*changes, without=(), **fields):
    return certificate(changed(SELF, *changes, without=without), dates=LONG,
                       **{"subject": ISSUER, "key": CA_KEY, **fields})


def responder(*changes, without=(), **fields):
    return certificate(changed(RESPONDER, *changes, without=without),
                       **{"subject": RESPONDER_NAME, **fields})


def named(*attributes):
    """A server's certificate with these in its subject"""
    return end(subject=name(*attributes))


CHALLENGE = "1.2.840.113549.1.9.7"
REQUEST = "1.2.840.113549.1.9.14"


def csr_attribute(kind, *values):
    return seq(oid(kind), tlv(0x31, *values))


def asked(*which):
    return csr_attribute(REQUEST, extensions(which))


WANTED = asked(san(dns("www.example.test")))


def csr(*attributes, version=integer(0), algorithm=ECDSA_SHA256, listed=None):
    if listed is None:
        listed = explicit(0, *sorted(attributes))
    return seq(seq(version, SERVER, KEY, listed), algorithm, SIGNATURE)


def entry(serial, *exts, when=utc("260101110000Z")):
    return seq(integer(serial) if isinstance(serial, int) else serial, when,
               extensions(exts) if exts else b"")


def reason(n, critical=False):
    return REASON, enumerated(n), critical


CRL_EXTENSIONS = [aki(CA_KEY), (CRL_NUMBER, integer(7))]


def crl(*entries, exts=(), without=(), version=integer(1), listed=None,
        this=utc("260101120000Z"), after=utc("260108120000Z"), behind=b"",
        outer=None, algorithm=ECDSA_SHA256, issuer=ISSUER):
    if listed is None:
        listed = seq(*entries) if entries else b""
    return seq(seq(version, algorithm, issuer, this, after, listed,
                   explicit(0, extensions(changed(
                       CRL_EXTENSIONS, *exts, without=without))), behind),
               outer or algorithm, SIGNATURE)


def delta(*entries, base=6, exts=()):
    return crl(*entries, exts=[(DELTA, integer(base), True)] + list(exts))


SHA1 = seq(oid("1.3.14.3.2.26"), NULL)
SHA256 = seq(oid("2.16.840.1.101.3.4.2.1"))


def cert_id(algorithm=SHA256, size=32):
    return seq(algorithm, octets(bytes(size)), octets(bytes(size)), SERIAL)


NOON = gtime("20260101120000Z")
GOOD = tlv(0x80)


def single(status=GOOD, this=NOON, after=gtime("20260102120000Z"),
           which=cert_id(), exts=()):
    return seq(which, status, this, explicit(0, after) if after else b"",
               explicit(1, extensions(exts)) if exts else b"")


BY_KEY = explicit(2, octets(key_id(KEY)))


def ocsp(*answers, version=b"", by=BY_KEY, produced=NOON, listed=None,
         certs=(responder(),), algorithm=ECDSA_SHA256, status=0,
         exts=((NONCE, octets(bytes(32))),), behind=b""):
    if listed is None:
        listed = explicit(1, extensions(exts)) if exts else b""
    basic = seq(seq(version, by, produced, seq(*answers), listed, behind),
                algorithm, SIGNATURE,
                explicit(0, seq(*certs)) if certs else b"")
    return seq(enumerated(status), explicit(0, seq(
        oid("1.3.6.1.5.5.7.48.1.1"), octets(basic))))


def revoked(*parts):
    return explicit(1, *parts)


# --- the samples ------------------------------------------------------------------------

USER = name((CN, utf8("J\u00f6rg Example")), (C, printable("DE")))
MAPPED = seq(seq(oid("1.2.3.4"), oid("1.2.3.5")))

PLAIN = {
    "good.server": end(),
    "good.order-of-extensions": certificate(END[::-1]),
    "good.user": certificate(changed(
        END, eku(4, 2), san(email("j@example.test"),
                            smtp_utf8(utf8("j\u00f6rg@example.test")))),
                             subject=USER),
    "good.every-form-of-name": end(san(
        dns("*.example.test"), dns("xn--bcher-kva.example.test"),
        ip(192, 0, 2, 1), ip(*bytes(16)), uri("https://example.test/x"),
        uri("urn:example:1"))),
    "good.empty-subject": end(san(dns("a.example.test"), critical=True),
                              subject=seq()),
    "good.ed25519": end(ski(ED25519_KEY), key=ED25519_KEY,
                        algorithm=seq(oid("1.3.101.112"))),
    "good.rsa": end(ski(RSA_KEY), ku([0xa0], 5), key=RSA_KEY,
                    algorithm=RSA_SHA256),
    "good.after-2049": end(dates=seq(utc("491231235959Z"),
                                     gtime("20500101000000Z"))),
    "good.short-lived": end(aia(access(2, uri(CA_URL))), (NO_REV, NULL),
                            without=(CDP,)),
    "good.must-staple": end((FEATURE, seq(integer(5)))),
    "good.time-stamping": end(eku(8, critical=True)),
    "good.policies": end(policies(policy("1.2.3.4", CPS),
                                  policy("1.2.3.5"))),
    "good.ca": sub(bc(TRUE, integer(3))),
    "good.constrained-ca": sub(
        (NC, seq(explicit(0, seq(dns("example.test")),
                          seq(email(".example.test")),
                          seq(ip(192, 0, 2, 0, 255, 255, 255, 0))),
                 explicit(1, seq(dns("secret.example.test")),
                          seq(explicit(4, ROOT)))), True),
        (CONSTRAINTS, seq(tlv(0x80, b"\0")), True),
        (MAPPINGS, MAPPED, True), (ANY, integer(0), True),
        policies(policy("1.2.3.4"))),
    "good.root": self_signed(),
    "good.root-unlimited": self_signed(bc(TRUE)),
    "good.root-with-aki": self_signed(aki(CA_KEY)),
    "good.responder": responder(),
    "good.csr": csr(WANTED, csr_attribute(CHALLENGE, utf8("secret"))),
    "good.csr-alone": csr(),
    "good.crl": crl(entry(0x1234, reason(1), (INVALIDITY, NOON)),
                    entry(0x99887766554433221100)),
    "good.empty-crl": crl(),
    "good.shard": crl(exts=[(POINT, seq(explicit(0, explicit(
        0, uri(CRL_URL))), tlv(0x81, b"\xff")), True),
                            (FRESHEST, seq(point(uri(CRL_URL))))]),
    "good.delta": delta(entry(0x1234, reason(8))),
    "good.ocsp": ocsp(single(), single(revoked(NOON, explicit(
        0, enumerated(1))), which=cert_id(SHA1, 20))),
    "good.ocsp-unknown": ocsp(single(tlv(0x82)), exts=((REVOKE, NULL),)),

    # encoding and fields
    "der.behind": end() + b"\0",
    "der.length": b"\x30\x84" + len(end()[4:]).to_bytes(4, "big") + end()[4:],
    "certificate_form.behind": end(behind=NULL),
    "certificate_form.short": seq(seq(V3, SERIAL, ECDSA_SHA256, ISSUER),
                                  ECDSA_SHA256, SIGNATURE),
    "version.2": end(version=explicit(0, integer(1))),
    "version.1": certificate(None, version=b""),
    "serial_form.zero": end(serial=integer(0)),
    "serial_form.negative": end(serial=integer(-5)),
    "serial_form.long": end(serial=integer(1 << 160)),
    "serial_short": end(serial=integer(4711)),
    "algorithm_mismatch": end(outer=ECDSA_SHA384),
    "algorithm_parameters.ecdsa": end(
        algorithm=seq(oid("1.2.840.10045.4.3.2"), NULL)),
    "algorithm_parameters.rsa": end(
        algorithm=seq(oid("1.2.840.113549.1.1.11"))),
    "algorithm_parameters.eddsa": end(
        algorithm=seq(oid("1.3.101.112"), NULL)),
    "algorithm_weak.sha1": end(algorithm=RSA_SHA1),
    "algorithm_weak.md5": end(
        algorithm=seq(oid("1.2.840.113549.1.1.4"), NULL)),
    "algorithm_weak.ecdsa": end(algorithm=seq(oid("1.2.840.10045.4.1"))),
    "algorithm_unknown": end(algorithm=seq(oid("1.2.3.4"))),
    "algorithm_issuer.self": self_signed(algorithm=RSA_SHA256),
    "signature_form.bits": end(signature=bits(b"\0" * 64, 1)),
    "signature_form.empty": end(signature=bits(b"")),
    "issuer_empty": end(issuer=seq()),
    "time_form.early-generalized": end(
        dates=seq(gtime("20260101120000Z"), utc("260331120000Z"))),
    "time_form.no-seconds": end(
        dates=seq(utc("2601011200Z"), utc("260331120000Z"))),
    "time_form.zone": end(
        dates=seq(utc("260101120000+0000"), utc("260331120000Z"))),
    "time_form.fraction": end(
        dates=seq(utc("260101120000Z"), gtime("20500101120000.5Z"))),
    "time_form.no-such-day": end(
        dates=seq(utc("260101120000Z"), utc("260230120000Z"))),
    "time_form.no-such-hour": end(
        dates=seq(utc("260101240000Z"), utc("260331120000Z"))),
    "validity_order.equal": end(
        dates=seq(utc("260101120000Z"), utc("260101120000Z"))),
    "validity_order.backwards": end(
        dates=seq(utc("260101120000Z"), utc("251231120000Z"))),
    "unique_id.issuer": end(ids=tlv(0x81, b"\0\1")),
    "unique_id.subject": end(ids=tlv(0x82, b"\0\1")),
    "key_unfit.not-on-curve": end(key=ec_key(b"\x04" + bytes(63) + b"\1")),
    "key_unfit.small": end(key=rsa_key(MODULUS >> 1024 | 1)),
    "key_unfit.algorithm": end(key=seq(seq(oid("1.2.3.4")), bits(b"\1"))),

    # names
    "name_form.empty-part": end(subject=seq(tlv(0x31))),
    "name_form.no-value": end(subject=seq(set_of(seq(oid(CN))))),
    "name_multivalued": end(subject=seq(set_of(
        attribute(CN, utf8("a")), attribute(OU, utf8("b"))))),
    "name_string.country": named((C, utf8("DE"))),
    "name_string.domain": named((DC, utf8("example"))),
    "name_old_string.teletex": named((O, tlv(0x14, b"Example"))),
    "name_old_string.bmp": named((O, tlv(0x1e, b"\0E\0x"))),
    "name_characters.printable": named((O, printable("a@b"))),
    "name_characters.overlong": named((O, tlv(0x0c, b"a\xc1\x81"))),
    "name_characters.ia5": named((DC, tlv(0x16, b"b\xfccher"))),
    "name_hidden.bidi": named((O, utf8("abc\u202ecba"))),
    "name_hidden.nul": named((O, utf8("www.example.test\0.evil.test"))),
    "name_length.long": named((CN, utf8("x" * 65))),
    "name_length.empty": named((O, utf8(""))),
    "name_country.three": named((C, printable("DEU"))),
    "name_country.small": named((C, printable("de"))),
    "name_doubled": named((OU, utf8("a")), (OU, utf8("a"))),
    "subject_empty": sub(san(dns("ca.example.test"), critical=True),
                         subject=seq()),
    "san_form.empty": end(san()),
    "san_form.tag": end(san(tlv(0x89, b"x"))),
    "san_dns.wildcard": end(san(dns("www.*.example.test"))),
    "san_dns.two-wildcards": end(san(dns("*.*.example.test"))),
    "san_dns.underscore": end(san(dns("a_b.example.test"))),
    "san_dns.blank": end(san(dns(" "))),
    "san_dns.empty": end(san(dns(""))),
    "san_dns.dot": end(san(dns("www.example.test."))),
    "san_dns.a-label": end(san(dns("xn--zz--.example.test"))),
    "san_dns.utf8": end(san(dns("b\u00fccher.example.test"))),
    "san_dns.long-label": end(san(dns("x" * 64 + ".example.test"))),
    "san_dns_case": end(san(dns("WWW.example.test"))),
    "san_email.no-at": end(san(email("example.test"))),
    "san_email.utf8": end(san(email("j\u00f6rg@example.test"))),
    "san_uri.relative": end(san(uri("/path"))),
    "san_uri.blank": end(san(uri("http://example.test/a b"))),
    "san_ip.3": end(san(ip(192, 0, 2))),
    "san_ip.mask": end(san(ip(192, 0, 2, 0, 255, 255, 255, 0))),
    "san_smtp_utf8.ascii": end(san(smtp_utf8(utf8("j@example.test")))),
    "san_smtp_utf8.ia5": end(san(smtp_utf8(ia5("j@example.test")))),
    "san_doubled": end(san(dns("a.example.test"), dns("a.example.test"))),
    "san_unknown": end(san(tlv(0x88, b"\x2a\3"))),

    # extensions as such
    "extension_form.value": end(("1.2.3.4", b"\x04\x05\x00")),
    "extension_form.no-value": end(seq(oid("1.2.3.4"))),
    "extension_default": end(seq(oid("1.2.3.4"), FALSE, octets(NULL))),
    "extensions_empty": ocsp(single(), listed=explicit(1, seq())),
    "extension_doubled.known": end(extension(SAN, seq(dns("b.test")))),
    "extension_doubled.unknown": end(extension("1.2.3.4", NULL),
                                     extension("1.2.3.4", integer(1))),
    "extension_doubled.crl": crl(exts=[extension(CRL_NUMBER, integer(8))]),
    "extension_missing.aki": end(without=(AKI,)),
    "extension_missing.ca-ski": sub(without=(SKI,)),
    "extension_missing.ca-key-usage": sub(without=(KU,)),
    "extension_missing.san": end(subject=seq(), without=(SAN,)),
    "extension_missing.crl-aki": crl(without=(AKI,)),
    "extension_missing.crl-number": crl(without=(CRL_NUMBER,)),
    "extension_unexpected": end(
        (NC, seq(explicit(0, seq(dns("example.test")))), True)),
    "extension_critical.aki": end((*aki(CA_KEY), True)),
    "extension_critical.ski": end((*ski(KEY), True)),
    "extension_critical.aia": end((*BOTH, True)),
    "extension_critical.crl-number": crl(
        exts=[(CRL_NUMBER, integer(7), True)]),
    "extension_critical.nonce": ocsp(
        single(), exts=((NONCE, octets(bytes(32)), True),)),
    "extension_not_critical.ca": sub((BC, seq(TRUE))),
    "extension_not_critical.san": end(subject=seq()),
    "extension_not_critical.constraints": sub(
        (NC, seq(explicit(0, seq(dns("example.test")))))),
    "extension_not_critical.delta": crl(exts=[(DELTA, integer(6))]),
    "extension_not_critical.point": crl(exts=[(POINT, seq(explicit(
        0, explicit(0, uri(CRL_URL)))))]),
    "extension_criticality.key-usage": end((KU, SIGN[1])),
    "extension_criticality.san": end(san(dns("a.test"), critical=True)),
    "extension_criticality.cdp": end((*cdp(), True)),
    "extension_unknown": end(("1.2.3.4", NULL, True)),
    "extension_unknown.crl": crl(exts=[("1.2.3.4", NULL, True)]),

    # extensions, one by one
    "aki_form.empty": end((AKI, seq())),
    "aki_form.no-key-id": end((AKI, seq(tlv(0x82, b"\1")))),
    "aki_names": end((AKI, seq(tlv(0x80, key_id(CA_KEY)),
                               explicit(1, explicit(4, ROOT)),
                               tlv(0x82, b"\1")))),
    "aki_issuer.self": self_signed(aki(KEY)),
    "ski_form": end((SKI, octets(b""))),
    "ski_key": end((SKI, octets(b"another one"))),
    "ski_recommended": end(without=(SKI,)),
    "key_usage_form.empty": end(ku([], 0)),
    "key_usage_form.zero": end(ku([0x00], 0)),
    "key_usage_form.bit-9": end(ku([0x80, 0x40], 6)),
    "key_usage_padding.bits": end(ku([0x80], 0)),
    "key_usage_padding.octet": end(ku([0x80, 0x00], 7)),
    "key_usage_key.ec": end(ku([0xa0], 5)),
    "key_usage_key.rsa": end(ski(RSA_KEY), ku([0x88], 3), key=RSA_KEY),
    "key_usage_key.ed25519": end(ski(ED25519_KEY), ku([0x88], 3),
                                 key=ED25519_KEY),
    "key_usage_agreement": end(ku([0x81], 0)),
    "key_usage_ca": end(ku([0x84], 2)),
    "ca_key_usage.no-crl": sub(ku([0x04], 2)),
    "ca_key_usage.no-cert": sub(ku([0x02], 1)),
    "key_usage_purpose": end(ku([0x40], 6)),
    "policies_form.empty": end(policies()),
    "policies_form.qualifiers": end(policies(seq(oid("1.2.3.4"), seq()))),
    "policies_form.cps": end(policies(policy("1.2.3.4", seq(
        oid("1.3.6.1.5.5.7.2.1"), utf8("http://example.test/"))))),
    "policies_doubled": end(policies(policy("1.2.3.4"), policy("1.2.3.4"))),
    "policies_qualifier": end(policies(policy("1.2.3.4", seq(
        oid("1.2.3.4"), NULL)))),
    "basic_constraints_form.negative": sub(bc(TRUE, integer(-1))),
    "basic_constraints_form.more": sub(bc(TRUE, integer(1), NULL)),
    "basic_constraints_default": end(bc(FALSE)),
    "basic_constraints_path.no-ca": end(bc(integer(0))),
    "name_constraints_form.empty": sub((NC, seq(), True)),
    "name_constraints_form.no-tree": sub((NC, seq(explicit(0)), True)),
    "name_constraints_form.order": sub((NC, seq(
        explicit(1, seq(dns("a.test"))), explicit(0, seq(dns("b.test")))),
                                        True)),
    "name_constraints_distance.minimum": sub((NC, seq(explicit(0, seq(
        dns("a.test"), tlv(0x80, b"\0")))), True)),
    "name_constraints_distance.maximum": sub((NC, seq(explicit(0, seq(
        dns("a.test"), tlv(0x81, b"\1")))), True)),
    "name_constraints_ip.no-mask": sub((NC, seq(explicit(0, seq(
        ip(192, 0, 2, 1)))), True)),
    "name_constraints_ip.holes": sub((NC, seq(explicit(0, seq(
        ip(192, 0, 2, 0, 255, 0, 255, 0)))), True)),
    "name_constraints_name.dns": sub((NC, seq(explicit(0, seq(
        dns("a_b")))), True)),
    "name_constraints_name.email": sub((NC, seq(explicit(1, seq(
        email("a b@example.test")))), True)),
    "name_constraints_unknown": sub((NC, seq(explicit(0, seq(
        tlv(0x88, b"\x2a\3")))), True)),
    "policy_control_form.empty": sub((CONSTRAINTS, seq(), True)),
    "policy_control_form.any": sub((MAPPINGS, seq(seq(
        oid("1.2.3.4"), oid("2.5.29.32.0"))), True)),
    "policy_control_form.inhibit": sub((ANY, integer(-1), True)),
    "ext_key_usage_form": end((EKU, seq())),
    "ext_key_usage_doubled": end(eku(1, 1)),
    "ext_key_usage_any": end((EKU, seq(oid("2.5.29.37.0")), True)),
    "ext_key_usage_time.not-critical": end(eku(8)),
    "ext_key_usage_time.more": end(eku(8, 1, critical=True)),
    "crl_point_form.empty": end((CDP, seq())),
    "crl_point_form.reasons": end((CDP, seq(seq(tlv(0x81, b"\6\x40"))))),
    "crl_point_form.freshest": crl(exts=[(FRESHEST, seq())]),
    "crl_point_uri.scheme": end(cdp("ftp://example.test/a.crl")),
    "crl_point_uri.name": end((CDP, seq(point(explicit(4, ROOT))))),
    "authority_info_form": end(aia()),
    "authority_info_uri": end(aia(access(2, uri("ftp://example.test/a")))),
    "nocheck_form": responder((NOCHECK, integer(1))),
    "nocheck_missing": responder(without=(NOCHECK,)),
    "no_rev_avail_form": end((NO_REV, integer(1)), without=(CDP, AIA)),
    "no_rev_avail_address.crl": end((NO_REV, NULL), without=(AIA,)),
    "no_rev_avail_address.ocsp": end((NO_REV, NULL), without=(CDP,)),
    "no_rev_avail_ca": sub((NO_REV, NULL)),
    "tls_feature_form.empty": end((FEATURE, seq())),
    "tls_feature_form.text": end((FEATURE, seq(utf8("5")))),

    # requests
    "csr_form": csr(WANTED, listed=b""),
    "csr_version": csr(WANTED, version=integer(1)),
    "csr_algorithm": csr(WANTED, algorithm=RSA_SHA256),
    "csr_attribute_form.no-value": csr(csr_attribute(CHALLENGE)),
    "csr_attribute_form.string": csr(csr_attribute(REQUEST, utf8("x"))),
    "csr_attribute_order": csr(listed=explicit(0, *sorted((
        WANTED, csr_attribute(CHALLENGE, utf8("x"))), reverse=True))),
    "csr_attribute_doubled.type": csr(WANTED, WANTED),
    "csr_attribute_doubled.value": csr(csr_attribute(
        CHALLENGE, utf8("a"), utf8("b"))),
    "csr_attribute_unknown": csr(csr_attribute("1.2.3.4", NULL)),
    "csr_challenge.long": csr(csr_attribute(CHALLENGE, utf8("x" * 256))),
    "csr_challenge.string": csr(csr_attribute(CHALLENGE, octets(b"x"))),
    "csr_asks_ca.basic-constraints": csr(asked(bc(TRUE))),
    "csr_asks_ca.key-usage": csr(asked(CERT_SIGN)),
    "san_dns.csr": csr(asked(san(dns("a_b.example.test")))),
    "extension_doubled.csr": csr(asked(san(dns("a.test")),
                                       san(dns("b.test")))),
    "key_usage_padding.csr": csr(asked(ku([0x80], 0))),

    # CRLs
    "crl_form": crl(behind=NULL),
    "crl_version.1": crl(version=b""),
    "crl_version.3": crl(version=integer(2)),
    "crl_next_update": crl(after=b""),
    "crl_order": crl(after=utc("260101120000Z")),
    "time_form.crl": crl(this=gtime("20260101120000Z")),
    "time_form.crl-entry": crl(entry(5, when=gtime("20260101110000Z"))),
    "algorithm_mismatch.crl": crl(outer=ECDSA_SHA384),
    "crl_empty": crl(listed=seq()),
    "crl_entry_form": crl(seq(integer(5))),
    "crl_entry_serial.zero": crl(entry(0)),
    "crl_entry_serial.negative": crl(entry(-7)),
    "crl_entry_serial.long": crl(entry(1 << 160)),
    "crl_entry_doubled": crl(entry(5), entry(6), entry(5)),
    "crl_entry_late": crl(entry(5, when=utc("260101120001Z"))),
    "crl_entry_extension.critical": crl(entry(5, reason(1, True))),
    "crl_entry_extension.doubled": crl(entry(5, reason(1), reason(4))),
    "crl_entry_extension.date": crl(entry(5, (INVALIDITY,
                                              utc("260101110000Z")))),
    "crl_entry_extension.issuer": crl(entry(5, (ce(29), seq(
        explicit(4, ROOT)), True))),
    "crl_reason.7": crl(entry(5, reason(7))),
    "crl_reason.11": crl(entry(5, reason(11))),
    "crl_reason.integer": crl(entry(5, (REASON, integer(1)))),
    "crl_reason_unspecified": crl(entry(5, reason(0))),
    "crl_reason_remove": crl(entry(5, reason(8))),
    "crl_number.long": crl(exts=[(CRL_NUMBER, integer(1 << 160))]),
    "crl_number.negative": crl(exts=[(CRL_NUMBER, integer(-1))]),
    "crl_delta_base.equal": delta(base=7),
    "crl_delta_base.above": delta(base=256),
    "crl_delta_base.form": crl(exts=[(DELTA, NULL, True)]),
    "crl_point.empty": crl(exts=[(POINT, seq(), True)]),
    "crl_point.false": crl(exts=[(POINT, seq(tlv(0x81, b"\0")), True)]),
    "crl_point.two": crl(exts=[(POINT, seq(
        tlv(0x81, b"\xff"), tlv(0x82, b"\xff")), True)]),
    "crl_freshest": delta(exts=[(FRESHEST, seq(point(uri(CRL_URL))))]),

    # OCSP responses
    "ocsp_form.type": seq(enumerated(0), explicit(0, seq(
        oid("1.2.3.4"), octets(NULL)))),
    "ocsp_form.behind": ocsp(single(), behind=NULL),
    "der.ocsp": seq(enumerated(0), explicit(0, seq(
        oid("1.3.6.1.5.5.7.48.1.1"), octets(b"\x30\x80\0\0")))),
    "ocsp_status.4": seq(enumerated(4)),
    "ocsp_status.no-answer": seq(enumerated(0)),
    "ocsp_status.answer": ocsp(single(), status=1),
    "ocsp_error": seq(enumerated(6)),
    "ocsp_version": ocsp(single(), version=explicit(0, integer(0))),
    "ocsp_responder": ocsp(single(), by=explicit(2, octets(bytes(19)))),
    "ocsp_by_name": ocsp(single(), by=explicit(1, RESPONDER_NAME)),
    "ocsp_time.produced": ocsp(single(), produced=gtime("20260101120000.5Z")),
    "ocsp_time.this": ocsp(single(this=gtime("202601011200Z"))),
    "ocsp_time.next": ocsp(single(after=utc("260102120000Z"))),
    "ocsp_time.revoked": ocsp(single(revoked(utc("260101110000Z")))),
    "ocsp_order.this": ocsp(single(this=gtime("20260101120001Z"))),
    "ocsp_order.next": ocsp(single(after=NOON)),
    "ocsp_next_update": ocsp(single(after=None)),
    "ocsp_empty": ocsp(),
    "ocsp_cert_id": ocsp(single(which=cert_id(SHA256, 20))),
    "ocsp_hash": ocsp(single(which=cert_id(seq(oid("1.2.3.4")), 20))),
    "ocsp_cert_status.good": ocsp(single(tlv(0x80, b"\0"))),
    "ocsp_cert_status.tag": ocsp(single(tlv(0x83))),
    "ocsp_cert_status.reason": ocsp(single(revoked(NOON, enumerated(1)))),
    "ocsp_reason": ocsp(single(revoked(NOON, explicit(0, enumerated(7))))),
    "ocsp_nonce.empty": ocsp(single(), exts=((NONCE, octets(b"")),)),
    "ocsp_nonce.long": ocsp(single(), exts=((NONCE, octets(bytes(129))),)),
    "ocsp_nonce.bare": ocsp(single(), exts=((NONCE, bytes(range(32))),)),
    "ocsp_nonce_short": ocsp(single(), exts=((NONCE, octets(bytes(16))),)),
    "ocsp_extension.doubled": ocsp(single(), exts=((REVOKE, NULL),
                                                   (REVOKE, NULL))),
    "ocsp_extension.place": ocsp(single(exts=((REVOKE, NULL),))),
    "ocsp_extension.form": ocsp(single(), exts=(seq(oid(REVOKE)),)),
    "ocsp_signer_none": ocsp(single(), certs=()),
    "ocsp_signer.key": ocsp(single(), certs=(responder(key=CA_KEY),)),
    "ocsp_signer.name": ocsp(single(), by=explicit(2, octets(bytes(20)))),
    "ocsp_signer_purpose": ocsp(single(), certs=(responder(eku(1)),)),
    "ocsp_signer_nocheck": ocsp(single(), certs=(
        responder(without=(NOCHECK,)),)),
    "algorithm_issuer.ocsp": ocsp(single(), algorithm=RSA_SHA256),
}

WITH_ISSUER = {
    "good.server": end(),
    "good.crl": crl(entry(5)),
    "algorithm_issuer": end(algorithm=RSA_SHA256),
    "algorithm_issuer.crl": crl(algorithm=RSA_SHA256),
    "issuer_mismatch": end(issuer=ROOT),
    "issuer_mismatch.crl": crl(issuer=ROOT),
    "validity_issuer.before": end(
        dates=seq(utc("251231235959Z"), utc("260331120000Z"))),
    "validity_issuer.after": end(
        dates=seq(utc("260101120000Z"), utc("360101000000Z"))),
    "aki_issuer": end(aki(KEY)),
    "aki_issuer.crl": crl(exts=[aki(KEY)]),
    "path_issuer.none": sub(),
    "path_issuer.equal": sub(bc(TRUE, integer(0))),
}

# What the profile of the test has.
PROFILED = changed(END, (FEATURE, seq(integer(5))),
                   policies(policy("1.2.3.4", CPS)), (OWN, integer(1)))


def profiled(*changes, without=(), **fields):
    return certificate(changed(PROFILED, *changes, without=without), **fields)


WITH_PROFILE = {
    "good.server": profiled(),
    "algorithm_profile": profiled(algorithm=ECDSA_SHA384),
    "validity_profile": profiled(
        dates=seq(utc("260101120000Z"), utc("270401120000Z"))),
    "key_profile": profiled(ski(ED25519_KEY), key=ED25519_KEY),
    "key_unfit.exponent": profiled(key=rsa_key(MODULUS, 3)),
    "key_unfit.even": profiled(key=rsa_key(MODULUS - 1)),
    "key_unfit.small": profiled(key=rsa_key(MODULUS >> 1024 | 1)),
    "key_unfit.hybrid": profiled(key=ec_key(b"\6" + G256[1:])),
    "key_unfit.parameters": profiled(key=seq(seq(oid("1.3.101.112"), NULL),
                                             bits(bytes(32)))),
    "subject_profile": profiled(subject=name(
        (CN, utf8("www.example.test")), (TITLE, utf8("Server")))),
    "subject_required": profiled(subject=name((O, utf8("Example")))),
    "san_dns.wildcard": profiled(san(dns("*.example.test"))),
    "san_profile": profiled(san(dns("a.test"), email("a@example.test"))),
    "san_required": profiled(san(ip(192, 0, 2, 1))),
    "extension_missing.own": profiled(without=(OWN,)),
    "extension_missing.eku": profiled(without=(EKU,)),
    "extension_missing.feature": profiled(without=(FEATURE,)),
    "extension_unexpected.nocheck": profiled((NOCHECK, NULL)),
    "extension_unexpected.no-rev-avail": profiled((NO_REV, NULL)),
    "extension_critical.own": profiled((OWN, integer(1), True)),
    "extension_critical.eku": profiled(eku(1, critical=True)),
    "extension_not_critical.key-usage": profiled((KU, SIGN[1])),
    "extension_profile": profiled(("1.2.3.4", NULL)),
    "extension_value": profiled((OWN, integer(2))),
    "key_usage_profile": profiled(ku([0xc0], 6)),
    "policies_profile.other": profiled(policies(policy("1.2.3.5", CPS))),
    "policies_profile.no-cps": profiled(policies(policy("1.2.3.4"))),
    "policies_profile.more": profiled(policies(policy("1.2.3.4", CPS),
                                               policy("1.2.3.5", CPS))),
    "basic_constraints_end.path": profiled(bc(integer(0))),
    "basic_constraints_end.ca": profiled(bc(TRUE)),
    "ext_key_usage_profile.other": profiled(eku(2)),
    "ext_key_usage_profile.more": profiled(eku(1, 2)),
    "crl_point_issuer": profiled(cdp("http://evil.test/a.crl")),
    "crl_point_issuer.two": profiled((CDP, seq(point(
        uri(CRL_URL), uri("http://evil.test/a.crl"))))),
    "authority_info_issuer.other": profiled(aia(
        access(1, uri("http://evil.test/")), access(2, uri(CA_URL)))),
    "authority_info_issuer.less": profiled(aia(access(1, uri(OCSP_URL)))),
    "tls_feature_profile": profiled((FEATURE, seq(integer(17)))),
}

CA_PROFILED = changed(SUB, bc(TRUE, integer(0)))


def ca_profiled(*changes, **fields):
    return certificate(changed(CA_PROFILED, *changes), dates=DATES,
                       subject=SUB_NAME, **fields)


WITH_CA_PROFILE = {
    "good.ca": ca_profiled(),
    "basic_constraints_ca": ca_profiled(bc()),
    "path_profile.none": ca_profiled(bc(TRUE)),
    "path_profile.above": ca_profiled(bc(TRUE, integer(1))),
}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for folder, samples in (("plain", PLAIN), ("issuer", WITH_ISSUER),
                            ("profile", WITH_PROFILE),
                            ("ca-profile", WITH_CA_PROFILE)):
        os.makedirs(os.path.join(OUT, folder))
        for sample, der in samples.items():
            with open(os.path.join(OUT, folder, sample + ".der"), "wb") as f:
                f.write(der)
    with open(os.path.join(OUT, "issuer.der"), "wb") as f:
        f.write(self_signed())


if __name__ == "__main__":
    main()
