#include "csrmaild/describe.h"

#include "common/ca.h"
#include "common/constraints.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/key.h"
#include "common/owned.h"
#include "common/serial.h"
#include "common/store.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

/* One subject in a line, as X509_NAME_oneline is not: readable and whole. */
static void
put_subject(json_t *out, const char *key, const X509_NAME *name)
{
	OWNED(BIO) *text = BIO_new(BIO_s_mem());
	char line[1024];
	int n = 0;

	if (text != NULL && X509_NAME_print_ex(text, name, 0,
	    XN_FLAG_SEP_CPLUS_SPC & ~XN_FLAG_DN_REV) >= 0)
		n = BIO_read(text, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	describe_text(out, key, line);
}

static void
put_key(json_t *out, const X509 *cert)
{
	struct key_facts facts;
	struct err ignored;
	char text[64];

	/* A key that we would not certify is named by its library. */
	if (key_examine(X509_get_X509_PUBKEY(cert), &facts, &ignored) == 0)
		snprintf(text, sizeof(text), facts.kind == KEY_RSA ? "%s %u" :
		    "%s", key_kind_name(facts.kind), facts.bits);
	else if (X509_get0_pubkey(cert) != NULL)
		snprintf(text, sizeof(text), "%s %d", EVP_PKEY_get0_type_name(
		    X509_get0_pubkey(cert)), EVP_PKEY_get_bits(
		    X509_get0_pubkey(cert)));
	else
		return;
	describe_text(out, "key", text);
}

static void
put_policies(json_t *out, const X509 *cert)
{
	CERTIFICATEPOLICIES *policies = X509_get_ext_d2i(cert,
	    NID_certificate_policies, NULL, NULL);
	json_t *list = json_array();
	char oid[128];

	for (int i = 0; i < sk_POLICYINFO_num(policies); i++)
		if (OBJ_obj2txt(oid, sizeof(oid), sk_POLICYINFO_value(policies,
		    i)->policyid, 1) > 0)
			json_array_append_new(list, json_string(oid));
	CERTIFICATEPOLICIES_free(policies);
	if (json_array_size(list) > 0)
		json_object_set_new(out, "policies", list);
	else
		json_decref(list);
}

/* serial, not_before, not_after, sha256, pem: what tells certificates of one
 * key apart. */
static void
put_identity(json_t *out, const X509 *cert, struct bytes der)
{
	struct serial serial;
	uint8_t print[32];
	char hex[SERIAL_HEX_SIZE], colons[3 * sizeof(print)];
	time_t from = 0, until = 0;
	struct err ignored;

	if (serial_from_asn1(X509_get0_serialNumber(cert), &serial,
	    &ignored) == 0) {
		serial_to_hex(&serial, hex);
		describe_text(out, "serial", hex);
	}
	if (asn1_time_read(X509_get0_notBefore(cert), &from, &ignored) == 0 &&
	    asn1_time_read(X509_get0_notAfter(cert), &until, &ignored) == 0) {
		describe_time(out, "not_before", from);
		describe_time(out, "not_after", until);
	}
	if (X509_digest(cert, EVP_sha256(), print, NULL) == 1) {
		/* As openssl x509 -fingerprint writes it. */
		hex_encode_colons((struct bytes){ print, sizeof(print) },
		    colons);
		describe_text(out, "sha256", colons);
	}
	describe_pem(out, "pem", "CERTIFICATE", der);
}

static X509 *
decode(struct bytes der)
{
	const uint8_t *at = der.data;

	return d2i_X509(NULL, &at, (long)der.len);
}

/* The certificate that is valid now and ends last. */
struct choice {
	json_t		*list;		/* borrowed: of all */
	X509		*best;		/* owned */
	struct buf	 der;		/* owned: its octets */
	bool		 best_is_valid;
	time_t		 now, best_end;
};

static int
consider(const struct ca_certificate_row *row, void *arg)
{
	struct choice *c = arg;
	OWNED(X509) *cert = decode(row->cert);
	bool valid = row->not_before <= c->now && c->now <= row->not_after;
	json_t *one = json_object();

	json_array_append_new(c->list, one);
	describe_time(one, "not_before", row->not_before);
	describe_time(one, "not_after", row->not_after);
	if (cert == NULL)
		return 0;
	put_identity(one, cert, row->cert);
	/* When none is valid, the newest, which comes last. */
	if (c->best != NULL && (valid ? c->best_is_valid &&
	    row->not_after < c->best_end : c->best_is_valid))
		return 0;
	X509_free(c->best);
	c->best = TAKE(cert);
	c->best_is_valid = valid;
	c->best_end = row->not_after;
	buf_clear(&c->der);
	buf_append_bytes(&c->der, row->cert);
	return 0;
}

static void
put_certificate(json_t *out, X509 *cert, struct bytes der)
{
	char text[1024];
	long path_len = X509_get_pathlen(cert);

	put_identity(out, cert, der);
	put_subject(out, "subject", X509_get_subject_name(cert));
	put_subject(out, "issuer", X509_get_issuer_name(cert));
	put_key(out, cert);
	if (path_len >= 0)
		describe_number(out, "path_len", path_len);
	constraints_describe(cert, text, sizeof(text));
	describe_text(out, "constraints", text);
	put_policies(out, cert);
}

static void
put_crl(json_t *out, const struct ca_row *row)
{
	json_t *crl;

	if (row->crl_number == 0)
		return;
	crl = json_object();
	describe_number(crl, "number", (int64_t)row->crl_number);
	describe_time(crl, "this_update", row->crl_this_update);
	describe_time(crl, "next_update", row->crl_next_update);
	json_object_set_new(out, "crl", crl);
}

int
describe_ca(struct store *store, const struct ca_row *row, time_t now,
    json_t **out, struct err *err)
{
	struct choice choice = { .list = json_array(), .now = now,
		.der = BUF(65536) };
	json_t *ca = json_object();
	char family[CA_NAME_MAX + 1];
	int r;

	ca_family(row->name, family, sizeof(family));
	describe_text(ca, "name", row->name);
	describe_text(ca, "family", family);
	describe_number(ca, "generation", ca_generation(row->name));
	describe_text(ca, "parent", row->parent);
	json_object_set_new(ca, "certificates", choice.list);
	/* Of the newest; those of the one that is chosen go over them. */
	describe_time(ca, "not_before", row->not_before);
	describe_time(ca, "not_after", row->not_after);
	describe_pem(ca, "pem", "CERTIFICATE", row->cert);
	r = store_each_ca_certificate(store, row->id, consider, &choice, err);
	if (r == 0 && choice.best != NULL)
		put_certificate(ca, choice.best, buf_bytes(&choice.der));
	put_crl(ca, row);
	ERR_clear_error();
	X509_free(choice.best);
	buf_free(&choice.der);
	if (r != 0) {
		json_decref(ca);
		return -1;
	}
	*out = ca;
	return 0;
}
