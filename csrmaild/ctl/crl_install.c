#include "csrmaild/ctl/ca_rows.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/protocol.h"

#include "common/clock.h"
#include "common/crl.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/owned.h"
#include "common/serial.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string.h>

/*
 * The list of a CA that signs elsewhere, as an offline root is, for
 * published/: it is read and verified here, by the one who brings it, and the
 * registrar or a desk publishes it.
 */
#define MAX_FILE	(96u << 10)
#define MAX_REVOKED	(96u << 10)

static int
read_crl(struct ctl *ctl, X509_CRL **out, struct err *err)
{
	OWNED_BUF(file, MAX_FILE);
	OWNED(BIO) *bio = NULL;
	const uint8_t *at;

	if (ctl_read_file(ctl, ctl->args[0], &file, err) != 0)
		return -1;
	at = file.data;
	*out = d2i_X509_CRL(NULL, &at, (long)file.len);
	if (*out != NULL && at == file.data + file.len)
		return 0;
	X509_CRL_free(*out);
	ERR_clear_error();
	bio = BIO_new_mem_buf(file.data, (int)file.len);
	*out = bio == NULL ? NULL : PEM_read_bio_X509_CRL(bio, NULL, NULL,
	    NULL);
	return *out != NULL ? 0 : err_openssl(err, ERR_REJECT,
	    "the file is no list, in DER or PEM");
}

/* Whose it is: the CA on record whose key has signed it. */
static const json_t *
find_issuer(struct ctl *ctl, const json_t *rows, X509_CRL *crl,
    struct err *err)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
		const char *pem = json_string_value(
		    json_object_get(row, "pem"));
		OWNED(BIO) *bio = pem == NULL ? NULL :
		    BIO_new_mem_buf(pem, -1);
		OWNED(X509) *cert = bio == NULL ? NULL :
		    PEM_read_bio_X509(bio, NULL, NULL, NULL);

		if (cert != NULL && X509_NAME_cmp(X509_CRL_get_issuer(crl),
		    X509_get_subject_name(cert)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(cert)) == 1)
			return row;
	}
	ERR_clear_error();
	ctl_fail(ctl, EX_DATAERR, err, "no CA on record has signed this list");
	return NULL;
}

/* Full, for everything that the CA issued, and in force. */
static int
check_scope(X509_CRL *crl, time_t this_update, time_t next_update,
    struct err *err)
{
	time_t now = clock_now();

	if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0 ||
	    X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point,
	    -1) >= 0)
		return err_set(err, ERR_REJECT, "this is a list for a part of "
		    "the certificates, or a delta: bring a full one");
	if (next_update <= now)
		return err_set(err, ERR_REJECT, "this list has ended");
	if (this_update > now)
		return err_set(err, ERR_REJECT, "this list begins in the "
		    "future: is this machine's clock right?");
	return 0;
}

static int
read_reason(const X509_REVOKED *entry, enum crl_reason *out)
{
	OWNED(ASN1_ENUMERATED) *reason = X509_REVOKED_get_ext_d2i(entry,
	    NID_crl_reason, NULL, NULL);
	long value = reason == NULL ? 0 : ASN1_ENUMERATED_get(reason);

	*out = (enum crl_reason)value;
	return crl_reason_name(*out) == NULL ? -1 : 0;
}

static int
describe_entries(X509_CRL *crl, struct buf *out, struct err *err)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);

	for (int i = 0; i < sk_X509_REVOKED_num(all); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(all, i);
		char hex[SERIAL_HEX_SIZE];
		enum crl_reason reason;
		struct serial serial;
		time_t at;

		if (serial_from_asn1(X509_REVOKED_get0_serialNumber(entry),
		    &serial, err) != 0 ||
		    asn1_time_read(X509_REVOKED_get0_revocationDate(entry),
		    &at, err) != 0)
			return -1;
		if (read_reason(entry, &reason) != 0)
			return err_set(err, ERR_REJECT,
			    "an entry has no reason of RFC 5280, 5.3.1");
		serial_to_hex(&serial, hex);
		buf_printf(out, "%s %lld %s\n", hex, (long long)at,
		    crl_reason_name(reason));
	}
	return out->failed ? err_set(err, ERR_REJECT, "the list is longer than "
	    "one of a root is") : 0;
}

