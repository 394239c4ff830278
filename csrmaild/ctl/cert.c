#include "csrmaild/ctl/cert.h"

#include "csrmaild/ctl/certfile.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/key_digest.h"
#include "csrmaild/ctl/wait.h"

#include "common/err.h"
#include "common/owned.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CSR_OCTETS	65536

static const struct column list_columns[] = {
	{ "SERIAL",	"serial",	0 },
	{ "STATE",	"state",	0 },
	{ "CA",		"ca",		24 },
	{ "NOT AFTER",	"not_after",	0 },
	{ "PROFILE",	"profile",	20 },
	{ "NAMES",	"names",	70 },
};

static const struct column show_columns[] = {
	{ "serial",	"serial",	0 },
	{ "state",	"state",	0 },
	{ "CA",		"ca",		0 },
	{ "profile",	"profile",	0 },
	{ "names",	"names",	0 },
	{ "not before",	"not_before",	0 },
	{ "not after",	"not_after",	0 },
	{ "SHA-256",	"sha256",	0 },
	{ "request",	"request",	0 },
	{ "renews",	"renews",	0 },
	{ "superseded by", "superseded_by", 0 },
	{ "origin",	"origin",	0 },
	{ "CRL shard",	"shard",	0 },
	{ "key (SHA-256)", "key_sha256", 0 },
	{ "revoked",	"revoked_at",	0 },
	{ "reason",	"reason",	0 },
	{ "invalid since", "invalidity", 0 },
};

#define N(columns)	(sizeof(columns) / sizeof((columns)[0]))

int
cert_get(struct ctl *ctl, const char *serial, const char *ca, json_t **out,
    struct err *err)
{
	json_t *args = json_object();
	OWNED_BUF(path, 512);
	int r;

	if (ca != NULL)
		json_object_set_new(args, "ca", json_string(ca));
	client_path(&path, "certificates/", serial, "");
	r = client_get(ctl, buf_str(&path), args, out, err);
	json_decref(args);
	return r;
}

/* Soonest first; RFC 3339 in UTC sorts as text. */
static int
compare_ends(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(json_object_get(*x, "not_after")),
	    json_string_value(json_object_get(*y, "not_after")));
}

static json_t *
sort_by_end(const json_t *rows)
{
	size_t n = json_array_size(rows);
	OWNED_HEAP(json_t *) *sorted = calloc(n + 1, sizeof(*sorted));
	json_t *out = json_array();

	for (size_t i = 0; sorted != NULL && i < n; i++)
		sorted[i] = json_array_get(rows, i);
	if (sorted != NULL)
		qsort(sorted, n, sizeof(*sorted), compare_ends);
	for (size_t i = 0; sorted != NULL && i < n; i++)
		json_array_append(out, sorted[i]);
	return out;
}

/* What the list is restricted to. */
static int
add_filters(struct ctl *ctl, json_t *args, struct err *err)
{
	static const char *const filters[] = { "state", "ca", "like",
		"match" };
	const char *key = ctl_option(ctl, "key");
	char digest[KEY_DIGEST_HEX_SIZE];
	long days;

	for (size_t i = 0; i < N(filters); i++)
		if (ctl_option(ctl, filters[i]) != NULL)
			json_object_set_new(args, filters[i],
			    json_string(ctl_option(ctl, filters[i])));
	if (ctl_number(ctl, "expiring", 1, 36500, 0, &days, err) != 0)
		return -1;
	if (days > 0)
		json_object_set_new(args, "expiring", json_integer(days));
	if (ctl_option(ctl, "superseded") != NULL)
		json_object_set_new(args, "superseded", json_integer(1));
	if (key == NULL)
		return 0;
	if (key_digest_obtain(ctl, key, digest, err) != 0)
		return -1;
	json_object_set_new(args, "key", json_string(digest));
	return 0;
}

