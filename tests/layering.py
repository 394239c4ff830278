#!/usr/bin/env python3
"""Which file may include which (docs/architecture.md, "Directions").

csrmaild -> common <- ocspd, downwards only and without a circle. Reads the
includes in quotation marks of all product code and prints one line for each
violation, FILE:LINE: what is wrong. Exits 1 when there is one.

    layering.py [ROOT]
"""

import os
import re
import sys

# Which folder may include from which. csrmaild/ctl is the command line: above
# csrmaild, of which it may have only the parts named in CLIENT_SIDE.
FOLDERS = {
    "common": {"common"},
    "csrmaild": {"csrmaild", "common"},
    "csrmaild/ctl": {"csrmaild/ctl", "csrmaild", "common"},
    "ocspd": {"ocspd", "common"},
}

# What the command line shares with the daemon: parts without a role's loop,
# its store session or its keys in memory. "ceremony" makes CAs in the folder
# itself while no daemon runs, and "desk" is all of registrar and signer, for
# a folder that has no daemon.
CLIENT_SIDE = {"bundle", "ceremony", "ceremony_offline", "certs_only",
               "crl_read", "describe", "desk", "drop_name", "header",
               "hint", "import", "index_line", "journal", "message",
               "parser", "passphrase", "pem", "policy", "principal", "restore",
               "settings", "smime", "state_lock", "unlock", "wire"}

# common, floor by floor. A file includes from its own floor and from below.
FLOORS = [
    # the language: octets, failures, ownership, time, log
    {"bytes", "clock", "crash", "err", "log", "owned"},
    # formats and the system, each alone
    {"ca", "config", "der", "extension", "frame", "index_seal", "issuer", "keystore_uri",
     "name_check", "names_table", "notify", "plain_file", "privsep", "serial",
     "shared_prime"},
    # names and keys; frames that travel
    {"channel", "constraints", "key", "key_edwards", "key_rsa",
     "names", "names_text", "names_x509"},
    # what is asked for, what is allowed, who we are
    {"crl", "crl_entry", "crl_extension", "crl_reason", "csr",
     "csr_signature", "keystore", "keystore_token", "keystore_token_key",
     "profile", "profile_check", "profile_rules", "role"},
    # what is issued, and what is on record
    {"constraint_check", "issue", "issue_ca", "lint",
     "lint_address", "lint_certificate", "lint_constraint", "lint_crl",
     "lint_csr", "lint_extension", "lint_field", "lint_key", "lint_name", "lint_ocsp",
     "lint_rules", "lint_usage", "order", "store",
     "store_ca", "store_backup", "store_certificates", "store_crl", "store_index",
     "store_keys", "store_open", "store_outbox", "store_renewals",
     "store_challenges", "store_requests", "store_revocations", "store_statements"},
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}

INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]*)"')


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def private_to(name):
    """store_private -> store; None for a header that anybody may include."""
    return name[:-len("_private")] if name.endswith("_private") else None


def node(path):
    """X.h and X.c are one, and so is X_private.h."""
    name = stem(path)
    return os.path.dirname(path) + "/" + (private_to(name) or name)


def read_includes(root):
    """{file: [(line, included), ...]} of all product code."""
    found = {}
    for folder in FOLDERS:
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if not name.endswith((".c", ".h")):
                continue
            path = folder + "/" + name
            with open(os.path.join(root, path), encoding="utf-8") as f:
                found[path] = [(n, m.group(1))
                               for n, m in ((n, INCLUDE.match(line))
                                            for n, line in enumerate(f, 1))
                               if m]
    return found


def check_include(path, target, known):
    """Why this file may not include that one; None when it may."""
    folder, name = os.path.split(path)
    to_folder, to_name = os.path.split(target)
    if target.startswith("tests/"):
        return "product code includes from tests/"
    if target not in known:
        return "not a file of ours, written from the root"
    if target.endswith(".c"):
        return "a source file is compiled, not included"
    if to_folder not in FOLDERS[folder]:
        return "%s/ may not include from %s/" % (folder, to_folder)
    if folder == "csrmaild/ctl" and to_folder == "csrmaild" and \
            stem(to_name) not in CLIENT_SIDE:
        return "the command line shares only %s" % \
            ", ".join(sorted(CLIENT_SIDE))
    owner = private_to(stem(to_name))
    if owner and not (folder == to_folder and
                      re.fullmatch(owner + r"(_\w+)?\.[ch]", name)):
        return "private to %s/%s*.c" % (to_folder, owner)
    if folder == to_folder == "common":
        here, there = (FLOOR.get(private_to(stem(p)) or stem(p))
                       for p in (path, target))
        if here is not None and there is not None and there > here:
            return "upwards: from floor %d to floor %d" % (here, there)
    return None


def check_files(includes):
    for path, lines in includes.items():
        for line, target in lines:
            why = check_include(path, target, includes)
            if why:
                yield "%s:%d: \"%s\": %s" % (path, line, target, why)
        if path.startswith("common/") and \
                (private_to(stem(path)) or stem(path)) not in FLOOR:
            yield "%s:1: stands on no floor: name it in tests/layering.py" \
                " and docs/architecture.md" % path
        own = os.path.splitext(path)[0] + ".h"
        if path.endswith(".c") and own in includes and lines and \
                node(lines[0][1]) != node(own):
            yield "%s:%d: its own header comes first" % (path, lines[0][0])
    for name in FLOOR:
        if not any(stem(p) == name for p in includes
                   if p.startswith("common/")):
            yield "tests/layering.py:1: common/%s stands on a floor and " \
                "does not exist" % name


def check_circles(includes):
    """One line for each include that closes a circle."""
    graph = {}
    for path, lines in includes.items():
        edges = graph.setdefault(node(path), {})
        for line, target in lines:
            if target in includes and node(target) != node(path):
                edges.setdefault(node(target), (path, line, target))
    state, trail, found = {}, [], []

    def visit(at):
        state[at] = "open"
        trail.append(at)
        for to, (path, line, target) in sorted(graph.get(at, {}).items()):
            if state.get(to) == "open":
                circle = trail[trail.index(to):] + [to]
                found.append("%s:%d: \"%s\": a circle: %s" % (
                    path, line, target, " -> ".join(circle)))
            elif to not in state:
                visit(to)
        trail.pop()
        state[at] = "done"

    for at in sorted(graph):
        if at not in state:
            visit(at)
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else \
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    includes = read_includes(root)
    violations = list(check_files(includes)) + check_circles(includes)
    for violation in violations:
        print(violation)
    print("%d files, %d includes, %d violations" % (
        len(includes), sum(map(len, includes.values())), len(violations)))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
