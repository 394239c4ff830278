#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/key_digest.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/serial.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Revocation: by serial, by name, by key, of a whole CA; and holds. */

#define MAX_MATCHES	10000

static const char reasons[] = "unspecified, keyCompromise, cACompromise, "
    "affiliationChanged, superseded, cessationOfOperation, certificateHold, "
    "privilegeWithdrawn or aACompromise";

static const struct column match_columns[] = {
	{ "SERIAL",	"serial",	0 },
	{ "CA",		"ca",		24 },
	{ "STATE",	"state",	0 },
	{ "NOT AFTER",	"not_after",	0 },
	{ "NAMES",	"names",	70 },
};

/* RFC 3339, in UTC. */
static int
read_time(struct ctl *ctl, const char *text, json_int_t *out, struct err *err)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (end == NULL || *end != '\0')
		return ctl_fail(ctl, EX_USAGE, err, "%s: a time in UTC is "
		    "expected, like 2026-01-31T12:00:00Z", text);
	*out = (json_int_t)timegm(&tm);
	return 0;
}

/* What every revocation says; the caller's to json_decref. */
static int
new_args(struct ctl *ctl, json_t **out, struct err *err)
{
	const char *reason = ctl_option(ctl, "reason");
	const char *invalidity = ctl_option(ctl, "invalidity");
	json_int_t since = 0;

	if (reason == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--reason is needed: %s",
		    reasons);
	if (invalidity != NULL &&
	    read_time(ctl, invalidity, &since, err) != 0)
		return -1;
	*out = json_pack("{s:s}", "reason", reason);
	if (*out == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--reason: %s", reasons);
	if (since > 0)
		json_object_set_new(*out, "invalidity", json_integer(since));
	return 0;
}

/* Yes by --yes, or typed at a terminal. */
static int
confirm(struct ctl *ctl, const char *question, struct err *err)
{
	char line[16] = "";

	if (ctl_option(ctl, "yes") != NULL)
		return 0;
	if (!isatty(STDIN_FILENO))
		return ctl_fail(ctl, EX_USAGE, err, "%s There is no terminal "
		    "to ask: say --yes", question);
	fprintf(stderr, "%s Type yes: ", question);
	if (fgets(line, sizeof(line), stdin) == NULL ||
	    strcmp(line, "yes\n") != 0)
		return ctl_fail(ctl, EX_NOPERM, err, "nothing was revoked");
	return 0;
}

/*
 * What a revocation is not over with: a list that somebody has to make or to
 * carry. `again` is the command, without its name, as it is typed where the key
 * of the CA is.
 */
static void
tell_carried(const struct ctl *ctl, const json_t *answer, const char *again)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(answer, "carried"), i, name)
		printf("Not yet on the CRL of %s, whose key is elsewhere. "
		    "There:\n    csrmail --folder FOLDER %s --reason %s\n"
		    "and here, with the list from FOLDER/published:\n"
		    "    csrmail crl install FILE\n"
		    "or, where its key was only put away, with the key back:\n"
		    "    csrmail crl update %s\n", json_string_value(name),
		    again, ctl_option(ctl, "reason"),
		    json_string_value(name));
	if (ctl->folder == NULL)
		return;
	json_array_foreach(json_object_get(answer, "lists"), i, name) {
		char file[CA_NAME_MAX + 8];

		ca_file_name(json_string_value(name), ".crl", file,
		    sizeof(file));
		printf("Carry %s/published/%s to where it is published "
		    "(csrmail crl install)\n", ctl->folder, file);
	}
}

/* --- several -------------------------------------------------------------- */

/* Show what matches and have it confirmed; how many go to args. */
static int
look(struct ctl *ctl, json_t *args, struct err *err)
{
	json_t *answer = NULL, *items;
	char question[128];
	long max;
	size_t n;
	int r = 0;

	if (ctl_number(ctl, "max", 1, MAX_MATCHES, 100, &max, err) != 0)
		return -1;
	json_object_set_new(args, "max", json_integer(max));
	if (client_post(ctl, "certificates/revoke", args, &answer, err) != 0)
		return -1;
	items = json_object_get(answer, "items");
	n = json_array_size(items);
	if (n == 0)
		r = ctl_fail(ctl, EX_NOINPUT, err, "no certificate in force "
		    "matches");
	else if (n > (size_t)max)
		r = ctl_fail(ctl, EX_USAGE, err, "more than %ld certificates "
		    "match: --max N allows more", max);
	if (r == 0 && !ctl->json)
		table_print(ctl, items, match_columns,
		    sizeof(match_columns) / sizeof(match_columns[0]));
	snprintf(question, sizeof(question), "Revoke %s %zu %s?",
	    n == 1 ? "this" : "these", n, n == 1 ? "certificate" :
	    "certificates");
	if (r == 0)
		r = confirm(ctl, question, err);
	json_object_set_new(args, "expected", json_integer((json_int_t)n));
	json_decref(answer);
	return r;
}

