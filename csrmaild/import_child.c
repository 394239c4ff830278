#include "csrmaild/import_child.h"
#include "common/err.h"
#include "common/frame.h"
#include "common/issue.h"
#include "common/key.h"
#include "common/names.h"
#include "common/owned.h"
#include "common/privsep.h"
#include "csrmaild/import_time.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <jansson.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define ANSWER_MAX	(IMPORT_ITEM_MAX + 16 * 1024)
/* Then a new child takes over: processor time is limited for each. */
#define ITEMS_A_CHILD	1000
#define SECONDS_A_CHILD	60
#define EXIT_NEXT	3	/* to its parent: fork another */

enum item {
	ITEM_CERTIFICATE = 1,
	ITEM_JSON,
};

struct reading {
	X509		*ca;
	bool		 keys_are_known;
};

/* --- in the child: one certificate --------------------------------------- */

static X509 *
parse(struct bytes in)
{
	OWNED(BIO) *bio = BIO_new_mem_buf(in.data, (int)in.len);
	const uint8_t *at = in.data;
	X509 *cert;

	if (in.len > 0 && in.data[0] == 0x30) {
		cert = d2i_X509(NULL, &at, (long)in.len);
		if (cert != NULL && at == in.data + in.len)
			return cert;
		X509_free(cert);
	}
	return bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

static void
add_url(struct import_entry *e, const GENERAL_NAME *name)
{
	const ASN1_STRING *uri = name->d.uniformResourceIdentifier;
	size_t used = strlen(e->urls), len = name->type != GEN_URI ? 0 :
	    (size_t)ASN1_STRING_length(uri);

	if (len == 0 || used + len + 2 > sizeof(e->urls))
		return;
	for (size_t i = 0; i < len; i++)
		if (!isgraph(ASN1_STRING_get0_data(uri)[i]))
			return;
	snprintf(e->urls + used, sizeof(e->urls) - used, "%s%.*s",
	    used == 0 ? "" : " ", (int)len, ASN1_STRING_get0_data(uri));
}

/* Where its holders look for revocation (RFC 5280, 4.2.1.13 and 4.2.2.1). */
static void
find_urls(const X509 *cert, struct import_entry *e)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(cert,
	    NID_crl_distribution_points, NULL, NULL);
	AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(cert,
	    NID_info_access, NULL, NULL);

	for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT_NAME *name =
		    sk_DIST_POINT_value(points, i)->distpoint;

		if (name == NULL || name->type != 0)
			continue;
		for (int k = 0; k < sk_GENERAL_NAME_num(name->name.fullname);
		    k++)
			add_url(e, sk_GENERAL_NAME_value(name->name.fullname,
			    k));
	}
	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
		const ACCESS_DESCRIPTION *a =
		    sk_ACCESS_DESCRIPTION_value(access, i);

		if (OBJ_obj2nid(a->method) == NID_ad_OCSP)
			add_url(e, a->location);
	}
	CRL_DIST_POINTS_free(points);
	AUTHORITY_INFO_ACCESS_free(access);
}

static void
describe(const X509 *cert, struct import_entry *e)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	OWNED(GENERAL_NAMES) *sans = X509_get_ext_d2i(cert,
	    NID_subject_alt_name, NULL, NULL);
	struct err ignored;

	X509_NAME_oneline(X509_get_subject_name(cert), e->subject,
	    sizeof(e->subject));
	if (names_read(X509_get_subject_name(cert), sans, &names,
	    &ignored) == 0)
		names_describe(&names, e->names, sizeof(e->names));
	else
		memcpy(e->names, e->subject, sizeof(e->names));
}

static void
find_key(X509 *cert, bool is_known, struct import_entry *e,
    struct buf *modulus)
{
	OWNED(BIGNUM) *n = NULL;
	EVP_PKEY *key = X509_get0_pubkey(cert);
	struct key_facts facts;
	struct err err;
	uint8_t *to;
	int len;

