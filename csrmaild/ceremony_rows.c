#include "csrmaild/ceremony_private.h"
#include "common/ca.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/key.h"
#include "common/names.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/ca_files.h"

#include <openssl/err.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_S	((time_t)30 * 86400)

/* --- what is on record ---------------------------------------------------- */

struct looking {
	const char	*name;
	time_t		 now;
	struct standing	*out;
	bool		 valid;		/* the one found so far */
	struct err	*err;
};

static int
keep_standing(struct standing *out, const struct ca_row *row, struct err *err)
{
	const uint8_t *at = row->cert.data;
	X509 *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	if (cert == NULL)
		return err_openssl(err, ERR_FAULT,
		    "reading a CA's certificate");
	standing_free(out);
	out->id = row->id;
	out->cert = cert;
	snprintf(out->name, sizeof(out->name), "%s", row->name);
	snprintf(out->parent, sizeof(out->parent), "%s", row->parent);
	return 0;
}

/* As authority_current: the newest that is valid, else the newest of all. */
static int
look_at(const struct ca_row *row, void *arg)
{
	struct looking *l = arg;
	bool valid = row->not_before <= l->now && l->now < row->not_after;

	if (!ca_is_meant(l->name, row->name))
		return 0;
	if (l->out->id != 0 && (valid == l->valid ? ca_generation(row->name) <
	    ca_generation(l->out->name) : !valid))
		return 0;
	l->valid = valid;
	return keep_standing(l->out, row, l->err);
}

struct climbing {
	struct standing	*out;
	char		 parent[CA_NAME_MAX + 1];
};

static int
climb(const struct ca_row *row, void *arg)
{
	struct climbing *climbing = arg;
	const uint8_t *at = row->cert.data;
	X509 *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	snprintf(climbing->parent, sizeof(climbing->parent), "%s",
	    cert == NULL ? "" : row->parent);
	if (cert != NULL)
		climbing->out->above[climbing->out->n_above++] = cert;
	return 0;
}

int
ceremony_find(const struct ceremony *c, const char *name,
    struct standing *out, struct err *err)
{
	struct looking l = { .name = name, .now = c->now, .out = out,
		.err = err };
	struct climbing up = { .out = out };
	int r = 0;

	if (store_each_ca(c->store, look_at, &l, err) < 0)
		return -1;
	if (out->id == 0)
		return 1;
	memcpy(up.parent, out->parent, sizeof(up.parent));
	while (r == 0 && up.parent[0] != '\0' &&
	    out->n_above < STANDING_ABOVE) {
		char parent[CA_NAME_MAX + 1];

		memcpy(parent, up.parent, sizeof(parent));
		r = store_find_ca(c->store, parent, climb, &up, err);
	}
	return r < 0 ? -1 : 0;
}

int
ceremony_find_exactly(const struct ceremony *c, const char *name,
    struct standing *out, struct err *err)
{
	char said[CA_NAME_MAX + 3];

	snprintf(said, sizeof(said), "%s%s", name,
	    strchr(name, '~') == NULL ? "~1" : "");
	return ceremony_find(c, said, out, err);
}

struct counting {
	const char	*family;
	unsigned int	 newest;
};

static int
count(const struct ca_row *row, void *arg)
{
	struct counting *counting = arg;

	if (ca_is_of_family(row->name, counting->family) &&
	    ca_generation(row->name) > counting->newest)
		counting->newest = ca_generation(row->name);
	return 0;
}

int
ceremony_newest(const struct ceremony *c, const char *family,
    unsigned int *out, struct err *err)
{
	struct counting counting = { family, 0 };

	if (store_each_ca(c->store, count, &counting, err) < 0)
		return -1;
	*out = counting.newest;
	return 0;
}

struct same {
	struct bytes	 der;
	bool		 yes;
};

static int
compare_certificate(const struct ca_certificate_row *row, void *arg)
{
	struct same *same = arg;

	if (bytes_equal(row->cert, same->der))
		same->yes = true;
	return 0;
}

int
ceremony_is_on_record(const struct ceremony *c, int64_t ca, X509 *cert,
    bool *out, struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	struct same same = { { NULL, 0 }, false };

	if (ceremony_encode(cert, &der, err) < 0)
		return -1;
	same.der = buf_bytes(&der);
	if (store_each_ca_certificate(c->store, ca, compare_certificate, &same,
	    err) < 0)
		return -1;
	*out = same.yes;
	return 0;
}

