#!/usr/bin/env python3
"""Do the documents still say what is so?

- man pages pass mandoc's lint;
- every key of the shipped configuration is in its man page and in the
  program's table of options, the other way round too, with its range, and what
  a file shows as a default is the default;
- every relative link in *.md, every file that they name, and every document
  that the code names, exists;
- docs/rfc.md names functions and tests that exist;
- docs/wire.md has every frame under its number.

(That csrmail.1 has every command, csrmaild.ctl tests.) One line for each
fault; exits 1 when there is one, 77 without mandoc.

    docs.py [ROOT]
"""

import glob
import os
import re
import shutil
import subprocess
import sys

# Shipped file, table of options, man page.
CONFIGURATIONS = [
    ("conf/csrmaild.conf", "csrmaild/settings*.c", "docs/man/csrmaild.conf.5"),
    ("conf/ocspd.conf", "ocspd/settings.c", "docs/man/ocspd.conf.5"),
    ("policies/profiles/tls-server.conf", "common/profile.c",
     "docs/man/csrmaild.conf.5"),
    (None, "csrmaild/policy.c", "docs/man/csrmaild.conf.5"),
]
# Sections, not keys: named in the page by a heading.
SECTIONS = {"smtp", "mailbox", "ca", "rule", "extension"}

# Where files that documents name may lie.
FOLDERS = ("common/", "csrmaild/", "ocspd/", "tests/", "init/", "conf/",
           "policies/", "docs/")
# Examples of names, not files.
EXAMPLES = re.compile(r"[*{<]|NAME|\.\.\.")


def read(pattern):
    """The file; of a pattern, all that it stands for."""
    text = ""
    for path in sorted(glob.glob(pattern)) or [pattern]:
        with open(path, encoding="utf-8") as f:
            text += f.read()
    return text


def line_of(text, at):
    return text.count("\n", 0, at) + 1


# --- man pages and keys ----------------------------------------------------


def check_pages():
    if shutil.which("mandoc") is None:
        print("docs: there is no mandoc (package mandoc)")
        sys.exit(77)
    pages = sorted(glob.glob("docs/man/*.[1-8]"))
    if not pages:
        yield "docs/man: there are no pages"
        return
    lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning"] + pages,
                          stdout=subprocess.PIPE, text=True, check=False)
    for line in lint.stdout.splitlines():
        yield line


def number(text):
    """7 * DAY_S -> 604800; None for what is no number."""
    factors = [f.strip().replace("DAY_S", "86400")
               for f in text.replace("<<", "*").split("*")]
    if "<<" in text or not all(f.isdigit() for f in factors):
        return None
    product = 1
    for f in factors:
        product *= int(f)
    return str(product)


def table_of(source):
    """{key: set of defaults} of a table of CFG_... lines."""
    keys = {}
    for kind, key, default in re.findall(
            r'CFG_(STR_LIST|STR|INT|BOOL|SEC)\("(\w+)",\s*'
            r'("(?:[^"\\]|\\.)*"|[^,]+),', read(source)):
        default = default.strip()
        if kind == "BOOL":
            default = {"cfg_true": "true", "cfg_false": "false"}[default]
        elif kind == "INT":
            default = number(default)
        elif kind == "STR":
            default = default.strip('"')
        else:
            default = None	# lists are told in words
        keys.setdefault(key, set()).add(default)
    return keys


def check_ranges():
    """What the code allows, "LO to HI" says under the key's name."""
    for _, source, page in CONFIGURATIONS:
        items = re.findall(r"^\.It Ic ([^\n]*)\n(.*?)(?=^\.It|^\.El)",
                           read(page), re.M | re.S)
        ranges = re.findall(r'[({]\s*(?:\w+,\s*)?"(\w+)",\s*([^,"]+),'
                            r'\s*([^,"}]+?)\s*[,}]', read(source))
        for key, low, high in ranges:
            low, high = number(low), number(high)
            if low is None or high is None:
                continue
            if not any(key in re.findall(r"\w+", names) and "%s to %s" % (
                    low, high) in text for names, text in items):
                yield "%s:1: %s: %s to %s is not told" % (page, key, low,
                                                          high)