	if (!is_known &&
	    key_examine(X509_get_X509_PUBKEY(cert), &facts, &err) < 0)
		snprintf(e->weak, sizeof(e->weak), "%.150s", err.text);
	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bn_param(key, "n", &n) != 1)
		return;
	len = BN_num_bytes(n);
	if (len < 128 || len > 1024)
		return;
	to = buf_reserve(modulus, (size_t)len);
	if (to != NULL)
		modulus->len = (size_t)BN_bn2bin(n, to);
}

static int
examine(struct bytes in, const struct reading *how, struct import_entry *e,
    struct buf *der, struct buf *modulus, char why[160])
{
	OWNED(X509) *cert = parse(in);
	uint8_t *octets = NULL;
	struct err err;
	int len;

	if (cert == NULL) {
		snprintf(why, 160, "it is no certificate in PEM or DER");
		return 1;
	}
	if (serial_from_asn1(X509_get0_serialNumber(cert), &e->serial,
	    &err) < 0 || asn1_time_read(X509_get0_notBefore(cert),
	    &e->not_before, &err) < 0 ||
	    asn1_time_read(X509_get0_notAfter(cert), &e->not_after,
	    &err) < 0) {
		snprintf(why, 160, "%.150s", err.text);
		return 1;
	}
	len = i2d_X509(cert, &octets);
	if (len > 0)
		buf_append(der, octets, (size_t)len);
	OPENSSL_free(octets);
	if (der->failed ||
	    key_digest_certificate(cert, e->spki_sha256, &err) < 0)
		len = -1;
	if (len <= 0 || e->not_before >= e->not_after) {
		snprintf(why, 160, "%s", len <= 0 ? "it cannot be encoded" :
		    "it ends before it begins");
		return 1;
	}
	describe(cert, e);
	find_key(cert, how->keys_are_known, e, modulus);
	find_urls(cert, e);
	e->is_ca = X509_check_ca(cert) == 1;
	e->is_of_ca = X509_NAME_cmp(X509_get_issuer_name(cert),
	    X509_get_subject_name(how->ca)) == 0 &&
	    X509_verify(cert, X509_get0_pubkey(how->ca)) == 1;
	return 0;
}

/* --- in the child: one row of a database --------------------------------- */

/* The first of several names that programs have for one thing. */
static const json_t *
member(const json_t *row, const char *const *names)
{
	for (; *names != NULL; names++) {
		const json_t *found = json_object_get(row, *names);

		if (found != NULL && !json_is_null(found))
			return found;
	}
	return NULL;
}
#define MEMBER(row, ...) member(row, (const char *const[]){ __VA_ARGS__, NULL })

/* Both write serials in decimal. */
static int
read_decimal(const char *text, struct serial *out, struct err *err)
{
	OWNED(BIGNUM) *n = NULL;
	uint8_t octets[32];
	int len;

	if (strlen(text) > 64 || strspn(text, "0123456789") != strlen(text) ||
	    BN_dec2bn(&n, text) == 0)
		return err_set(err, ERR_REJECT,
		    "its serial is no decimal number");
	len = BN_num_bytes(n) > (int)sizeof(octets) ? -1 : BN_bn2bin(n, octets);
	if (len < 0)
		return err_set(err, ERR_REJECT, "its serial is too long");
	return serial_from_octets((struct bytes){ octets, (size_t)len }, out,
	    err);
}

/* A date that is missing, or Go's zero of year 1, is 0. */
static int
read_date(const json_t *value, time_t *out)
{
	const char *text = json_string_value(value);

	*out = 0;
	if (json_is_integer(value)) {
		*out = (time_t)json_integer_value(value);
		return 0;
	}
	if (text == NULL)
		return value == NULL ? 0 : -1;
	if (text[0] == '\0' || strncmp(text, "0001-", 5) == 0)
		return 0;
	return import_time_iso(bytes_of(text), out);
}

