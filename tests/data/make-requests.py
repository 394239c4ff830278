#!/usr/bin/env python3
"""Makes tests/data/requests/NAME.der and expected.txt: more than a hundred bad
and odd certificate signing requests, and what must become of each.

The table at the end says it: a row's name, the outcome, words that the answer
has, and the request. Outcomes:

    refused     csr_read refuses it, and says these words
    accepted    csr_read takes it; these words describe its names and what is
                ignored
    PROFILE     csr_read takes it, that shipped profile refuses it in these
                words

Every run makes the same octets: keys, primes and signatures come from SHA-256
in counter mode. DER, RSA and ECDSA are done here, since no library writes what
is wrong on purpose; openssl(1) signs with Ed25519 and Ed448. No key of these
is of any use to anybody.
"""

import hashlib
import math
import os
import subprocess
import tempfile

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "requests")

# --- numbers that look random -------------------------------------------------


def octets(seed, n):
    out = b""
    while len(out) < n:
        out += hashlib.sha256(b"%s %d" % (seed.encode(), len(out))).digest()
    return out[:n]


def number(seed, bits):
    """With its two top bits set."""
    n = int.from_bytes(octets(seed, (bits + 7) // 8), "big") % (1 << bits)
    return n | 3 << (bits - 2)


def is_prime(n):
    for p in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61):
        if n % p == 0:
            return False
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for a in (2, 3, 5, 7):
        x = pow(a, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def next_prime(n):
    n |= 1
    while not is_prime(n):
        n += 2
    return n


def prime(seed, bits):
    return next_prime(number(seed, bits))


# --- DER ----------------------------------------------------------------------


def tlv(tag, content):
    n = len(content)
    if n < 0x80:
        return bytes([tag, n]) + content
    length = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def seq(*parts):
    return tlv(0x30, b"".join(parts))


def set_of(*parts):
    return tlv(0x31, b"".join(sorted(parts)))


def integer(n):
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted):
    arcs = [int(a) for a in dotted.split(".")]
    out = b""
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        piece = bytes([arc & 0x7f])
        while arc > 0x7f:
            arc >>= 7
            piece = bytes([arc & 0x7f | 0x80]) + piece
        out += piece
    return tlv(6, out)


def bits(content, unused=0):
    return tlv(3, bytes([unused]) + content)


def octet_string(content):
    return tlv(4, content)


def utf8(text):
    return tlv(12, text.encode() if isinstance(text, str) else text)


NULL = tlv(5, b"")
TRUE = b"\x01\x01\xff"
FALSE = b"\x01\x01\x00"

RSA = "1.2.840.113549.1.1.1"
PSS = "1.2.840.113549.1.1.10"
EC = "1.2.840.10045.2.1"
P256, P384, P521 = "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"
SHA = {"sha256": "2.16.840.1.101.3.4.2.1", "sha1": "1.3.14.3.2.26",
       "md5": "1.2.840.113549.2.5", "sha224": "2.16.840.1.101.3.4.2.4",
       "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3",
       "sha3_256": "2.16.840.1.101.3.4.2.8"}
RSA_WITH = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5",
            "sha224": "1.2.840.113549.1.1.14",
            "sha256": "1.2.840.113549.1.1.11",
            "sha384": "1.2.840.113549.1.1.12",
            "sha512": "1.2.840.113549.1.1.13",
            "sha3_256": "2.16.840.1.101.3.4.3.14"}
ECDSA_WITH = {"sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1",
              "sha256": "1.2.840.10045.4.3.2",
              "sha384": "1.2.840.10045.4.3.3",
              "sha512": "1.2.840.10045.4.3.4"}

# --- keys: each has .spki and .sign(info) -> (AlgorithmIdentifier, signature) --


def digest(name, data):
    return hashlib.new(name, data).digest()


class Rsa:
    """n is the product of the factors; phi_of: of these primes instead."""

    def __init__(self, factors, e=65537, hash_name="sha256", phi_of=None):
        self.n = math.prod(factors)
        self.e, self.hash_name = e, hash_name
        phi = math.prod(p - 1 for p in phi_of or factors)
        self.d = pow(e, -1, phi) if math.gcd(e, phi) == 1 else 3
        self.algorithm = seq(oid(RSA_WITH[hash_name]), NULL)
        self.spki = seq(seq(oid(RSA), NULL),
                        bits(seq(integer(self.n), integer(e))))

    def sign(self, info):
        k = (self.n.bit_length() + 7) // 8
        head = seq(seq(oid(SHA[self.hash_name]), NULL),
                   octet_string(digest(self.hash_name, info)))
        em = b"\0\1" + b"\xff" * (k - len(head) - 3) + b"\0" + head
        s = pow(int.from_bytes(em, "big") % self.n, self.d, self.n)
        return self.algorithm, s.to_bytes(k, "big")


