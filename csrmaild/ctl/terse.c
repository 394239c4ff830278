#include "csrmaild/ctl/terse.h"

#include "csrmaild/ctl/request_file.h"

#include "common/csr.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

/* --- revoke -------------------------------------------------------------- */
static const struct column columns[] = {
	{ "SERIAL",	"serial",	0 },
	{ "NOT AFTER",	"not_after",	0 },
	{ "PROFILE",	"profile",	20 },
	{ "NAMES",	"names",	70 },
};

static const char *
text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text == NULL ? "" : text;
}

static void
put_rows(FILE *f, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
		fprintf(f, "%3zu  %s  ", i + 1, text_of(row, "serial"));
		table_put_text(f, text_of(row, "names"), 70);
		fputc('\n', f);
	}
}

/* Which of several: a person's to say, never ours to guess. */
static const json_t *
choose(struct ctl *ctl, const json_t *rows, struct err *err)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	char line[32] = "";
	unsigned long n;

	if (tty == NULL) {
		put_rows(stderr, rows);
		ctl_fail(ctl, EX_USAGE, err, "%zu certificates match: revoke "
		    "one by its serial (csrmail cert revoke SERIAL)",
		    json_array_size(rows));
		return NULL;
	}
	put_rows(tty, rows);
	fputs("Which one? [number, nothing for none] ", tty);
	fflush(tty);
	if (fgets(line, sizeof(line), tty) == NULL)
		line[0] = '\0';
	fclose(tty);
	n = strtoul(line, NULL, 10);
	if (n >= 1 && n <= json_array_size(rows))
		return json_array_get(rows, n - 1);
	ctl_fail(ctl, EX_USAGE, err, "none is chosen: nothing is revoked");
	return NULL;
}

static int
revoke_one(struct ctl *ctl, const json_t *row, struct err *err)
{
	const char *reason = ctl_option(ctl, "reason");
	json_t *args = json_pack("{s:s, s:s}", "ca", text_of(row, "ca"),
	    "reason", reason == NULL ? "unspecified" : reason);
	OWNED_BUF(path, 512);
	json_t *answer = NULL;
	int r;

	client_path(&path, "certificates/", text_of(row, "serial"),
	    "/revoke");
	r = client_post(ctl, buf_str(&path), args, &answer, err);
	if (r == 0)
		table_print_object(ctl, answer, columns,
		    sizeof(columns) / sizeof(columns[0]));
	json_decref(answer);
	json_decref(args);
	return r;
}

static int
revoke_matching(struct ctl *ctl, struct err *err)
{
	json_t *args = json_pack("{s:s, s:s, s:s}", "ca", ctl->args[0],
	    "like", ctl->args[1], "state", "issued");
	json_t *rows = NULL;
	const json_t *row;
	int r = -1;

	if (args == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "that is no text");
	if (client_list(ctl, "certificates", args, &rows, err) != 0) {
		json_decref(args);
		return -1;
	}
	if (json_array_size(rows) == 0) {
		ctl_fail(ctl, EX_NOINPUT, err, "no certificate in force of %s "
		    "has \"%s\" among its names", ctl->args[0], ctl->args[1]);
	} else {
		row = json_array_size(rows) == 1 ? json_array_get(rows, 0) :
		    choose(ctl, rows, err);
		r = row == NULL ? -1 : revoke_one(ctl, row, err);
	}
	json_decref(rows);
	json_decref(args);
	return r;
}

static const struct ctl_option revoke_options[] = {
	{ "reason",	0,	"REASON", "unspecified, keyCompromise, ..." },
	{ "passphrase-file", 0,	"FILE",	"the CA key's, without a daemon" },
	{ 0 }
};
static const struct command revoke_command = {
	"-x", "CA NAME", 2, 2, NEEDS_DESK, revoke_options, revoke_matching,
	"revoke what has NAME among its names",
};

/* --- translation --------------------------------------------------------- */
#define LETTERS	"rpcvRsox"

struct letters {
	const char	*value[sizeof(LETTERS)];
	char *const	*rest;		/* long options and their values */
	int		 n_rest;
};

static const char *
given(const struct letters *in, char letter)
{
	return in->value[strchr(LETTERS, letter) - LETTERS];
}

bool
terse_begins(const char *word)
{
	return strcmp(word, "-r") == 0 || strcmp(word, "-p") == 0 ||
	    strcmp(word, "-R") == 0;
}

static int
read_letters(struct ctl *ctl, int argc, char *const *argv,
    struct letters *out, struct err *err)
{
	int i = 0;

	for (; i < argc && strncmp(argv[i], "--", 2) != 0; i += 2) {
		const char *letter = argv[i][0] == '-' && argv[i][1] != '\0' &&
		    argv[i][2] == '\0' ? strchr(LETTERS, argv[i][1]) : NULL;

		if (letter == NULL || i + 1 == argc)
			return ctl_fail(ctl, EX_USAGE, err, "%s: -r NAME, -p "
			    "PARENT -c NAME, -R PATH, -p CA -s REQ -o OUT or "
			    "-p CA -x NAME, with -v DAYS", argv[i]);
		if (out->value[letter - LETTERS] != NULL)
			return ctl_fail(ctl, EX_USAGE, err,
			    "-%c is given twice", *letter);
		out->value[letter - LETTERS] = argv[i + 1];
	}
	out->rest = argv + i;
	out->n_rest = argc - i;
	return 0;
}