static int
revoke_matching(struct ctl *ctl, json_t *args, struct err *err)
{
	json_t *answer = NULL;
	int r;

	if (look(ctl, args, err) != 0)
		return -1;
	r = client_post(ctl, "certificates/revoke", args, &answer, err);
	if (r == 0 && ctl->json)
		table_print_json(answer);
	else if (r == 0)
		printf("%lld certificates are revoked\n",
		    (long long)json_integer_value(json_object_get(answer,
		    "revoked")));
	if (r == 0 && !ctl->json)
		tell_carried(ctl, answer, ctl_option(ctl, "key") != NULL ?
		    "cert revoke --key FILE" : "cert revoke --match PATTERN");
	json_decref(answer);
	return r;
}

static int
revoke_serial(struct ctl *ctl, json_t *args, struct err *err)
{
	OWNED_BUF(path, 512);
	char again[SERIAL_HEX_SIZE + 16];
	json_t *cert = NULL;
	int r;

	client_path(&path, "certificates/", ctl->args[0], "/revoke");
	r = client_post(ctl, buf_str(&path), args, &cert, err);
	if (r == 0 && ctl->json)
		table_print_json(cert);
	else if (r == 0)
		printf("certificate %s is revoked (%s)\n", json_string_value(
		    json_object_get(cert, "serial")),
		    ctl_option(ctl, "reason"));
	if (r == 0 && !ctl->json) {
		snprintf(again, sizeof(again), "cert revoke %s",
		    json_string_value(json_object_get(cert, "serial")));
		tell_carried(ctl, cert, again);
	}
	json_decref(cert);
	return r;
}

int
ctl_cert_revoke(struct ctl *ctl, struct err *err)
{
	const char *match = ctl_option(ctl, "match");
	const char *key = ctl_option(ctl, "key"), *ca = ctl_option(ctl, "ca");
	char digest[KEY_DIGEST_HEX_SIZE];
	json_t *args = NULL;
	int r = 0;

	if ((ctl->args[0] != NULL) + (match != NULL) + (key != NULL) != 1)
		return ctl_fail(ctl, EX_USAGE, err,
		    "which ones: a SERIAL, --match or --key");
	if (key != NULL && key_digest_obtain(ctl, key, digest, err) != 0)
		return -1;
	if (new_args(ctl, &args, err) != 0)
		return -1;
	if (ca != NULL)
		json_object_set_new(args, "ca", json_string(ca));
	if (match != NULL)
		json_object_set_new(args, "match", json_string(match));
	if (key != NULL)
		json_object_set_new(args, "key", json_string(digest));
	r = ctl->args[0] != NULL ? revoke_serial(ctl, args, err) :
	    revoke_matching(ctl, args, err);
	json_decref(args);
	return r;
}

int
ctl_cert_unhold(struct ctl *ctl, struct err *err)
{
	const char *ca = ctl_option(ctl, "ca");
	json_t *args = json_object(), *cert = NULL;
	OWNED_BUF(path, 512);
	int r;

	if (ca != NULL)
		json_object_set_new(args, "ca", json_string(ca));
	client_path(&path, "certificates/", ctl->args[0], "/unhold");
	r = client_post(ctl, buf_str(&path), args, &cert, err);
	if (r == 0 && ctl->json)
		table_print_json(cert);
	else if (r == 0)
		printf("certificate %s is good again\n", json_string_value(
		    json_object_get(cert, "serial")));
	json_decref(cert);
	json_decref(args);
	return r;
}

int
ctl_ca_revoke(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *args = NULL, *answer = NULL;
	char question[256], again[CA_NAME_MAX + 16];
	int r;

	if (new_args(ctl, &args, err) != 0)
		return -1;
	snprintf(question, sizeof(question), "Revoke the CA %.63s%s, and "
	    "every certificate and CA below it, for good?", ctl->args[0],
	    strchr(ctl->args[0], '~') == NULL ? " with all its keys" : "");
	client_path(&path, "cas/", ctl->args[0], "/revoke");
	r = confirm(ctl, question, err);
	if (r == 0)
		r = client_post(ctl, buf_str(&path), args, &answer, err);
	if (r == 0 && ctl->json)
		table_print_json(answer);
	else if (r == 0)
		printf("%s is revoked, with everything below it: %lld "
		    "certificates\n", ctl->args[0],
		    (long long)json_integer_value(json_object_get(answer,
		    "revoked")));
	if (r == 0 && !ctl->json) {
		snprintf(again, sizeof(again), "ca revoke %s", ctl->args[0]);
		tell_carried(ctl, answer, again);
	}
	json_decref(answer);
	json_decref(args);
	return r;
}