class Pss(Rsa):
    """The same kind of key, its signature by RSASSA-PSS (RFC 8017, 9.1)."""

    def __init__(self, factors, hash_name, params):
        super().__init__(factors)
        self.pss_hash = hash_name
        self.algorithm = seq(oid(PSS), params)

    def sign(self, info):
        h, size = self.pss_hash, hashlib.new(self.pss_hash).digest_size
        em_bits = self.n.bit_length() - 1
        em_len = (em_bits + 7) // 8
        salt = octets("salt", size)
        m = digest(h, bytes(8) + digest(h, info) + salt)
        db = bytes(em_len - 2 * size - 2) + b"\1" + salt
        mask = b"".join(digest(h, m + i.to_bytes(4, "big"))
                        for i in range(len(db) // size + 1))
        masked = bytearray(a ^ b for a, b in zip(db, mask))
        masked[0] &= 0xff >> (8 * em_len - em_bits)
        em = bytes(masked) + m + b"\xbc"
        s = pow(int.from_bytes(em, "big"), self.d, self.n)
        return self.algorithm, s.to_bytes((self.n.bit_length() + 7) // 8, "big")


def pss_params(hash_name, mask_hash, salt):
    return seq(tlv(0xa0, seq(oid(SHA[hash_name]), NULL)),
               tlv(0xa1, seq(oid("1.2.840.113549.1.1.8"),
                             seq(oid(SHA[mask_hash]), NULL))),
               tlv(0xa2, integer(salt)))


CURVES = {  # OID, p, a, b, Gx, Gy, order
    "p256": (P256, 2**256 - 2**224 + 2**192 + 2**96 - 1, -3,
             0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b,
             0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
             0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5,
             0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551),
    "p384": (P384, 2**384 - 2**128 - 2**96 + 2**32 - 1, -3,
             0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a
             << 128 | 0xc656398d8a2ed19d2a85c8edd3ec2aef,
             0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a38
             << 128 | 0x5502f25dbf55296c3a545e3872760ab7,
             0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c0
             << 128 | 0x0a60b1ce1d7e819d7a431d7c90ea0e5f,
             0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf
             << 128 | 0x581a0db248b0a77aecec196accc52973),
    "p521": (P521, 2**521 - 1, -3,
             0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef1
             << 272 | 0x09e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451f
             << 40 | 0xd46b503f00,
             0x00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d
             << 272 | 0x3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e
             << 40 | 0x31c2e5bd66,
             0x011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e
             << 272 | 0x662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94
             << 40 | 0x769fd16650,
             (1 << 265) - 6 << 256 |
             0x51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409),
    "secp256k1": ("1.3.132.0.10", 2**256 - 2**32 - 977, 0, 7,
                  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798,
                  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8,
                  0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141),
}


class Ec:
    def __init__(self, name, hash_name="sha256", form="uncompressed"):
        self.curve = CURVES[name]
        self.p, self.a, self.b, gx, gy, self.order = self.curve[1:]
        assert (gy * gy - gx**3 - self.a * gx - self.b) % self.p == 0, name
        self.size = (self.p.bit_length() + 7) // 8
        self.hash_name = hash_name
        self.base = (gx, gy)
        self.d = int.from_bytes(octets("ec " + name, self.size),
                                "big") % self.order
        self.point = self.times(self.d, self.base)
        self.algorithm = seq(oid(ECDSA_WITH.get(hash_name, "1.2.3.4")))
        self.spki = self.spki_of(self.encode(form))

    def add(self, s, t):
        if s is None or t is None:
            return s or t
        if s[0] == t[0]:
            if (s[1] + t[1]) % self.p == 0:
                return None
            m = (3 * s[0] * s[0] + self.a) * pow(2 * s[1], -1, self.p)
        else:
            m = (t[1] - s[1]) * pow(t[0] - s[0], -1, self.p)
        x = (m * m - s[0] - t[0]) % self.p
        return x, (m * (s[0] - x) - s[1]) % self.p

    def times(self, k, point):
        out = None
        while k:
            if k & 1:
                out = self.add(out, point)
            point, k = self.add(point, point), k >> 1
        return out

    def encode(self, form):
        x, y = (c.to_bytes(self.size, "big") for c in self.point)
        odd = self.point[1] & 1
        return {"uncompressed": b"\4" + x + y,
                "compressed": bytes([2 + odd]) + x,
                "hybrid": bytes([6 + odd]) + x + y}[form]

    def spki_of(self, point, params=None):
        return seq(seq(oid(EC), oid(self.curve[0]) if params is None else
                       params), bits(point))

    def sign_numbers(self, info):
        h = digest(self.hash_name, info)
        e = int.from_bytes(h, "big") >> max(
            0, len(h) * 8 - self.order.bit_length())
        k = int.from_bytes(octets("k" + h.hex(), self.size + 8),
                           "big") % self.order
        r = self.times(k, self.base)[0] % self.order
        return r, pow(k, -1, self.order) * (e + r * self.d) % self.order

    def sign(self, info):
        r, s = self.sign_numbers(info)
        return self.algorithm, seq(integer(r), integer(s))


class Edwards:
    def __init__(self, name, dotted, size):
        self.dotted = dotted
        self.pkcs8 = seq(integer(0), seq(oid(dotted)),
                         octet_string(octet_string(octets(name, size))))
        self.spki = self.run("pkey", "-pubout", "-outform", "DER")
        self.algorithm = seq(oid(dotted))

    def run(self, *args, data=None):
        with tempfile.TemporaryDirectory() as tmp:
            key, file = os.path.join(tmp, "key"), os.path.join(tmp, "data")
            for path, content in (key, self.pkcs8), (file, data or b""):
                with open(path, "wb") as f:
                    f.write(content)
            more = ("-in", key) if data is None else ("-inkey", key, "-in",
                                                      file)
            form = "-inform" if data is None else "-keyform"
            return subprocess.run(("openssl",) + args + (form, "DER") + more,
                                  check=True, stdout=subprocess.PIPE).stdout

    def sign(self, info):
        return self.algorithm, self.run("pkeyutl", "-sign", "-rawin",
                                        data=info)


class Odd:
    """Another key's signature with this SubjectPublicKeyInfo."""

    def __init__(self, spki, key=None, signature=None, algorithm=None):
        self.spki, self.key = spki, key
        self.signature, self.algorithm = signature, algorithm

    def sign(self, info):
        algorithm, signature = (self.key or p256).sign(info)
        return (self.algorithm or algorithm,
                signature if self.signature is None else self.signature)


# --- requests -----------------------------------------------------------------

CN, O, C, DC = "2.5.4.3", "2.5.4.10", "2.5.4.6", "0.9.2342.19200300.100.1.25"
EMAIL = "1.2.840.113549.1.9.1"
SAN, BC, KU, EKU = "2.5.29.17", "2.5.29.19", "2.5.29.15", "2.5.29.37"
EXT_REQ, MS_EXT = "1.2.840.113549.1.9.14", "1.3.6.1.4.1.311.2.1.14"
CHALLENGE, UNSTRUCTURED = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.2"


def rdn(dotted, value):
    return set_of(seq(oid(dotted), value))


def name(*rdns):
    return seq(*rdns)


WWW = name(rdn(CN, utf8("www.example.test")))


def attribute(dotted, *values):
    return seq(oid(dotted), set_of(*values))


def ext(dotted, value, critical=b""):
    return seq(oid(dotted), critical, octet_string(value))


def exts(*extensions):
    return attribute(EXT_REQ, seq(*extensions))


def san(*names_):
    return exts(ext(SAN, seq(*names_)))


def dns(text):
    return tlv(0x82, text.encode() if isinstance(text, str) else text)


def mail(text):
    return tlv(0x81, text.encode() if isinstance(text, str) else text)


def uri(text):
    return tlv(0x86, text.encode())


def other(dotted, value):
    return tlv(0xa0, oid(dotted) + tlv(0xa0, value))


def info_of(spki, subject=WWW, attributes=(), version=b"\2\1\0", tag=0xa0,
            ordered=True, tail=b""):
    attributes = sorted(attributes) if ordered else attributes
    rest = b"" if attributes is None else tlv(tag, b"".join(attributes))
    return seq(version, subject, spki, rest, tail)


def csr(key=None, subject=WWW, attributes=(), **more):
    key = key or p256
    info = info_of(key.spki, subject, attributes, **more)
    algorithm, signature = key.sign(info)
    return seq(info, algorithm, bits(signature))


def with_names(*names_):
    return csr(attributes=[san(*names_)])


def with_cn(value):
    return csr(subject=name(rdn(CN, value)))


def with_ext(dotted, value, critical=b""):
    return csr(attributes=[exts(ext(dotted, value, critical))])


def roca_prime(seed):
    """k * M + 65537^a mod M, M the product of the first 126 primes."""
    m, p, count = 1, 2, 0
    while count < 126:
        if p == 2 or all(p % q for q in range(3, int(p**.5) + 1, 2)):
            m, count = m * p, count + 1
        p += 1 if p == 2 else 2
    k = number(seed + "k", 1024 - m.bit_length())
    a = number(seed + "a", 200)
    while not is_prime(k * m + pow(65537, a, m)):
        a += 1
    return k * m + pow(65537, a, m)


def tall(start, e=65537):
    """Four primes just below 2^512; e has no common factor with one less."""
    out, n = [], (1 << 512) - 99999 * start
    while len(out) < 4:
        n = next_prime(n + 2)
        if math.gcd(n - 1, e) == 1:
            out.append(n)
    return out


p256 = Ec("p256")
p384, p521 = Ec("p384"), Ec("p521")
ed25519 = Edwards("ed25519", "1.3.101.112", 32)
ed448 = Edwards("ed448", "1.3.101.113", 57)
small = [prime("small %d" % i, 512) for i in range(34)]
p, q = prime("p", 1024), prime("q", 1024)
rsa = Rsa([p, q])
GOOD = csr()
ED_SIGNATURE = b"\1" + bytes(63)    # R = identity, S = 0


def rsa_spki(n, e=65537, params=NULL, tail=b"", algorithm=RSA):
    return seq(seq(oid(algorithm), params), bits(seq(n, integer(e)) + tail))


def ed_spki(dotted, point, params=b""):
    return seq(seq(oid(dotted), params), bits(point))


def little(n, size):
    return n.to_bytes(size, "little")


def flipped(der, at):
    return der[:at] + bytes([der[at] ^ 1]) + der[at + 1:]


def deep(levels):
    out = NULL
    for _ in range(levels):
        out = seq(out)
    return out


def sized(size):
    """A request of exactly so many octets."""
    pad = size - 400
    while True:
        der = csr(attributes=[attribute(UNSTRUCTURED, utf8("x" * pad))])
        if len(der) == size:
            return der
        pad += size - len(der)


explicit = seq(integer(1), seq(oid("1.2.840.10045.1.1"),
                               integer(p256.p)),
               seq(octet_string((p256.p - 3).to_bytes(32, "big")),
                   octet_string(p256.b.to_bytes(32, "big"))),
               octet_string(b"\4" + p256.base[0].to_bytes(32, "big") +
                            p256.base[1].to_bytes(32, "big")),
               integer(p256.order))
r_, s_ = p256.sign_numbers(info_of(p256.spki))


def signed(signature, unused=0, algorithm=None):
    return seq(info_of(p256.spki), algorithm or p256.algorithm,
               bits(signature, unused))


def even_signature():
    """A good one whose last bit is 0, and then said to be no part of it."""
    for i in range(99):
        info = info_of(p256.spki, name(rdn(CN, utf8("n%d" % i))))
        r, s = p256.sign_numbers(info)
        if s % 2 == 0:
            return seq(info, p256.algorithm,
                       bits(seq(integer(r), integer(s)), 1))
    raise AssertionError


NOT_A_P10 = "not a PKCS#10 request"
DER = "it is not DER"
UNREADABLE = "the RSA key cannot be read"
CURVE = "none of P-256, P-384 and P-521"
POINT = "not on the curve"
WRONG = "signature is wrong"
OLD = "which is not accepted; sign it with SHA-256"
FORM = "a form that we do not certify"
EXPONENT = "public exponent is not safe"

TABLE = [
    # --- keys: RSA ---
    ("rsa-512", "refused", "has 512 bits", lambda: csr(Rsa([
        prime("a", 256), prime("b", 256)]))),
    ("rsa-1024", "refused", "has 1024 bits", lambda: csr(Rsa(small[:2]))),
    ("rsa-2047", "refused", "has 2047 bits", lambda: csr(Rsa([
        prime("a47", 1023), next_prime(3 << 1022)]))),
    ("rsa-2048", "accepted", "CN=www.example.test", lambda: csr(rsa)),
    ("rsa-3072", "accepted", "CN=www", lambda: csr(Rsa(small[:6]))),
    ("rsa-8192", "accepted", "CN=www", lambda: csr(Rsa(
        [next_prime((1 << 512) - 99999 * i) for i in range(1, 17)]))),
    ("rsa-8193", "refused", "has 8193 bits", lambda: csr(Rsa(
        [next_prime((1 << 512) - 99999 * i) for i in range(1, 16)] +
        [next_prime(1 << 513)]))),
    ("rsa-16384", "refused", "has 1", lambda: csr(Rsa(small[:32]))),
    ("rsa-e-0", "refused", EXPONENT, lambda: csr(Odd(
        rsa_spki(integer(rsa.n), 0), rsa))),
    ("rsa-e-1", "refused", EXPONENT, lambda: csr(Rsa([p, q], 1))),
    ("rsa-e-3", "refused", EXPONENT, lambda: csr(Rsa(
        tall(12, 3), 3))),
    ("rsa-e-17", "refused", EXPONENT, lambda: csr(Rsa(
        tall(12, 17), 17))),
    ("rsa-e-65535", "refused", EXPONENT, lambda: csr(Rsa([p, q], 65535))),
    ("rsa-e-65536", "refused", EXPONENT, lambda: csr(Rsa([p, q], 65536))),
    ("rsa-e-65539", "accepted", "CN=www", lambda: csr(Rsa([p, q], 65539))),
    ("rsa-e-65538", "refused", EXPONENT, lambda: csr(Rsa([p, q], 65538))),
    ("rsa-e-256-bits", "accepted", "CN=www", lambda: csr(Rsa(
        [p, q], next_prime((1 << 256) - 10000)))),
    ("rsa-e-257-bits", "refused", EXPONENT, lambda: csr(Rsa(
        [p, q], next_prime(1 << 256)))),
    ("rsa-e-negative", "refused", UNREADABLE, lambda: csr(Odd(
        rsa_spki(integer(rsa.n), -65537), rsa))),
    ("rsa-even-modulus", "refused", "its modulus is even", lambda: csr(Rsa(
        [2, number("even", 2047) | 1]))),
    ("rsa-factor-3", "refused", "small factor", lambda: csr(Rsa(
        [3, prime("f3", 2047)]))),
    ("rsa-factor-751", "refused", "small factor", lambda: csr(Rsa(
        [751, prime("f751", 2040)]))),
    ("rsa-factor-757", "accepted", "CN=www", lambda: csr(Rsa(
        [757, prime("f757", 2040)]))),
    ("rsa-square", "refused", "its modulus is a square", lambda: csr(Rsa(
        [p, p], phi_of=[p, p + 1]))),
    ("rsa-close-primes", "refused", "close to each other", lambda: csr(Rsa(
        [p, next_prime(p + 2)]))),
    ("rsa-prime-modulus", "refused", "its modulus is a prime",
     lambda: csr(Rsa([prime("alone", 2048)]))),
    ("rsa-roca", "refused", "ROCA", lambda: csr(Rsa(
        [roca_prime("1"), roca_prime("2")]))),
    ("rsa-negative-modulus", "refused", UNREADABLE, lambda: csr(Odd(rsa_spki(
        tlv(2, rsa.n.to_bytes(256, "big"))), rsa))),
    ("rsa-padded-modulus", "refused", UNREADABLE, lambda: csr(Odd(rsa_spki(
        tlv(2, b"\0\0" + rsa.n.to_bytes(256, "big"))), rsa))),
    ("rsa-octets-behind", "refused", UNREADABLE, lambda: csr(Odd(rsa_spki(
        integer(rsa.n), tail=b"\5\0"), rsa))),
    ("rsa-no-parameters", "refused", "parameters are not NULL",
     lambda: csr(Odd(rsa_spki(integer(rsa.n), params=b""), rsa))),
    ("rsa-odd-parameters", "refused", "parameters are not NULL",
     lambda: csr(Odd(rsa_spki(integer(rsa.n), params=oid(P256)), rsa))),
    ("rsa-pss-key", "refused", "for RSA-PSS only", lambda: csr(Odd(rsa_spki(
        integer(rsa.n), params=b"", algorithm=PSS), rsa))),
    ("rsa-oaep-key", "refused", "algorithm is not known", lambda: csr(Odd(
        rsa_spki(integer(rsa.n), algorithm="1.2.840.113549.1.1.7"), rsa))),
    ("dsa-key", "refused", "algorithm is not known", lambda: csr(Odd(seq(
        seq(oid("1.2.840.10040.4.1"), seq(integer(p), integer(q),
                                          integer(2))),
        bits(integer(number("dsa", 1024))))))),
    ("dh-key", "refused", "algorithm is not known", lambda: csr(Odd(seq(
        seq(oid("1.2.840.113549.1.3.1"), seq(integer(p), integer(2))),
        bits(integer(number("dh", 1024))))))),
    # --- keys: elliptic curves ---
    ("p256", "accepted", "CN=www.example.test", lambda: GOOD),
    ("p384", "accepted", "CN=www", lambda: csr(Ec("p384", "sha384"))),
    ("p521", "accepted", "CN=www", lambda: csr(Ec("p521", "sha512"))),
    ("p256-compressed", "accepted", "CN=www", lambda: csr(Ec(
        "p256", form="compressed"))),
    ("p384-compressed", "accepted", "CN=www", lambda: csr(Ec(
        "p384", form="compressed"))),
    ("p521-compressed", "accepted", "CN=www", lambda: csr(Ec(
        "p521", form="compressed"))),
    ("p256-hybrid", "refused", "hybrid form", lambda: csr(Ec(
        "p256", form="hybrid"))),
    ("p521-hybrid", "refused", "hybrid form", lambda: csr(Ec(
        "p521", form="hybrid"))),
    ("secp256k1", "refused", CURVE, lambda: csr(Ec("secp256k1"))),
    ("p192", "refused", CURVE, lambda: csr(Odd(p256.spki_of(
        b"\4" + bytes(48), oid("1.2.840.10045.3.1.1"))))),
    ("p224", "refused", CURVE, lambda: csr(Odd(p256.spki_of(
        b"\4" + bytes(56), oid("1.3.132.0.33"))))),
    ("brainpool-p256r1", "refused", CURVE, lambda: csr(Odd(p256.spki_of(
        p256.encode("uncompressed"), oid("1.3.36.3.3.2.8.1.1.7"))))),
    ("sm2", "refused", CURVE, lambda: csr(Odd(p256.spki_of(
        p256.encode("uncompressed"), oid("1.2.156.10197.1.301"))))),
    ("ec-explicit-parameters", "refused", "not given by name", lambda: csr(
        Odd(p256.spki_of(p256.encode("uncompressed"), explicit)))),
    ("ec-implicit-curve", "refused", "not given by name", lambda: csr(Odd(
        p256.spki_of(p256.encode("uncompressed"), NULL)))),
    ("ec-no-parameters", "refused", "not given by name", lambda: csr(Odd(
        p256.spki_of(p256.encode("uncompressed"), b"")))),
    ("ec-two-parameters", "refused", "not given by name", lambda: csr(Odd(
        p256.spki_of(p256.encode("uncompressed"), oid(P256) + NULL)))),
    ("ec-off-the-curve", "refused", POINT, lambda: csr(Odd(p256.spki_of(
        flipped(p256.encode("uncompressed"), 64))))),
    ("ec-zero-point", "refused", POINT, lambda: csr(Odd(p256.spki_of(
        b"\4" + bytes(64))))),
    ("ec-infinity", "refused", "wrong form or length", lambda: csr(Odd(
        p256.spki_of(b"\0")))),
    ("ec-no-point", "refused", "wrong form or length", lambda: csr(Odd(
        p256.spki_of(b"")))),
    ("ec-short-point", "refused", "wrong form or length", lambda: csr(Odd(
        p256.spki_of(p256.encode("uncompressed")[:-1])))),
    ("ec-long-point", "refused", "wrong form or length", lambda: csr(Odd(
        p256.spki_of(p256.encode("uncompressed") + b"\0")))),
    ("ec-unknown-form", "refused", "wrong form or length", lambda: csr(Odd(
        p256.spki_of(b"\5" + p256.encode("uncompressed")[1:])))),
    ("ec-coordinate-not-reduced", "refused", POINT, lambda: csr(Odd(
        p256.spki_of(b"\4" + (p256.p + 5).to_bytes(32, "big") + bytes(32))))),
    ("ec-compressed-no-root", "refused", POINT, lambda: csr(Odd(
        p256.spki_of(b"\2" + next(
            x for x in range(1, 99) if pow(
                x**3 - 3 * x + p256.b, (p256.p - 1) // 2, p256.p) != 1
        ).to_bytes(32, "big"))))),
    ("ec-point-of-another-curve", "refused", "wrong form or length",
     lambda: csr(Odd(p256.spki_of(p384.encode("uncompressed"))))),
    ("ec-unused-bits", "refused", "a BIT STRING's unused bits",
     lambda: csr(Odd(seq(
        seq(oid(EC), oid(P256)), bits(p256.encode("uncompressed"), 1))))),
    # --- keys: Edwards curves ---
    ("ed25519", "accepted", "CN=www", lambda: csr(ed25519)),
    ("ed448", "accepted", "CN=www", lambda: csr(ed448)),
    ("ed25519-null-parameters", "refused", "it has parameters", lambda: csr(
        Odd(ed_spki("1.3.101.112", ed25519.spki[-32:], NULL), ed25519))),
    ("ed25519-31-octets", "refused", "length is wrong", lambda: csr(Odd(
        ed_spki("1.3.101.112", ed25519.spki[-31:]), ed25519))),
    ("ed25519-33-octets", "refused", "length is wrong", lambda: csr(Odd(
        ed_spki("1.3.101.112", ed25519.spki[-32:] + b"\0"), ed25519))),
    ("ed25519-identity", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.112", little(1, 32)), signature=ED_SIGNATURE,
        algorithm=seq(oid("1.3.101.112"))))),
    ("ed25519-order-2", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.112", little(2**255 - 20, 32)), ed25519))),
    ("ed25519-order-4", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.112", little(0, 32)), ed25519))),
    ("ed25519-order-4-sign", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.112", little(1 << 255, 32)), ed25519))),
    ("ed25519-order-8", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.112", bytes.fromhex(
            "26e8958fc2b227b045c3f489f2ef98f0"
            "d5dfac05d3c63339b13802886d53fc05")), ed25519))),
    ("ed25519-order-8-other", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.112", bytes.fromhex(
            "c7176a703d4dd84fba3c0b760d10670f"
            "2a2053fa2c39ccc64ec7fd7792ac03fa")), ed25519))),
    ("ed25519-not-canonical", "refused", "in its one form", lambda: csr(Odd(
        ed_spki("1.3.101.112", little(2**255 - 18, 32)),
        signature=ED_SIGNATURE, algorithm=seq(oid("1.3.101.112"))))),
    ("ed25519-no-point", "refused", "signature is wrong", lambda: csr(Odd(
        ed_spki("1.3.101.112", little(2, 32)), ed25519))),
    ("ed448-identity", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.113", little(1, 57)), ed448))),
    ("ed448-order-2", "refused", "small order", lambda: csr(Odd(ed_spki(
        "1.3.101.113", little(2**448 - 2**224 - 2, 57)), ed448))),
    ("ed448-order-4", "refused", "small order", lambda: csr(Odd(
        ed_spki("1.3.101.113", little(0, 57)), ed448))),
    ("ed448-not-canonical", "refused", "in its one form", lambda: csr(Odd(
        ed_spki("1.3.101.113", little(2**448 - 2**224, 57)), ed448))),
    ("ed448-56-octets", "refused", "length is wrong", lambda: csr(Odd(
        ed_spki("1.3.101.113", ed448.spki[-56:]), ed448))),
    ("x25519-key", "refused", "algorithm is not known", lambda: csr(Odd(
        ed_spki("1.3.101.110", octets("x", 32)), ed25519))),
    # --- proof of possession ---
    ("sign-rsa-md5", "refused", "md5WithRSAEncryption, " + OLD,
     lambda: csr(Rsa([p, q], hash_name="md5"))),
    ("sign-rsa-sha1", "refused", "sha1WithRSAEncryption, " + OLD,
     lambda: csr(Rsa([p, q], hash_name="sha1"))),
    ("sign-rsa-sha224", "refused", "sha224WithRSAEncryption, " + OLD,
     lambda: csr(Rsa([p, q], hash_name="sha224"))),
    ("sign-rsa-sha3", "refused", "RSA-SHA3-256, " + OLD,
     lambda: csr(Rsa([p, q], hash_name="sha3_256"))),
    ("sign-rsa-sha384", "accepted", "CN=www",
     lambda: csr(Rsa([p, q], hash_name="sha384"))),
    ("sign-rsa-sha512", "accepted", "CN=www",
     lambda: csr(Rsa([p, q], hash_name="sha512"))),
    ("sign-ecdsa-sha1", "refused", "ecdsa-with-SHA1, " + OLD,
     lambda: csr(Ec("p256", "sha1"))),
    ("sign-ecdsa-sha224", "refused", "ecdsa-with-SHA224, " + OLD,
     lambda: csr(Ec("p256", "sha224"))),
    ("sign-ecdsa-sha512-p256", "accepted", "CN=www",
     lambda: csr(Ec("p256", "sha512"))),
    ("sign-pss-sha256", "accepted", "CN=www", lambda: csr(Pss(
        [p, q], "sha256", pss_params("sha256", "sha256", 32)))),
    ("sign-pss-sha512", "accepted", "CN=www", lambda: csr(Pss(
        [p, q], "sha512", pss_params("sha512", "sha512", 64)))),
    ("sign-pss-wrong-salt", "refused", WRONG, lambda: csr(Pss(
        [p, q], "sha256", pss_params("sha256", "sha256", 20)))),
    ("sign-pss-sha1", "refused", "an old hash", lambda: csr(Pss(
        [p, q], "sha1", seq()))),
    ("sign-pss-mask-sha1", "refused", "an old hash", lambda: csr(Pss(
        [p, q], "sha256", pss_params("sha256", "sha1", 32)))),
    ("sign-pss-no-parameters", "refused", "parameters of its signature",
     lambda: csr(Pss([p, q], "sha256", b""))),
    ("sign-pss-huge-salt", "refused", "parameters of its signature",
     lambda: csr(Pss([p, q], "sha256", pss_params("sha256", "sha256",
                                                  1 << 40)))),
    ("sign-unknown-algorithm", "refused", "an unknown algorithm", lambda: csr(
        Odd(p256.spki, algorithm=seq(oid("1.2.3.4"))))),
    ("sign-ecdsa-with-rsa-key", "refused", "its key is of RSA", lambda: csr(
        Odd(rsa.spki, p256))),
    ("sign-rsa-with-ec-key", "refused", "its key is of P-256", lambda: csr(
        Odd(p256.spki, rsa))),
    ("sign-ed448-with-ed25519-key", "refused", "its key is of Ed25519",
     lambda: csr(Odd(ed25519.spki, ed448))),
    ("sign-another-rsa-key", "refused", WRONG, lambda: csr(Odd(
        Rsa(tall(12)).spki, rsa))),
    ("sign-another-ec-key", "refused", WRONG, lambda: csr(Odd(
        p384.spki, p256))),
    ("sign-changed-name", "refused", WRONG, lambda: GOOD.replace(
        b"www.example.test", b"www.examp1e.test")),
    ("sign-changed-signature", "refused", WRONG, lambda: flipped(
        GOOD, len(GOOD) - 1)),
    ("sign-empty", "refused", "signature cannot be read",
     lambda: signed(b"")),
    ("sign-unused-bits", "refused", "signature cannot be read",
     even_signature),
    ("sign-zeros", "refused", WRONG, lambda: signed(
        seq(integer(0), integer(0)))),
    ("sign-r-plus-order", "refused", WRONG, lambda: signed(
        seq(integer(r_ + p256.order), integer(s_)))),
    ("sign-padded-integer", "refused", WRONG, lambda: signed(
        seq(tlv(2, b"\0\0\0" + r_.to_bytes(32, "big")), integer(s_)))),
    ("sign-octets-behind", "refused", WRONG, lambda: signed(
        seq(integer(r_), integer(s_)) + b"\0")),
    ("sign-ecdsa-null-parameters", "refused", "has parameters", lambda: signed(
        seq(integer(r_), integer(s_)), algorithm=seq(
            oid(ECDSA_WITH["sha256"]), NULL))),
    ("sign-rsa-no-parameters", "accepted", "CN=www", lambda: csr(Odd(
        rsa.spki, rsa, algorithm=seq(oid(RSA_WITH["sha256"]))))),
    ("sign-rsa-odd-parameters", "refused", "has parameters", lambda: csr(Odd(
        rsa.spki, rsa, algorithm=seq(oid(RSA_WITH["sha256"]), integer(1))))),
    ("sign-no-algorithm", "refused", "algorithm cannot be read", lambda: seq(
        info_of(p256.spki), seq(), bits(seq(integer(r_), integer(s_))))),
    # --- DER and structure ---
    ("der-nothing", "refused", DER, lambda: b""),
    ("der-one-octet", "refused", DER, lambda: b"\x30"),
    ("der-text", "refused", DER, lambda: b"Dear CA, please sign this."),
    ("der-cut-off", "refused", DER, lambda: GOOD[:-1]),
    ("der-octets-behind", "refused", "1 octets follow",
     lambda: GOOD + b"\0"),
    ("der-twice", "refused", "octets follow", lambda: GOOD + GOOD),
    ("der-indefinite-length", "refused", DER, lambda: b"\x30\x80" +
     GOOD[3:] + b"\0\0"),
    ("der-long-length", "refused", DER, lambda: b"\x30\x82\0" + GOOD[2:]),
    ("der-string-in-pieces", "refused", "in pieces", lambda: seq(
        info_of(p256.spki), p256.algorithm, tlv(0x23, bits(
            seq(integer(r_), integer(s_)))))),
    ("der-tag-0", "refused", "a tag is wrong", lambda: seq(
        info_of(p256.spki), p256.algorithm, b"\0\0")),
    ("der-high-tag", "refused", DER, lambda: seq(
        info_of(p256.spki), p256.algorithm, b"\x1f\x81\x01\0")),
    ("der-boolean-1", "refused", "neither 00 nor FF", lambda: with_ext(
        KU, bits(b"\x80", 7), b"\x01\x01\x01")),
    ("der-critical-false", "refused", "not critical", lambda: with_ext(
        KU, bits(b"\x80", 7), FALSE)),
    ("der-padded-oid", "refused", "shortest form", lambda: csr(
        subject=name(set_of(seq(b"\x06\x04\x80\x55\x04\x03", utf8("x")))))),
    ("der-set-order", "refused", "SET is not in order", lambda: csr(
        subject=name(tlv(0x31, seq(oid(O), utf8("x")) +
                         seq(oid(CN), utf8("x")))))),
    ("der-nested", "refused", "nested too deep", lambda: csr(
        attributes=[attribute(UNSTRUCTURED, deep(30))])),
    ("der-attribute-order", "refused", "attributes are not in order",
     lambda: csr(attributes=sorted([
         attribute(CHALLENGE, utf8("a long secret")),
         attribute(UNSTRUCTURED, utf8("x"))], reverse=True), ordered=False)),
    ("size-16384", "accepted", "CN=www", lambda: sized(16384)),
    ("size-16385", "refused", "16384 is the most", lambda: sized(16385)),
    ("version-2", "refused", "version is not 1",
     lambda: csr(version=integer(1))),
    ("version-3", "refused", "version is not 1",
     lambda: csr(version=integer(2))),
    ("version-negative", "refused", "version is not 1",
     lambda: csr(version=integer(-1))),
    ("version-missing", "refused", NOT_A_P10, lambda: csr(version=b"")),
    ("version-padded", "refused", "shortest form",
     lambda: csr(version=b"\2\2\0\0")),
    ("a-certificate", "refused", NOT_A_P10, lambda: seq(seq(
        tlv(0xa0, integer(2)), integer(77), p256.algorithm, WWW, seq(
            tlv(23, b"260101000000Z"), tlv(23, b"270101000000Z")), WWW,
        p256.spki), p256.algorithm, bits(seq(integer(r_), integer(s_))))),
    ("a-fourth-part", "refused", NOT_A_P10, lambda: seq(
        info_of(p256.spki), p256.algorithm,
        bits(seq(integer(r_), integer(s_))), NULL)),
    ("info-with-a-tail", "refused", NOT_A_P10, lambda: csr(tail=NULL)),
    ("attributes-left-out", "accepted", "CN=www",
     lambda: csr(attributes=None, ordered=False)),
    ("attributes-wrong-tag", "refused", NOT_A_P10, lambda: csr(tag=0xa1)),
    # --- names: subject ---
    ("subject-empty", "accepted", "", lambda: csr(subject=name())),
    ("subject-full", "accepted", "O=Example", lambda: csr(subject=name(
        rdn(C, tlv(19, b"DE")), rdn(O, utf8("Example")),
        rdn(CN, utf8("J\u00f6rg"))))),
    ("subject-nul", "refused", "has a NUL", lambda: with_cn(
        utf8("www.example.test\0.evil.test"))),
    ("subject-control", "refused", "control or invisible", lambda: with_cn(
        utf8("a\x1b[31mb"))),
    ("subject-line-break", "refused", "control or invisible",
     lambda: with_cn(utf8("a\r\nBcc: b"))),
    ("subject-bidi", "refused", "control or invisible", lambda: with_cn(
        utf8("abc\u202ecba"))),
    ("subject-zero-width", "refused", "control or invisible",
     lambda: with_cn(utf8("exa\u200bmple"))),
    ("subject-not-utf8", "refused", "in UTF-8", lambda: with_cn(
        utf8(b"caf\xe9"))),
    ("subject-overlong-utf8", "refused", "in UTF-8", lambda: with_cn(
        utf8(b"a\xc0\xafb"))),
    ("subject-surrogate", "refused", "in UTF-8", lambda: with_cn(
        utf8(b"\xed\xa0\x80"))),
    ("subject-empty-value", "refused", "it is empty",
     lambda: with_cn(utf8(""))),
    ("subject-64-characters", "accepted", "CN=\u00fc\u00fc", lambda: with_cn(
        utf8("\u00fc" * 64))),
    ("subject-65-characters", "refused", "too long", lambda: with_cn(
        utf8("a" * 65))),
    ("subject-teletex", "refused", "not used any more", lambda: with_cn(
        tlv(20, b"abc"))),
    ("subject-universal", "refused", "not used any more", lambda: with_cn(
        tlv(28, b"\0\0\0a"))),
    ("subject-bmp", "accepted", "CN=abc", lambda: with_cn(
        tlv(30, "abc".encode("utf-16-be")))),
    ("subject-bmp-odd", "refused", "subject cannot be read",
     lambda: with_cn(tlv(30, b"\0ab"))),
    ("subject-integer", "refused", "subject cannot be read",
     lambda: with_cn(integer(5))),
    ("subject-country-3", "refused", "too long", lambda: csr(
        subject=name(rdn(C, tlv(19, b"DEU"))))),
    ("subject-country-small", "refused", "two capital letters", lambda: csr(
        subject=name(rdn(C, tlv(19, b"de"))))),
    ("subject-unknown-attribute", "refused", "none that we certify",
     lambda: csr(subject=name(rdn("1.2.3.4", utf8("x"))))),
    ("subject-multi-valued", "refused", "several attributes", lambda: csr(
        subject=name(set_of(seq(oid(CN), utf8("a")),
                            seq(oid(O), utf8("b")))))),
    ("subject-17-attributes", "refused", "more than 16", lambda: csr(
        subject=name(*[rdn(O, utf8("o%d" % i)) for i in range(17)]))),
    ("subject-email-without-at", "refused", "no \"@\"", lambda: csr(
        subject=name(rdn(EMAIL, tlv(22, b"nobody"))))),
    ("subject-dc-with-dot", "refused", "one label", lambda: csr(
        subject=name(rdn(DC, tlv(22, b"example.test"))))),
    ("subject-empty-rdn", "refused", "an empty part", lambda: csr(subject=name(
        tlv(0x31, b"")))),
    # --- names: subjectAltName ---
    ("san-good", "accepted", "DNS:www.example.test, email:a@example.test, "
     "IP:192.0.2.1, IP:2001:db8::1, URI:https://example.test/x",
     lambda: with_names(dns("WWW.Example.test"), mail("a@Example.test"),
                        tlv(0x87, bytes([192, 0, 2, 1])),
                        tlv(0x87, bytes.fromhex("20010db8" + "0" * 23 + "1")),
                        uri("https://example.test/x"))),
    ("san-twice-the-same", "accepted", "CN=www.example.test, DNS:a.test",
     lambda: with_names(dns("a.test"), dns("A.TEST"))),
    ("san-empty", "refused", "is empty", with_names),
    ("san-octets-behind", "refused", DER, lambda: with_ext(
        SAN, seq(dns("a.test")) + b"\0")),
    ("san-not-a-list", "refused", "subjectAltName cannot be read",
     lambda: with_ext(SAN, integer(1))),
    ("san-nul", "refused", "has a NUL", lambda: with_names(
        dns("www.example.test\0.evil.test"))),
    ("san-empty-name", "refused", "is empty", lambda: with_names(dns(""))),
    ("san-space", "refused", "only letters, digits and hyphens",
     lambda: with_names(dns("a b.test"))),
    ("san-underscore", "refused", "only letters, digits and hyphens",
     lambda: with_names(dns("_a.test"))),
    ("san-trailing-dot", "refused", "empty label", lambda: with_names(
        dns("a.test."))),
    ("san-two-dots", "refused", "empty label", lambda: with_names(
        dns("a..test"))),
    ("san-leading-hyphen", "refused", "with a hyphen", lambda: with_names(
        dns("-a.test"))),
    ("san-label-63", "accepted", "DNS:aaa", lambda: with_names(
        dns("a" * 63 + ".test"))),
    ("san-label-64", "refused", "longer than 63", lambda: with_names(
        dns("a" * 64 + ".test"))),
    ("san-name-253", "accepted", "DNS:aaa", lambda: with_names(
        dns(".".join(["a" * 49] * 5) + ".tst"))),
    ("san-name-254", "refused", "longer than 253", lambda: with_names(
        dns(".".join(["a" * 49] * 5) + ".test"))),
    ("san-dotted-quad", "refused", "as in an IP address", lambda: with_names(
        dns("192.0.2.1"))),
    ("san-u-label", "refused", "A-label", lambda: with_names(
        dns("b\u00fccher.test"))),
    ("san-a-label", "accepted", "DNS:xn--bcher-kva.test", lambda: with_names(
        dns("xn--bcher-kva.test"))),
    ("san-bad-a-label", "refused", "no valid A-label", lambda: with_names(
        dns("xn--99999999.test"))),
    ("san-a-label-bidi", "refused", "no valid A-label", lambda: with_names(
        dns("xn--" + "a\u202eb".encode("punycode").decode() + ".test"))),
    ("san-reserved-hyphens", "refused", "\"--\" in the third place",
     lambda: with_names(dns("ab--cd.test"))),
    ("san-wildcard", "accepted", "DNS:*.example.test", lambda: with_names(
        dns("*.example.test"))),
    ("san-star-alone", "refused", "only letters, digits and hyphens",
     lambda: with_names(dns("*"))),
    ("san-star-top-level", "refused", "two labels behind", lambda: with_names(
        dns("*.test"))),
    ("san-star-inside", "refused", "only letters, digits and hyphens",
     lambda: with_names(dns("w*.example.test"))),
    ("san-star-second", "refused", "only letters, digits and hyphens",
     lambda: with_names(dns("a.*.example.test"))),
    ("san-two-stars", "refused", "only letters, digits and hyphens",
     lambda: with_names(dns("*.*.example.test"))),
    ("san-ip-3-octets", "refused", "has 3 octets", lambda: with_names(
        tlv(0x87, bytes(3)))),
    ("san-ip-with-mask", "refused", "has 8 octets", lambda: with_names(
        tlv(0x87, bytes(8)))),
    ("san-ip-17-octets", "refused", "has 17 octets", lambda: with_names(
        tlv(0x87, bytes(17)))),
    ("san-mail-no-at", "refused", "no \"@\"", lambda: with_names(
        mail("example.test"))),
    ("san-mail-two-at", "refused", "does not belong", lambda: with_names(
        mail("a@b@example.test"))),
    ("san-mail-display-name", "refused", "does not belong",
     lambda: with_names(mail("A <a@example.test"))),
    ("san-mail-line-break", "refused", "a character before",
     lambda: with_names(
        mail("a\r\nBcc: b@example.test"))),
    ("san-mail-utf8", "refused", "does not belong", lambda: with_names(
        mail("j\u00f6rg@example.test"))),
    ("san-mail-65-octets", "refused", "1 to 64 octets", lambda: with_names(
        mail("a" * 65 + "@example.test"))),
    ("san-smtp-utf8", "accepted", "SmtpUTF8:j\u00f6rg@example.test",
     lambda: with_names(other("1.3.6.1.5.5.7.8.9",
                              utf8("j\u00f6rg@example.test")))),
    ("san-smtp-utf8-ascii", "refused", "is an rfc822Name",
     lambda: with_names(other("1.3.6.1.5.5.7.8.9", utf8("a@example.test")))),
    ("san-smtp-utf8-bidi", "refused", "control or invisible",
     lambda: with_names(other("1.3.6.1.5.5.7.8.9",
                              utf8("j\u00f6\u202erg@example.test")))),
    ("san-smtp-utf8-ia5", "refused", FORM, lambda: with_names(
        other("1.3.6.1.5.5.7.8.9", tlv(22, b"a@example.test")))),
    ("san-uri-relative", "refused", "no scheme", lambda: with_names(
        uri("/path"))),
    ("san-uri-space", "refused", "does not belong in a URI",
     lambda: with_names(uri("https://a b/"))),
    ("san-uri-no-host", "refused", "no host", lambda: with_names(
        uri("https:///x"))),
    ("san-upn", "refused", FORM, lambda: with_names(
        other("1.3.6.1.4.1.311.20.2.3", utf8("admin@example.test")))),
    ("san-directory-name", "refused", FORM, lambda: with_names(
        tlv(0xa4, WWW))),
    ("san-registered-id", "refused", FORM, lambda: with_names(
        tlv(0x88, oid("1.2.3.4")[2:]))),
    ("san-100", "accepted", "DNS:n0.test", lambda: with_names(
        *[dns("n%d.test" % i) for i in range(100)])),
    ("san-101", "refused", "more than 100", lambda: with_names(
        *[dns("n%d.test" % i) for i in range(101)])),
    # --- attributes and extensions ---
    ("ext-usages", "accepted", "CN=www.example.test; ignored: keyUsage, "
     "extendedKeyUsage, basicConstraints", lambda: csr(attributes=[exts(
         ext(KU, bits(b"\xa0", 5), TRUE),
         ext(EKU, seq(oid("1.3.6.1.5.5.7.3.1"))), ext(BC, seq()))])),
    ("ext-unknown", "accepted", "ignored: 1.2.3.4", lambda: with_ext(
        "1.2.3.4", NULL, TRUE)),
    ("ext-ca-true", "refused", "CA:TRUE", lambda: with_ext(
        BC, seq(TRUE), TRUE)),
    ("ext-ca-true-path-length", "refused", "CA:TRUE", lambda: with_ext(
        BC, seq(TRUE, integer(0)))),
    ("ext-ca-false-written-out", "accepted", "ignored: basicConstraints",
     lambda: with_ext(BC, seq(FALSE))),
    ("ext-path-length-alone", "refused", "has a path length",
     lambda: with_ext(BC, seq(integer(0)))),
    ("ext-basic-constraints-broken", "refused", "cannot be read",
     lambda: with_ext(BC, NULL)),
    ("ext-cert-sign", "refused", "keyCertSign", lambda: with_ext(
        KU, bits(b"\x04", 2))),
    ("ext-crl-sign", "refused", "cRLSign", lambda: with_ext(
        KU, bits(b"\x02", 1))),
    ("ext-key-usage-broken", "refused", "keyUsage cannot be read",
     lambda: with_ext(KU, integer(4))),
    ("ext-key-usage-unused-bits", "refused", "unused bits", lambda: with_ext(
        KU, tlv(3, b"\x05\xa1"))),
    ("ext-ocsp-signing", "refused", "OCSPSigning", lambda: with_ext(
        EKU, seq(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.9")))),
    ("ext-eku-broken", "refused", "extendedKeyUsage cannot be read",
     lambda: with_ext(EKU, seq(integer(1)))),
    ("ext-twice", "refused", "same extension twice", lambda: csr(
        attributes=[exts(ext(SAN, seq(dns("a.test"))),
                         ext(SAN, seq(dns("b.test"))))])),
    ("ext-unknown-twice", "refused", "same extension twice", lambda: csr(
        attributes=[exts(ext("1.2.3.4", NULL), ext("1.2.3.4", NULL))])),
    ("ext-value-not-der", "refused", "in its extension", lambda: with_ext(
        "1.2.3.4", b"text")),
    ("ext-no-value", "refused", "extensions cannot be read", lambda: csr(
        attributes=[exts(seq(oid(KU)))])),
    ("ext-64", "accepted", "...", lambda: csr(attributes=[exts(*[
        ext("1.2.3.%d" % i, NULL) for i in range(64)])])),
    ("ext-65", "refused", "too many extensions", lambda: csr(attributes=[
        exts(*[ext("1.2.3.%d" % i, NULL) for i in range(65)])])),
    ("attr-extensions-two-values", "refused", "exactly one value",
     lambda: csr(attributes=[attribute(
         EXT_REQ, seq(ext(SAN, seq(dns("a.test")))),
         seq(ext(SAN, seq(dns("b.test")))))])),
    ("attr-extensions-no-value", "refused", "exactly one value",
     lambda: csr(attributes=[attribute(EXT_REQ)])),
    ("attr-extensions-twice", "refused", "same attribute twice",
     lambda: csr(attributes=[san(dns("a.test")), san(dns("b.test"))])),
    ("attr-extensions-and-microsoft", "refused", "two lists of extensions",
     lambda: csr(attributes=[san(dns("a.test")), attribute(
         MS_EXT, seq(ext(SAN, seq(dns("b.test")))))])),
    ("attr-microsoft-extensions", "accepted", "DNS:a.test", lambda: csr(
        attributes=[attribute(MS_EXT, seq(ext(SAN, seq(dns("a.test")))))])),
    ("attr-microsoft-ca-true", "refused", "CA:TRUE", lambda: csr(
        attributes=[attribute(MS_EXT, seq(ext(BC, seq(TRUE))))])),
    ("attr-not-a-set", "refused", "attributes cannot be read", lambda: csr(
        attributes=[seq(oid(UNSTRUCTURED), utf8("x"))])),
    ("attr-32", "accepted", "CN=www", lambda: csr(attributes=[
        attribute("1.2.3.%d" % i, NULL) for i in range(32)])),
    ("attr-33", "refused", "too many attributes", lambda: csr(attributes=[
        attribute("1.2.3.%d" % i, NULL) for i in range(33)])),
    ("challenge", "accepted", "CN=www.example.test; challenge", lambda: csr(
        attributes=[attribute(CHALLENGE, tlv(19, b"open sesame"))])),
    ("challenge-bmp", "accepted", "challenge", lambda: csr(attributes=[
        attribute(CHALLENGE, tlv(30, "open sesame".encode("utf-16-be")))])),
    ("challenge-255", "accepted", "challenge", lambda: csr(attributes=[
        attribute(CHALLENGE, utf8("x" * 255))])),
    ("challenge-256", "refused", "1 to 255 characters", lambda: csr(
        attributes=[attribute(CHALLENGE, utf8("x" * 256))])),
    ("challenge-empty", "refused", "1 to 255 characters", lambda: csr(
        attributes=[attribute(CHALLENGE, utf8(""))])),
    ("challenge-nul", "refused", "1 to 255 characters", lambda: csr(
        attributes=[attribute(CHALLENGE, utf8("a\0b"))])),
    ("challenge-integer", "refused", "1 to 255 characters", lambda: csr(
        attributes=[attribute(CHALLENGE, integer(1))])),
    ("challenge-two-values", "refused", "exactly one value", lambda: csr(
        attributes=[attribute(CHALLENGE, utf8("a"), utf8("b"))])),
    ("challenge-no-value", "refused", "exactly one value", lambda: csr(
        attributes=[attribute(CHALLENGE)])),
    ("challenge-twice", "refused", "same attribute twice", lambda: csr(
        attributes=[attribute(CHALLENGE, utf8("a")),
                    attribute(CHALLENGE, utf8("b"))])),
    # --- what only a profile says ---
    ("profile-no-name", "tls-server", "has no subjectAltName",
     lambda: csr(subject=name())),
    ("profile-mail-for-a-server", "tls-server", "no names of this form",
     lambda: with_names(
        mail("a@example.test"))),
    ("profile-host-for-a-user", "user", "no names of this form",
     lambda: with_names(
        dns("www.example.test"))),
    ("profile-uri-for-a-server", "tls-server", "no names of this form",
     lambda: with_names(
        dns("www.example.test"), uri("https://example.test/"))),
]


def main():
    os.makedirs(OUT, exist_ok=True)
    for file in os.listdir(OUT):
        os.unlink(os.path.join(OUT, file))
    seen, total = set(), 0
    with open(os.path.join(OUT, "expected.txt"), "w",
              encoding="utf-8") as table:
        table.write("# NAME, outcome and words, by tests/data/"
                    "make-requests.py\n")
        for row, outcome, words, make in TABLE:
            assert row not in seen, row
            seen.add(row)
            der = make()
            total += len(der)
            with open(os.path.join(OUT, row + ".der"), "wb") as f:
                f.write(der)
            table.write("\t".join((row, outcome, words)) + "\n")
    print("%d requests, %d octets" % (len(TABLE), total))


if __name__ == "__main__":
    main()
