#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/certfile.h"
#include "csrmaild/ctl/wait.h"

#include "common/err.h"
#include "common/owned.h"

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
	{ "revoked",	"revoked_at",	0 },
	{ "reason",	"reason",	0 },
	{ "invalid since", "invalidity", 0 },
};

#define N(columns)	(sizeof(columns) / sizeof((columns)[0]))

/* The certificate with that serial; --ca tells which when several CAs have
 * used it. */
static int
get(struct ctl *ctl, const char *serial, const char *ca, json_t **out,
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

int
ctl_cert_list(struct ctl *ctl, struct err *err)
{
	static const char *const filters[] = { "state", "ca", "like" };
	json_t *args = json_object(), *rows = NULL;
	int r;

	for (size_t i = 0; i < 3; i++)
		if (ctl_option(ctl, filters[i]) != NULL)
			json_object_set_new(args, filters[i],
			    json_string(ctl_option(ctl, filters[i])));
	r = client_list(ctl, "certificates", args, &rows, err);
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

	if (get(ctl, ctl->args[0], ctl_option(ctl, "ca"), &cert, err) != 0)
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

/* The certificate in the form that was asked for, to --output. */
static int
export(struct ctl *ctl, const json_t *cert, struct err *err)
{
	const char *pem = json_string_value(json_object_get(cert, "pem"));
	const char *ca = json_string_value(json_object_get(cert, "ca"));
	OWNED_BUF(out, 1u << 20);

	if (pem == NULL)
		return ctl_fail(ctl, EX_DATAERR, err, "the serial is reserved "
		    "and nothing is issued under it");
	if (ctl_option(ctl, "der") != NULL) {
		if (certfile_to_der(pem, &out) != 0)
			return ctl_fail(ctl, EX_SOFTWARE, err,
			    "the certificate cannot be read");
		return ctl_write_output(ctl, buf_bytes(&out), err);
	}
	buf_append_str(&out, pem);
	if (ctl_option(ctl, "chain") != NULL &&
	    certfile_append_chain(ctl, ca, &out, err) != 0)
		return -1;
	return ctl_write_output(ctl, buf_bytes(&out), err);
}

int
ctl_cert_export(struct ctl *ctl, struct err *err)
{
	json_t *cert = NULL;
	int r;

	if (get(ctl, ctl->args[0], ctl_option(ctl, "ca"), &cert, err) != 0)
		return -1;
	r = export(ctl, cert, err);
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
ctl_cert_sign(struct ctl *ctl, struct err *err)
{
	json_t *request = NULL, *cert = NULL;
	char id[24];
	long timeout;
	int r;

	if (ctl_number(ctl, "timeout", 1, 3600, 30, &timeout, err) != 0 ||
	    submit(ctl, id, sizeof(id), err) != 0 ||
	    wait_until_issued(ctl, id, timeout, &request, err) != 0)
		return -1;
	r = get(ctl, json_string_value(json_object_get(request, "serial")),
	    json_string_value(json_object_get(request, "ca")), &cert, err);
	if (r == 0)
		r = export(ctl, cert, err);
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
ctl_cert_revoke(struct ctl *ctl, struct err *err)
{
	const char *reason = ctl_option(ctl, "reason");
	const char *ca = ctl_option(ctl, "ca");
	OWNED_BUF(path, 512);
	json_t *args, *cert = NULL;
	int r;

	if (reason == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--reason is needed: "
		    "unspecified, keyCompromise, affiliationChanged, "
		    "superseded, cessationOfOperation or privilegeWithdrawn");
	args = json_pack("{s:s}", "reason", reason);
	if (args != NULL && ca != NULL)
		json_object_set_new(args, "ca", json_string(ca));
	client_path(&path, "certificates/", ctl->args[0], "/revoke");
	r = client_post(ctl, buf_str(&path), args, &cert, err);
	if (r == 0 && ctl->json)
		table_print_json(cert);
	else if (r == 0)
		printf("certificate %s is revoked (%s)\n", json_string_value(
		    json_object_get(cert, "serial")), reason);
	json_decref(cert);
	json_decref(args);
	return r;
}
