"""Server certificates for localhost, one of each status that OCSP knows.

Good and revoked ones are signed as usual. The unknown one is signed with the
CA's own key, but not by the CA: its chain is perfect, and its serial is on no
record. Whoever stole a key, or talked a signer into it, would have such a one.
"""

import collections
import os
import secrets
import uuid

from system import run

STATUSES = ("good", "revoked", "unknown")

# Paths of PEM files: the certificate, its key, the certificate with the
# issuing CA's behind it.
Certificate = collections.namedtuple("Certificate", "path key chain")


def read(path, mode="r"):
    with open(path, mode) as f:
        return f.read()


def request(system):
    """A new key and a request for localhost; their paths."""
    path = os.path.join(system.tmp, uuid.uuid4().hex)
    run("openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-keyout", f"{path}.key", "-out",
        f"{path}.csr", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1")
    return f"{path}.key", f"{path}.csr"


def complete(system, key, path):
    chain = path + ".chain"
    with open(chain, "w") as f:
        f.write(read(path) + read(system.env["ISSUER_CERT"]))
    return Certificate(path, key, chain)


def good(system, profile="tls-server"):
    key, csr = request(system)
    system.csrmail("cert", "sign", csr, "--ca", system.env["ISSUER_NAME"],
                   "--profile", profile, "-o", csr + ".pem")
    system.wait_ocsp(read(csr + ".pem"), "good")
    return complete(system, key, csr + ".pem")


def revoke(system, certificate):
    system.revoke(read(certificate.path))
    system.wait_ocsp(read(certificate.path), "revoked")


def revoked(system):
    certificate = good(system)
    revoke(system, certificate)
    return certificate


def unknown(system):
    key, csr = request(system)
    name = system.env["ISSUER_NAME"]
    extensions = system.file(f"{uuid.uuid4().hex}.ext", f"""
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
authorityInfoAccess = OCSP;URI:{system.env["OCSP_URL"]}/
""")
    run("openssl", "x509", "-req", "-in", csr, "-CA",
        system.env["ISSUER_CERT"], "-CAkey",
        f"{system.folder}/state/keys/{name}.key", "-passin",
        f"file:{system.env['CONF_DIR']}/{name}.passphrase", "-set_serial",
        f"0x5{secrets.token_hex(15)}", "-days", "30", "-extfile", extensions,
        "-out", csr + ".pem")
    return complete(system, key, csr + ".pem")


def one_of_each(system):
    """{"good": Certificate, ...}"""
    return {"good": good(system), "revoked": revoked(system),
            "unknown": unknown(system)}