int
ctl_cert_list(struct ctl *ctl, struct err *err)
{
	json_t *args = json_object(), *rows = NULL;
	int r = add_filters(ctl, args, err);

	if (r == 0)
		r = client_list(ctl, "certificates", args, &rows, err);
	if (r == 0 && ctl_option(ctl, "expiring") != NULL) {
		json_t *sorted = sort_by_end(rows);

		json_decref(rows);
		rows = sorted;
	}
	if (r == 0)
		table_print(ctl, rows, list_columns, N(list_columns));
	json_decref(rows);
	json_decref(args);
	return r;
}

int
ctl_cert_show(struct ctl *ctl, struct err *err)
{
	json_t *cert = NULL;
	char print[CERTFILE_PRINT_SIZE];
	const char *pem;

	if (cert_get(ctl, ctl->args[0], ctl_option(ctl, "ca"), &cert, err) != 0)
		return -1;
	pem = json_string_value(json_object_get(cert, "pem"));
	if (certfile_fingerprint(pem, print) == 0)
		json_object_set_new(cert, "sha256", json_string(print));
	table_print_object(ctl, cert, show_columns, N(show_columns));
	if (!ctl->json && pem != NULL)
		printf("\n%s", pem);
	json_decref(cert);
	return 0;
}

int
ctl_cert_export(struct ctl *ctl, struct err *err)
{
	json_t *cert = NULL;
	int r;

	if (cert_check_form(ctl, err) != 0 ||
	    cert_get(ctl, ctl->args[0], ctl_option(ctl, "ca"), &cert,
	    err) != 0)
		return -1;
	r = cert_export(ctl, cert, err);
	json_decref(cert);
	return r;
}

/* Sends the file and answers the number of the request that it became. */
static int
submit(struct ctl *ctl, char *id, size_t size, struct err *err)
{
	const char *ca = ctl_option(ctl, "ca");
	const char *profile = ctl_option(ctl, "profile");
	OWNED_BUF(file, MAX_CSR_OCTETS);
	json_t *args, *request = NULL;
	long days;
	int r;

	if (ca == NULL || profile == NULL)
		return ctl_fail(ctl, EX_USAGE, err,
		    "--ca and --profile are needed");
	if (ctl_number(ctl, "days", 1, 36500, 0, &days, err) != 0 ||
	    ctl_read_file(ctl, ctl->args[0], &file, err) != 0)
		return -1;
	if (certfile_from_request(&file) != 0)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: neither PEM nor "
		    "DER", ctl->args[0]);
	args = json_pack("{s:s, s:s, s:s%}", "ca", ca, "profile", profile,
	    "csr", buf_str(&file), file.len);
	if (args == NULL)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: neither PEM nor "
		    "DER", ctl->args[0]);
	if (days > 0)
		json_object_set_new(args, "days", json_integer(days));
	r = client_post(ctl, "requests", args, &request, err);
	if (r == 0)
		snprintf(id, size, "%lld", (long long)json_integer_value(
		    json_object_get(request, "id")));
	json_decref(request);
	json_decref(args);
	return r;
}

int
cert_await(struct ctl *ctl, const char *id, long timeout_s, struct err *err)
{
	json_t *request = NULL, *cert = NULL;
	int r;

	if (wait_until_issued(ctl, id, timeout_s, &request, err) != 0)
		return -1;
	r = cert_get(ctl, json_string_value(json_object_get(request,
	    "serial")), json_string_value(json_object_get(request, "ca")),
	    &cert, err);
	if (r == 0)
		r = cert_export(ctl, cert, err);
	/* Standard output has the certificate when no file was named. */
	if (r == 0 && ctl_option(ctl, "output") != NULL && ctl->json)
		table_print_json(cert);
	else if (r == 0 && ctl_option(ctl, "output") != NULL)
		printf("request %s, serial %s\n", id, json_string_value(
		    json_object_get(cert, "serial")));
	json_decref(cert);
	json_decref(request);
	return r;
}

int
ctl_cert_sign(struct ctl *ctl, struct err *err)
{
	char id[24];
	long timeout_s;

	if (cert_check_form(ctl, err) != 0 ||
	    ctl_number(ctl, "timeout", 1, 3600, 30, &timeout_s, err) != 0 ||
	    submit(ctl, id, sizeof(id), err) != 0)
		return -1;
	return cert_await(ctl, id, timeout_s, err);
}