static void
read_reason(const json_t *value, struct import_entry *e)
{
	const char *word = json_string_value(value);
	json_int_t number = json_integer_value(value);

	e->reason = CRL_UNSPECIFIED;
	if (value == NULL || (word != NULL && word[0] == '\0'))
		return;
	if (word != NULL && strspn(word, "0123456789") == strlen(word) &&
	    strlen(word) < 3) {
		sscanf(word, "%" JSON_INTEGER_FORMAT, &number);
		word = NULL;
	}
	if (word != NULL) {
		if (crl_reason_from_name(word, &e->reason) < 0 ||
		    e->reason == CRL_REMOVE_FROM_CRL) {
			e->reason = CRL_UNSPECIFIED;
			e->reason_is_odd = true;
		}
	} else if (number >= 0 && number <= 10 && number != 7 && number != 8) {
		e->reason = (enum crl_reason)number;
	} else {
		e->reason_is_odd = true;
	}
}

/*
 * Only words that are known for it make a row good. 0; -1: it is of no type
 * that a status has, so that nobody knows what the row is about.
 */
static int
read_status(const json_t *status, bool has_date, struct import_entry *e)
{
	static const char *const good[] = { "good", "valid", "issued",
		"active", "expired" };
	const char *word = json_string_value(status);

	if (status != NULL && word == NULL)
		return -1;
	/* step-ca lists revoked ones only, and has no status. */
	e->state = word == NULL && !has_date ? IMPORT_VALID : IMPORT_REVOKED;
	e->is_doubtful = word != NULL && strcasecmp(word, "revoked") != 0;
	for (size_t i = 0; e->is_doubtful && i < sizeof(good) /
	    sizeof(good[0]); i++)
		if (strcasecmp(word, good[i]) == 0) {
			e->state = IMPORT_VALID;
			e->is_doubtful = false;
		}
	return 0;
}

static int
read_row(const json_t *row, const struct reading *how,
    struct import_entry *e, struct buf *der, struct buf *modulus,
    char why[160])
{
	const char *serial = json_string_value(MEMBER(row, "serial_number",
	    "serial", "Serial", "SerialNumber"));
	const char *pem = json_string_value(MEMBER(row, "pem", "PEM"));
	struct import_entry status = { 0 };
	bool has_date, has_expiry;
	time_t revoked_at, expiry;
	struct serial written;
	struct err err;
	int r = 0;

	if (serial == NULL || read_decimal(serial, &written, &err) < 0) {
		snprintf(why, 160, "%.150s", serial == NULL ?
		    "it has no serial" : err.text);
		return 1;
	}
	has_date = read_date(MEMBER(row, "revoked_at", "RevokedAt"),
	    &revoked_at) == 0;
	has_expiry = read_date(MEMBER(row, "expiry", "Expiry", "expires_at",
	    "ExpiresAt"), &expiry) == 0;
	if (read_status(MEMBER(row, "status", "Status"),
	    !has_date || revoked_at != 0, &status) < 0) {
		snprintf(why, 160, "its status is no text");
		return 1;
	}
	if (status.state != IMPORT_REVOKED && (!has_date || !has_expiry)) {
		snprintf(why, 160, "one of its dates cannot be read");
		return 1;
	}
	e->serial = written;
	e->not_after = has_expiry ? expiry : 0;
	if (pem != NULL && pem[0] != '\0')
		r = examine(bytes_of(pem), how, e, der, modulus, why);
	if (r == 0 && !serial_equal(&e->serial, &written)) {
		snprintf(why, 160,
		    "its serial is not that of its certificate");
		return 1;
	}
	if (r != 0 && status.state == IMPORT_REVOKED) {
		/* Without its certificate, then. */
		*e = (struct import_entry){ .serial = written };
		buf_clear(der);
		buf_clear(modulus);
		status.is_doubtful = true;
		r = 0;
	}
	e->state = status.state;
	e->is_doubtful = status.is_doubtful ||
	    (status.state == IMPORT_REVOKED && (!has_date || !has_expiry));
	if (e->state == IMPORT_REVOKED) {
		e->revoked_at = has_date ? revoked_at : 0;
		read_reason(MEMBER(row, "reason", "ReasonCode", "reasonCode",
		    "reason_code"), e);
	}
	return r;
}

static int
examine_json(struct bytes in, const struct reading *how,
    struct import_entry *e, struct buf *der, struct buf *modulus,
    char why[160])
{
	json_t *row = json_loadb((const char *)in.data, in.len,
	    JSON_REJECT_DUPLICATES, NULL);
	int r = 1;

	if (json_is_object(row))
		r = read_row(row, how, e, der, modulus, why);
	else
		snprintf(why, 160, "it is no JSON object");
	json_decref(row);
	return r;
}