static bool
has_option(const struct letters *in, const char *name)
{
	size_t n = strlen(name);

	for (int i = 0; i < in->n_rest; i++)
		if (strncmp(in->rest[i], name, n) == 0 &&
		    (in->rest[i][n] == '\0' || in->rest[i][n] == '='))
			return true;
	return false;
}

/* One that does not fit any more leaves argc at TERSE_MAX, which is refused. */
static void
add(struct terse *out, const char *word)
{
	if (out->argc < TERSE_MAX &&
	    (out->argv[out->argc] = strdup(word)) != NULL)
		out->argc++;
}

static void
add_option(struct terse *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	add(out, name);
	add(out, value);
}

static void
add_subject(struct terse *out, const struct letters *in, const char *name)
{
	OWNED_BUF(subject, 512);

	if (has_option(in, "--subject"))
		return;
	buf_printf(&subject, "CN=%s", name);
	add_option(out, "--subject", buf_str(&subject));
}

static void
make_ca(struct terse *out, const struct letters *in)
{
	const char *name = given(in, given(in, 'r') != NULL ? 'r' : 'c');

	add(out, "ca");
	add(out, given(in, 'r') != NULL ? "create-root" : "create-child");
	add(out, name);
	add_option(out, "--parent", given(in, 'p'));
	add_option(out, "--days", given(in, 'v'));
	add_subject(out, in, name);
}

static void
make_request(struct terse *out, const struct letters *in)
{
	const char *path = given(in, 'R'), *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	OWNED_BUF(folder, 4096);

	buf_append(&folder, path, slash == NULL ? 0 :
	    slash == path ? 1 : (size_t)(slash - path));
	add(out, "request");
	add(out, "new");
	/* A host or an address; other words are the name of somebody. */
	if (strpbrk(name, ".@") != NULL)
		add(out, name);
	else
		add_subject(out, in, name);
	add_option(out, "--name", name);
	if (folder.len > 0)
		add_option(out, "--out-dir", buf_str(&folder));
}

/* What the request asks for tells what it is to be. */
static int
find_profile(struct ctl *ctl, const char *path, const char **out,
    struct err *err)
{
	OWNED_STRUCT(csr) *csr = NULL;
	bool host = false, person = false;

	if (request_file_read(ctl, path, &csr, err) != 0)
		return -1;
	for (size_t i = 0; i < csr->names.n_sans; i++) {
		enum san_kind kind = csr->names.sans[i].kind;

		host |= kind == SAN_DNS || kind == SAN_IP;
		person |= kind == SAN_EMAIL || kind == SAN_SMTP_UTF8;
	}
	if (host == person)
		return ctl_fail(ctl, EX_USAGE, err, "%s asks for %s: say what "
		    "it is to be, by --profile", path, host ? "hosts and "
		    "addresses of mail at once" : "neither a host nor an "
		    "address of mail");
	*out = host ? "tls-server" : "user";
	return 0;
}

static int
sign(struct ctl *ctl, struct terse *out, const struct letters *in,
    struct err *err)
{
	const char *profile = NULL;

	if (!has_option(in, "--profile") &&
	    find_profile(ctl, given(in, 's'), &profile, err) != 0)
		return -1;
	add(out, "cert");
	add(out, "sign");
	add(out, given(in, 's'));
	add_option(out, "--ca", given(in, 'p'));
	add_option(out, "--profile", profile);
	add_option(out, "--output", given(in, 'o'));
	add_option(out, "--days", given(in, 'v'));
	return 0;
}

/* The letters that a form has, in the order of LETTERS; each needs all of
 * `must` and takes `may`. */
static bool
is_form(const struct letters *in, const char *must, const char *may)
{
	for (const char *l = LETTERS; *l != '\0'; l++) {
		bool there = given(in, *l) != NULL;

		if (there != (strchr(must, *l) != NULL) &&
		    !(there && strchr(may, *l) != NULL))
			return false;
	}
	return true;
}

int
terse_translate(struct ctl *ctl, int argc, char *const *argv,
    struct terse *out, struct err *err)
{
	struct letters in = { .n_rest = 0 };

	*out = (struct terse){ .argc = 0 };
	if (read_letters(ctl, argc, argv, &in, err) != 0)
		return -1;
	if (is_form(&in, "r", "v") || is_form(&in, "pc", "v")) {
		make_ca(out, &in);
	} else if (is_form(&in, "R", "")) {
		make_request(out, &in);
	} else if (is_form(&in, "ps", "ov")) {
		if (sign(ctl, out, &in, err) != 0)
			return -1;
	} else if (is_form(&in, "px", "")) {
		out->command = &revoke_command;
		add(out, given(&in, 'p'));
		add(out, given(&in, 'x'));
	} else {
		return ctl_fail(ctl, EX_USAGE, err, "these do not belong "
		    "together; csrmail(1) has the terse forms");
	}
	for (int i = 0; i < in.n_rest; i++)
		add(out, in.rest[i]);
	return out->argc < TERSE_MAX ? 0 :
	    ctl_fail(ctl, EX_USAGE, err, "too many options");
}

void
terse_free_contents(struct terse *t)
{
	while (t->argc > 0)
		free(t->argv[--t->argc]);
}