def check_keys():
    for conf, table, page in CONFIGURATIONS:
        keys = table_of(table)
        told = set(re.findall(r"\b\w+\b", " ".join(
            re.findall(r"^\.It Ic (.*)$", read(page), re.M))))
        for key in keys:
            if key not in told and key not in SECTIONS:
                yield "%s:1: key %s of %s is not explained" % (
                    page, key, table)
        if conf is None:
            continue
        shown = set()
        for n, line in enumerate(read(conf).splitlines(), 1):
            m = re.match(r"\s*(#?)(\w+)(?: =|(?: \"[^\"]*\")? \{)\s*(.*)$",
                         line)
            if m is None:
                continue
            shown.add(m.group(2))
            if m.group(2) not in keys:
                yield "%s:%d: no key %s in %s" % (conf, n, m.group(2), table)
                continue
            defaults = keys[m.group(2)]
            value = m.group(3).strip().strip('"')
            value = {"yes": "true", "no": "false"}.get(value, value)
            is_default = m.group(1) == "#" or conf == "conf/ocspd.conf"
            if is_default and None not in defaults and \
                    value not in defaults:
                yield "%s:%d: %s is shown as %s, the default is %s" % (
                    conf, n, m.group(2), value, ", ".join(sorted(defaults)))
        for key in keys:
            if key not in shown:
                yield "%s:1: key %s of %s is not shown" % (conf, key, table)


# --- files and links ----------------------------------------------------------


def documents():
    found = []
    for folder, names, files in os.walk("."):
        names[:] = [n for n in names if n not in ("build", ".git")]
        found += [os.path.normpath(os.path.join(folder, f)) for f in files
                  if f.endswith(".md")]
    return sorted(found)


def check_links():
    for path in documents():
        text = read(path)
        for m in re.finditer(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if re.match(r"\w+:", m.group(1)):
                continue
            if not os.path.exists(os.path.join(os.path.dirname(path),
                                               m.group(1))):
                yield "%s:%d: a link to %s, which is not there" % (
                    path, line_of(text, m.start()), m.group(1))
        for m in re.finditer(r"`([^`\n]+)`", text):
            for word in m.group(1).split():
                if word.startswith(FOLDERS) and not EXAMPLES.search(word) \
                        and not os.path.exists(word):
                    yield "%s:%d: %s is not there" % (
                        path, line_of(text, m.start()), word)


def check_mentions():
    """Documents that code and build files name."""
    for folder in ("common", "csrmaild", "ocspd", "tests", "init", "conf",
                   "policies"):
        for path in glob.glob(folder + "/**/*", recursive=True):
            if not path.endswith((".c", ".h", ".py", ".sh", ".txt", ".sql",
                                  ".conf")):
                continue
            text = read(path)
            for m in re.finditer(r"docs/[\w./-]*\w\.(?:md|[1-8])\b", text):
                if not os.path.exists(m.group(0)):
                    yield "%s:%d: %s is not there" % (
                        path, line_of(text, m.start()), m.group(0))


# --- docs/rfc.md ----------------------------------------------------------------


def check_names(where, cell, form):
    """`file` `name`, `name`; `file` `name`: each name is in its file."""
    for part in cell.split(";"):
        words = re.findall(r"`([^`]+)`", part)
        if not words:
            continue
        path = words[0]
        if not os.path.exists(path):
            yield "%s: %s is not there" % (where, path)
            continue
        text = read(path)
        if len(words) == 1:
            yield "%s: nothing is named in %s" % (where, path)
        for name in words[1:]:
            if not re.search(form(path) % re.escape(name), text, re.M):
                yield "%s: %s has no %s" % (where, path, name)


def check_rfc():
    rows = 0
    for n, line in enumerate(read("docs/rfc.md").splitlines(), 1):
        cells = [c.strip() for c in line.strip("|").split("|")]
        if not line.startswith("| ") or len(cells) != 4 or \
                cells[0] == "Statement":
            continue
        rows += 1
        where = "docs/rfc.md:%d" % n
        yield from check_names(where, cells[2], lambda path: r"^%s\(")
        yield from check_names(
            where, cells[3], lambda path: r"def %s\("
            if path.endswith(".py") else r"START_TEST\(%s\)")
    if rows < 10:
        yield "docs/rfc.md:1: the tables are not read"


# --- docs/wire.md -----------------------------------------------------------------


def check_frames():
    """Each WIRE_NAME of the enums stands there as "NAME number"."""
    told = read("docs/wire.md")
    for path in ("csrmaild/wire.h", "ocspd/wire.h"):
        body = re.search(r"enum wire_type \{(.*?)\n\};", read(path), re.S)
        number = 0
        for name, value in re.findall(
                r"\bWIRE_(\w+)(?: = (\d+))?,",
                re.sub(r"/\*.*?\*/", "", body.group(1), flags=re.S)):
            number = int(value) if value else number + 1
            if not re.search(r"^%s %d( \+fd)?\b" % (name, number), told,
                             re.M):
                yield "docs/wire.md:1: %s of %s is not there as %d" % (
                    name, path, number)


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        os.path.dirname(os.path.abspath(__file__)), ".."))
    faults = [fault for check in (check_pages, check_keys, check_ranges,
                                  check_links, check_mentions, check_rfc,
                                  check_frames)
              for fault in check()]
    for fault in faults:
        print(fault)
    print("%d documents, %d pages, %d faults" % (
        len(documents()), len(glob.glob("docs/man/*.[1-8]")), len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