/* --- what goes between --------------------------------------------------- */

static void
put_entry(struct buf *b, const struct import_entry *e)
{
	put_bytes(b, (struct bytes){ e->serial.octets, e->serial.len });
	put_u8(b, (uint8_t)e->state);
	put_time(b, e->revoked_at);
	put_u8(b, (uint8_t)e->reason);
	put_u8(b, e->reason_is_odd);
	put_u8(b, e->is_doubtful);
	put_time(b, e->invalidity);
	put_time(b, e->not_before);
	put_time(b, e->not_after);
	put_str(b, e->subject);
	put_bytes(b, e->der);
	put_str(b, e->names);
	put_bytes(b, (struct bytes){ e->spki_sha256, 32 });
	put_bytes(b, e->modulus);
	put_u8(b, e->is_of_ca);
	put_u8(b, e->is_ca);
	put_str(b, e->weak);
	put_str(b, e->urls);
}

static void
get_entry(struct cursor *c, struct import_entry *e)
{
	struct bytes serial = get_bytes(c, sizeof(e->serial.octets)), spki;
	struct err ignored;

	if (serial_from_octets(serial, &e->serial, &ignored) < 0)
		c->failed = true;
	e->state = (enum import_state)get_enum(c, IMPORT_VALID,
	    IMPORT_EXPIRED);
	e->revoked_at = get_time(c);
	e->reason = (enum crl_reason)get_enum(c, 0, 10);
	if (crl_reason_name(e->reason) == NULL ||
	    e->reason == CRL_REMOVE_FROM_CRL)
		c->failed = true;
	e->reason_is_odd = get_bool(c);
	e->is_doubtful = get_bool(c);
	e->invalidity = get_time(c);
	e->not_before = get_time(c);
	e->not_after = get_time(c);
	get_str(c, e->subject, sizeof(e->subject));
	e->der = get_bytes(c, IMPORT_ITEM_MAX);
	get_str(c, e->names, sizeof(e->names));
	spki = get_bytes(c, 32);
	if (spki.len == 32)
		memcpy(e->spki_sha256, spki.data, 32);
	else
		c->failed = true;
	e->modulus = get_bytes(c, 1024);
	if (e->modulus.len != 0 && e->modulus.len < 128)
		c->failed = true;
	e->is_of_ca = get_bool(c);
	e->is_ca = get_bool(c);
	get_str(c, e->weak, sizeof(e->weak));
	get_str(c, e->urls, sizeof(e->urls));
}

static int
say_unreadable(int fd, uint32_t number, const char *why)
{
	OWNED_BUF(out, 1024);
	struct err ignored;

	put_u32(&out, number);
	put_u8(&out, 1);
	put_str(&out, why);
	return sealed_send(fd, buf_bytes(&out), &ignored);
}

static int
answer(int fd, struct bytes request, X509 *ca, volatile uint32_t *in_hand)
{
	OWNED_BUF(out, ANSWER_MAX);
	OWNED_BUF(der, IMPORT_ITEM_MAX);
	OWNED_BUF(modulus, 1024);
	struct cursor c = CURSOR(request);
	uint32_t number = get_u32(&c);
	enum item item = (enum item)get_enum(&c, ITEM_CERTIFICATE, ITEM_JSON);
	struct reading how = { .ca = ca, .keys_are_known = get_bool(&c) };
	struct bytes octets = get_bytes(&c, IMPORT_ITEM_MAX);
	struct import_entry e = { .state = IMPORT_VALID };
	struct err ignored;
	char why[160] = "";
	int r;

	*in_hand = number;
#ifdef TEST_HOOKS
	if (bytes_equal(octets, bytes_of("die, for a test")))
		abort();
#endif
	r = item == ITEM_JSON ?
	    examine_json(octets, &how, &e, &der, &modulus, why) :
	    examine(octets, &how, &e, &der, &modulus, why);
	ERR_clear_error();
	if (r != 0)
		return say_unreadable(fd, number, why);
	e.der = buf_bytes(&der);
	e.modulus = buf_bytes(&modulus);
	put_u32(&out, number);
	put_u8(&out, 0);
	put_entry(&out, &e);
	return out.failed ? say_unreadable(fd, number, "it is too long") :
	    sealed_send(fd, buf_bytes(&out), &ignored);
}

