"""A CRL of a million entries; called by crl.sh.

    crl.py BIN [-n ENTRIES] [-r RUNS]

Three ways, in turns within one run, each with a P-256 CA; each list is then
checked by `openssl crl -CAfile`.

library    BIN/bench_crl (tests/bench/crl_path.c): entries from a loop, the
           scratch and the list in files.
registrar  BIN/csrmail --folder DIR crl update: entries from the store, page by
           page through the channel to the signer, the list as DER and as PEM.
openssl    `openssl ca -gencrl`, entries from index.txt.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
import machine  # noqa: E402

CNF = """[ca]
default_ca = one
[one]
database = {0}/index.txt
crlnumber = {0}/crlnumber
certificate = {0}/ca.pem
private_key = {0}/ca.p8
default_md = sha256
default_crl_days = 7
crl_extensions = ext
[ext]
authorityKeyIdentifier = keyid
"""
REASONS = ["", ",keyCompromise", ",superseded", ",cessationOfOperation"]


def quiet(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


def measured(command, output):
    """Wall and CPU seconds and peak MB of a command; MB of what it wrote."""
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return {"wall": time.monotonic() - begin,
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss / 1024,
            "size": os.path.getsize(output) / 1e6}


def check(output, ca, form):
    done = subprocess.run(
        ["openssl", "crl", "-inform", form, "-in", output, "-CAfile", ca,
         "-noout"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=True)
    if "verify OK" not in done.stdout:
        sys.exit(f"{output}: {done.stdout}")


def set_up_openssl(folder, n):
    """Its key is protected as ours are, and so costs as much to open."""
    quiet("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
          "ec_paramgen_curve:P-256", "-keyout", f"{folder}/ca.key", "-out",
          f"{folder}/ca.pem", "-subj", "/CN=Bench", "-days", "3650")
    quiet("openssl", "pkcs8", "-topk8", "-scrypt", "-scrypt_N", "16384",
          "-scrypt_r", "8", "-scrypt_p", "4", "-in", f"{folder}/ca.key",
          "-out", f"{folder}/ca.p8", "-passout", "pass:bench")
    with open(f"{folder}/ca.cnf", "w", encoding="ascii") as f:
        f.write(CNF.format(folder))
    with open(f"{folder}/crlnumber", "w", encoding="ascii") as f:
        f.write("01\n")
    with open(f"{folder}/index.txt", "w", encoding="ascii") as f:
        for i in range(n):
            serial = ((i + 1) * 0x9e3779b97f4a7c15 % 2 ** 62 + 2 ** 62) \
                * 2 ** 64 + i
            f.write(f"R\t351231000000Z\t260101000000Z{REASONS[i % 4]}"
                    f"\t{serial:X}\tunknown\t/CN=somebody\n")


def set_up_store(folder, bin_dir, n):
    os.mkdir(folder, 0o700)
    passphrase = f"{folder}/passphrase"
    with open(passphrase, "w", encoding="ascii") as f:
        f.write("bench\n")
    quiet(f"{bin_dir}/csrmail", "--folder", folder, "ca", "create-root",
          "bench", "--subject", "CN=Bench", "--days", "3650",
          "--passphrase-file", passphrase)
    quiet(f"{bin_dir}/bench_crl", "fill", f"{folder}/store.db", "bench",
          str(n))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("-n", dest="entries", type=int, default=1000000)
    parser.add_argument("-r", dest="runs", type=int, default=3)
    return parser.parse_args()


def show(rows):
    for name, runs in rows.items():
        line = f"{name:10}"
        for key, unit in (("wall", "s"), ("cpu", "s CPU"), ("peak", "MB peak"),
                          ("size", "MB")):
            values = sorted(run[key] for run in runs)
            line += f"  {statistics.median(values):.2f} {unit}" \
                f" ({values[0]:.2f} to {values[-1]:.2f})"
        print(line)
    for name in ("library", "registrar"):
        for key in ("wall", "peak"):
            ratio = statistics.median(run[key] for run in rows["openssl"]) / \
                statistics.median(run[key] for run in rows[name])
            print(f"{name}: 1/{ratio:.1f} of openssl's {key}")


def main():
    args = arguments()
    os.environ["CSRMAIL_PASSPHRASE_BENCH"] = "bench"
    machine.describe("openssl", "libsqlite3-0")
    folder = tempfile.mkdtemp(prefix="csrmail-crl.")
    store = os.path.join(folder, "ours")
    rows = {"library": [], "registrar": [], "openssl": []}
    try:
        set_up_openssl(folder, args.entries)
        set_up_store(store, args.bin, args.entries)
        commands = {
            "library": ([f"{args.bin}/bench_crl", "library",
                         f"{folder}/ca.pem", f"{folder}/ca.key",
                         str(args.entries), f"{folder}/library.crl"],
                        f"{folder}/library.crl", f"{folder}/ca.pem", "DER"),
            "registrar": ([f"{args.bin}/csrmail", "--folder", store, "crl",
                           "update", "bench"],
                          f"{store}/published/bench.crl",
                          f"{store}/published/bench.pem", "DER"),
            "openssl": (["openssl", "ca", "-gencrl", "-config",
                         f"{folder}/ca.cnf", "-passin",
                         "env:CSRMAIL_PASSPHRASE_BENCH", "-out",
                         f"{folder}/openssl.crl"],
                        f"{folder}/openssl.crl", f"{folder}/ca.pem", "PEM"),
        }
        for _ in range(args.runs):
            for name, (command, output, ca, form) in commands.items():
                rows[name].append(measured(command, output))
                check(output, ca, form)
        show(rows)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