static json_t *
make_args(X509_CRL *crl, struct bytes der, struct err *err)
{
	OWNED(ASN1_INTEGER) *number = X509_CRL_get_ext_d2i(crl,
	    NID_crl_number, NULL, NULL);
	OWNED_BUF(base64, 2 * MAX_FILE);
	OWNED_BUF(revoked, MAX_REVOKED);
	time_t this_update, next_update;
	json_t *args;
	uint64_t n;

	if (number == NULL || ASN1_INTEGER_get_uint64(&n, number) != 1 ||
	    n == 0 || n > INT64_MAX) {
		err_set(err, ERR_REJECT, "the list has no number that can be "
		    "compared (RFC 5280, 5.2.3)");
		return NULL;
	}
	if (asn1_time_read(X509_CRL_get0_lastUpdate(crl), &this_update,
	    err) != 0 || asn1_time_read(X509_CRL_get0_nextUpdate(crl),
	    &next_update, err) != 0 ||
	    check_scope(crl, this_update, next_update, err) != 0 ||
	    describe_entries(crl, &revoked, err) != 0)
		return NULL;
	if (base64_encode(der, 0, &base64) != 0) {
		err_set(err, ERR_FAULT, "out of memory");
		return NULL;
	}
	args = json_pack("{s:I, s:I, s:I, s:s}", "number", (json_int_t)n,
	    "this_update", (json_int_t)this_update, "next_update",
	    (json_int_t)next_update, "crl", buf_str(&base64));
	if (args != NULL && revoked.len > 0)
		json_object_set_new(args, "revoked",
		    json_string(buf_str(&revoked)));
	return args;
}

static int
tell(struct ctl *ctl, const json_t *ca, const char *name, struct err *err)
{
	json_t *lists = NULL;
	struct protocol p;

	if (ca_rows_read_crls(ctl, name, &lists, err) != 0)
		return -1;
	protocol_begin(&p, ctl, "a certificate revocation list was installed");
	protocol_put(&p, "CA", name);
	protocol_put_crl(&p, ca, ca_rows_full_crl(lists, name));
	protocol_put_file(&p, ctl->args[0]);
	json_decref(lists);
	return protocol_end(&p, err);
}

static int
install(struct ctl *ctl, X509_CRL *crl, const char *ca, struct err *err)
{
	OWNED_BUF(path, 512);
	OWNED_BUF(der, MAX_FILE);
	json_t *args, *answer = NULL;
	uint8_t *to;
	int len = i2d_X509_CRL(crl, NULL), r;

	to = len <= 0 ? NULL : buf_reserve(&der, (size_t)len);
	if (to == NULL || i2d_X509_CRL(crl, &to) != len)
		return err_openssl(err, ERR_FAULT, "encoding the list");
	der.len += (size_t)len;
	args = make_args(crl, buf_bytes(&der), err);
	if (args == NULL)
		return -1;
	client_path(&path, "crls/", ca, "/install");
	r = client_post(ctl, buf_str(&path), args, &answer, err);
	json_decref(args);
	json_decref(answer);
	return r;
}

int
ctl_crl_install(struct ctl *ctl, struct err *err)
{
	OWNED(X509_CRL) *crl = NULL;
	json_t *rows = NULL;
	const json_t *row;
	const char *name;
	int r = -1;

	if (read_crl(ctl, &crl, err) != 0 ||
	    ca_rows_read(ctl, &rows, err) != 0)
		return -1;
	row = find_issuer(ctl, rows, crl, err);
	name = json_string_value(json_object_get(row, "name"));
	if (row != NULL && install(ctl, crl, name, err) == 0)
		r = tell(ctl, row, name, err);
	json_decref(rows);
	return r;
}