/* in_hand: the number of the last request, for the one that forked us. */
static int
work(int fd, X509 *ca, volatile uint32_t *in_hand)
{
	static const struct rlimit cpu = { SECONDS_A_CHILD, SECONDS_A_CHILD };
	OWNED_BUF(request, ANSWER_MAX);
	struct err ignored;

	setrlimit(RLIMIT_CPU, &cpu);
	for (int i = 0; i < ITEMS_A_CHILD; i++)
		if (sealed_receive(fd, &request, &ignored) < 0 ||
		    answer(fd, buf_bytes(&request), ca, in_hand) < 0)
			return 0;	/* the importer is done, or gone */
	return EXIT_NEXT;
}

/* Forks who works, and speaks for one that died. Reads nothing itself. */
static int
keep_working(int fd, void *arg)
{
	const struct bytes *der = arg;
	const uint8_t *at = der->data;
	OWNED(X509) *ca = d2i_X509(NULL, &at, (long)der->len);
	volatile uint32_t *in_hand = mmap(NULL, sizeof(*in_hand), PROT_READ |
	    PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;

	if (ca == NULL || in_hand == MAP_FAILED)
		return 1;
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(work(fd, ca, in_hand));
		while (pid > 0 && waitpid(pid, &status, 0) < 0 &&
		    errno == EINTR)
			continue;
		if (pid < 0)
			return 1;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NEXT)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return 0;
		/* Perhaps answered already: then nobody listens. */
		if (say_unreadable(fd, *in_hand,
		    "it kills the program that reads it") < 0)
			return 1;
	}
}

/* --- outside ------------------------------------------------------------- */

int
import_child_start(const struct bytes *ca, struct import_child *out,
    struct err *err)
{
	out->said = BUF(ANSWER_MAX);
	out->sealed = SEALED_NONE;
	out->keys_are_known = false;
	out->number = 0;
	return sealed_start(keep_working, (void *)(uintptr_t)ca, SANDBOX_FORK,
	    &out->sealed, err);
}

void
import_child_end(struct import_child *child)
{
	sealed_end(&child->sealed);
	buf_free(&child->said);
}

static int
ask(struct import_child *child, enum item item, struct bytes octets,
    struct import_entry *e, char why[160], struct err *err)
{
	OWNED_BUF(request, ANSWER_MAX);
	struct cursor c;

	put_u32(&request, ++child->number);
	put_u8(&request, (uint8_t)item);
	put_u8(&request, child->keys_are_known);
	put_bytes(&request, octets);
	if (octets.len > IMPORT_ITEM_MAX || request.failed) {
		snprintf(why, 160, "it has more than %zu octets",
		    IMPORT_ITEM_MAX);
		return 1;
	}
	if (sealed_send(child->sealed.fd, buf_bytes(&request), err) < 0)
		return -1;
	do {
		if (sealed_receive(child->sealed.fd, &child->said, err) < 0)
			return -1;
		c = CURSOR(buf_bytes(&child->said));
	} while (get_u32(&c) != child->number);
	if (get_bool(&c)) {
		get_str(&c, why, 160);
		return 1;
	}
	*e = (struct import_entry){ 0 };
	get_entry(&c, e);
	return cursor_end(&c) ? 0 : err_set(err, ERR_FAULT,
	    "what was read of a certificate makes no sense");
}

int
import_read_certificate(struct import_child *child, struct bytes octets,
    struct import_entry *e, char why[160], struct err *err)
{
	return ask(child, ITEM_CERTIFICATE, octets, e, why, err);
}

int
import_read_json(struct import_child *child, struct bytes octets,
    struct import_entry *e, char why[160], struct err *err)
{
	return ask(child, ITEM_JSON, octets, e, why, err);
}
