#include "csrmaild/ctl/ca_rows.h"
#include "csrmaild/ctl/certfile.h"
#include "csrmaild/ctl/ctl.h"

#include "common/err.h"
#include "common/owned.h"

#include <string.h>

static const struct column list_columns[] = {
	{ "NAME",	"name",		0 },
	{ "PARENT",	"parent",	0 },
	{ "KEY",	"key",		0 },
	{ "NOT BEFORE",	"not_before",	0 },
	{ "NOT AFTER",	"not_after",	0 },
	{ "SIGNS",	"signs",	0 },
};

static const struct column show_columns[] = {
	{ "name",	"name",		0 },
	{ "generation",	"generation",	0 },
	{ "parent",	"parent",	0 },
	{ "subject",	"subject",	0 },
	{ "issuer",	"issuer",	0 },
	{ "key",	"key",		0 },
	{ "serial",	"serial",	0 },
	{ "not before",	"not_before",	0 },
	{ "not after",	"not_after",	0 },
	{ "path length", "path_len",	0 },
	{ "constraints", "constraints",	0 },
	{ "policies",	"policies",	0 },
	{ "SHA-256",	"sha256",	0 },
	{ "signs",	"signs",	0 },
	{ "key open",	"key_open",	0 },
	{ "why not",	"key_why",	0 },
	{ "CRL",	"crl_text",	0 },
};

static const struct column certificate_columns[] = {
	{ "SERIAL",	"serial",	0 },
	{ "NOT BEFORE",	"not_before",	0 },
	{ "NOT AFTER",	"not_after",	0 },
	{ "SHA-256",	"sha256",	0 },
};
#define COLUMNS(a)	(sizeof(a) / sizeof((a)[0]))

int
ctl_ca_list(struct ctl *ctl, struct err *err)
{
	json_t *rows = NULL;

	if (ca_rows_read(ctl, &rows, err) != 0)
		return -1;
	table_print(ctl, rows, list_columns, COLUMNS(list_columns));
	json_decref(rows);
	return 0;
}

/* A reference of its own; NULL and EX_NOINPUT when there is none. */
static json_t *
find(struct ctl *ctl, struct err *err)
{
	json_t *rows = NULL, *found;

	if (ca_rows_read(ctl, &rows, err) != 0)
		return NULL;
	found = json_deep_copy(ca_rows_current(rows, ctl->args[0]));
	json_decref(rows);
	if (found == NULL)
		ctl_fail(ctl, EX_NOINPUT, err, "there is no CA %s",
		    ctl->args[0]);
	return found;
}

/* "number 12 until 2026-..."; lists joined: for people only. */
static void
put_texts(json_t *ca)
{
	const json_t *crl = json_object_get(ca, "crl");
	const json_t *policies = json_object_get(ca, "policies"), *one;
	OWNED_BUF(text, 4096);
	size_t i;

	if (crl != NULL) {
		buf_printf(&text, "number %lld, until %s", (long long)
		    json_integer_value(json_object_get(crl, "number")),
		    json_string_value(json_object_get(crl, "next_update")));
		json_object_set_new(ca, "crl_text",
		    json_string(buf_str(&text)));
	}
	buf_clear(&text);
	json_array_foreach((json_t *)(uintptr_t)policies, i, one)
		buf_printf(&text, "%s%s", i == 0 ? "" : ", ",
		    json_string_value(one));
	if (policies != NULL)
		json_object_set_new(ca, "policies",
		    json_string(buf_str(&text)));
}

int
ctl_ca_show(struct ctl *ctl, struct err *err)
{
	json_t *ca = find(ctl, err);
	const json_t *others;
	const char *pem;

	if (ca == NULL)
		return -1;
	if (!ctl->json)
		put_texts(ca);
	table_print_object(ctl, ca, show_columns, COLUMNS(show_columns));
	others = json_object_get(ca, "certificates");
	if (!ctl->json && json_array_size(others) > 1) {
		printf("\nCertificates of this key:\n");
		table_print(ctl, others, certificate_columns,
		    COLUMNS(certificate_columns));
	}
	pem = json_string_value(json_object_get(ca, "pem"));
	if (!ctl->json && pem != NULL)
		printf("\n%s", pem);
	json_decref(ca);
	return 0;
}

int
ctl_ca_export(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(out, 1u << 20);
	json_t *ca;
	const char *parent;
	int r = 0;

	if (ctl_option(ctl, "openssl") != NULL)
		return ctl_ca_export_openssl(ctl, err);
	ca = find(ctl, err);
	if (ca == NULL)
		return -1;
	parent = json_string_value(json_object_get(ca, "parent"));
	buf_append_str(&out, json_string_value(json_object_get(ca, "pem")));
	if (ctl_option(ctl, "chain") != NULL)
		r = certfile_append_chain(ctl, parent, &out, err);
	json_decref(ca);
	return r == 0 ? ctl_write_output(ctl, buf_bytes(&out), err) : -1;
}