/* --- the certificate, as one of its issuer's ------------------------------ */

/* Also where it is not one of the subjects that we would issue. */
static void
describe_subject(X509 *cert, char *out, size_t size)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	OWNED(BIO) *text = NULL;
	struct err ignored;
	int n = 0;

	if (names_read(X509_get_subject_name(cert), NULL, &names,
	    &ignored) == 0) {
		names_describe(&names, out, size);
		return;
	}
	text = BIO_new(BIO_s_mem());
	if (text != NULL && X509_NAME_print_ex(text,
	    X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(text, out, (int)size - 1);
	out[n > 0 ? n : 0] = '\0';
	ERR_clear_error();
}

static int
see_same(const struct cert_row *row, void *arg)
{
	struct same *same = arg;

	same->yes = bytes_equal(row->der, same->der);
	return 0;
}

/* Under the one that issued it, which may have to revoke it; unless it came
 * here before as one of that CA's certificates. */
static int
add_certificate(const struct ceremony *c, const struct standing *issuer,
    X509 *cert, const struct ca_row *dates, struct bytes der, struct err *err)
{
	char text[256];
	uint8_t spki_sha256[32];
	struct cert_row row = { .ca_id = issuer->id, .ca = issuer->name,
		.state = CERT_ISSUED, .profile = "ca", .reply_to = "",
		.names_text = text, .not_before = dates->not_before,
		.not_after = dates->not_after, .der = der,
		.spki_sha256 = spki_sha256 };
	struct same same = { der, false };
	int r;

	if (key_digest_certificate(cert, spki_sha256, err) < 0 ||
	    serial_from_asn1(X509_get0_serialNumber(cert),
	    &row.serial, err) < 0)
		return -1;
	describe_subject(cert, text, sizeof(text));
	r = store_find_certificate(c->store, issuer->id, &row.serial,
	    see_same, &same, err);
	if (r > 0)
		return store_add_certificate(c->store, &row, err);
	if (r == 0 && !same.yes)
		return err_set(err, ERR_REJECT, "%s has issued another "
		    "certificate with this serial number", issuer->name);
	return r;
}

struct finding {
	struct bytes	 der;
	int64_t		 id;		/* 0: none */
};

static int
see_id(const struct cert_row *row, void *arg)
{
	struct finding *f = arg;

	if (bytes_equal(row->der, f->der))
		f->id = row->id;
	return 0;
}

/* The row of the one before, under whichever key of the parent, says what
 * took its place. A root has none. */
static int
supersede(const struct ceremony *c, const struct ceremony_rows *rows,
    struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	struct finding before = { .id = 0 };
	struct serial old, new;

	if (ceremony_encode(rows->renews->cert, &der, err) < 0 ||
	    serial_from_asn1(X509_get0_serialNumber(rows->renews->cert), &old,
	    err) < 0 || serial_from_asn1(X509_get0_serialNumber(rows->cert),
	    &new, err) < 0)
		return -1;
	before.der = buf_bytes(&der);
	if (store_find_certificate(c->store, 0, &old, see_id, &before,
	    err) < 0)
		return -1;
	return before.id == 0 ? 0 : store_supersede(c->store, before.id,
	    rows->parent->id, &new, err);
}

/* --- CAs that end together ------------------------------------------------ */

struct ends {
	const struct ceremony *c;
	const struct ceremony_rows *rows;
	char		 family[CA_NAME_MAX + 1];
	time_t		 end, margin;
	struct err	*err;
};

static time_t
margin_of(time_t not_before, time_t not_after)
{
	time_t tenth = (not_after - not_before) / 10;

	return tenth < MARGIN_S ? tenth : MARGIN_S;
}

static int
tell(const struct ends *e, const char *text)
{
	char object[CA_NAME_MAX + 4];

	if (e->c->warn != NULL)
		e->c->warn(e->c->warn_arg, text);
	snprintf(object, sizeof(object), "ca:%s", e->rows->name);
	return store_audit(e->c->store, e->c->now, "ca.warned",
	    e->c->principal, object, text, e->err);
}

static int
compare_ends(const struct ca_row *row, void *arg)
{
	const struct ends *e = arg;
	const char *parent = e->rows->parent == NULL ? "" :
	    e->rows->parent->name;
	char text[320];

	if (row->not_after <= e->c->now)
		return 0;
	if (strcmp(row->name, parent) == 0 &&
	    e->end >= row->not_after - margin_of(row->not_before,
	    row->not_after)) {
		snprintf(text, sizeof(text), "%s ends with its parent %s, or "
		    "shortly before: renew the parent in good time, and this "
		    "CA after it", e->rows->name, row->name);
		return tell(e, text);
	}
	if (!ca_is_of_family(row->name, e->family) &&
	    strcmp(row->parent, parent) == 0 &&
	    llabs((long long)(row->not_after - e->end)) <= e->margin) {
		snprintf(text, sizeof(text), "%s and %s end at nearly the "
		    "same time: both will have to be renewed at once",
		    e->rows->name, row->name);
		return tell(e, text);
	}
	return 0;
}

static int
warn_of_ends(const struct ceremony *c, const struct ceremony_rows *rows,
    const struct ca_row *dates, struct err *err)
{
	struct ends e = { .c = c, .rows = rows, .end = dates->not_after,
		.margin = margin_of(dates->not_before, dates->not_after),
		.err = err };

	ca_family(rows->name, e.family, sizeof(e.family));
	return store_each_ca(c->store, compare_ends, &e, err);
}

/* --- the commit ----------------------------------------------------------- */

/* Its dates and DER (into der, from which row borrows). */
static int
describe_certificate(X509 *cert, struct buf *der, struct ca_row *row,
    struct err *err)
{
	if (ceremony_encode(cert, der, err) < 0 ||
	    ca_key_sha1(cert, row->key_sha1, err) < 0 ||
	    asn1_time_read(X509_get0_notBefore(cert), &row->not_before,
	    err) < 0)
		return -1;
	row->cert = buf_bytes(der);
	return asn1_time_read(X509_get0_notAfter(cert), &row->not_after, err);
}

static int
audit(const struct ceremony *c, const struct ceremony_rows *rows,
    struct err *err)
{
	char object[CA_NAME_MAX + 4], detail[320], hex[SERIAL_HEX_SIZE];
	uint8_t print[32];
	char print_hex[65];
	struct serial serial;

	if (serial_from_asn1(X509_get0_serialNumber(rows->cert), &serial,
	    err) < 0)
		return -1;
	if (X509_digest(rows->cert, EVP_sha256(), print, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a certificate");
	serial_to_hex(&serial, hex);
	hex_encode((struct bytes){ print, sizeof(print) }, print_hex);
	snprintf(object, sizeof(object), "ca:%s", rows->name);
	snprintf(detail, sizeof(detail), "serial %s, parent %s, sha256 %s",
	    hex, rows->parent == NULL ? "none" : rows->parent->name,
	    print_hex);
	return store_audit(c->store, c->now, rows->event, c->principal,
	    object, detail, err);
}

static int
add_rows(const struct ceremony *c, const struct ceremony_rows *rows,
    struct err *err)
{
	OWNED_BUF(der, JOURNAL_MAX_DER);
	OWNED_BUF(cross_der, JOURNAL_MAX_DER);
	struct ca_row ca = { .name = rows->name,
		.parent = rows->parent == NULL ? "" : rows->parent->name };
	struct ca_row cross = { 0 };
	int64_t id;

	if (describe_certificate(rows->cert, &der, &ca, err) < 0)
		return -1;
	if (rows->renews != NULL)
		ca.id = rows->renews->id;
	if (rows->renews != NULL ? store_renew_ca(c->store, &ca, err) < 0 :
	    store_add_ca(c->store, &ca, &id, err) < 0)
		return -1;
	if (rows->parent != NULL && add_certificate(c, rows->parent,
	    rows->cert, &ca, ca.cert, err) < 0)
		return -1;
	if (rows->parent != NULL && rows->renews != NULL &&
	    supersede(c, rows, err) < 0)
		return -1;
	if (rows->cross != NULL && (describe_certificate(rows->cross,
	    &cross_der, &cross, err) < 0 || add_certificate(c,
	    rows->crossed_by, rows->cross, &cross, cross.cert, err) < 0))
		return -1;
	if (audit(c, rows, err) < 0)
		return -1;
	return warn_of_ends(c, rows, &ca, err);
}

int
ceremony_commit(const struct ceremony *c, const struct ceremony_rows *rows,
    struct err *err)
{
	crash_point("ceremony.before-commit");
	if (store_begin(c->store, err) < 0)
		return -1;
	if (add_rows(c, rows, err) < 0) {
		store_rollback(c->store);
		return -1;
	}
	return store_commit(c->store, err);
}
