#include "csrmaild/crl_read.h"
#include "common/err.h"
#include "common/frame.h"
#include "common/issue.h"
#include "common/owned.h"
#include "csrmaild/sealed.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRIES_A_FRAME	1000
#define ENTRY_OCTETS	64		/* at most, in a frame */
#define FRAME_MAX	(ENTRIES_A_FRAME * ENTRY_OCTETS)
#define ENTRIES_MAX	((size_t)10 * 1000 * 1000)

struct issuers {
	const struct bytes *certs;
	size_t		 n;
};

/* --- in the child -------------------------------------------------------- */

static int
say(int fd, struct buf *frame)
{
	struct err ignored;
	int r = frame->failed ? -1 : sealed_send(fd, buf_bytes(frame),
	    &ignored);

	buf_clear(frame);
	return r;
}

static int
refuse(int fd, const char *why)
{
	OWNED_BUF(frame, FRAME_MAX);

	put_u8(&frame, 1);
	put_str(&frame, why);
	say(fd, &frame);
	return 0;
}

static X509_CRL *
parse(struct bytes in)
{
	OWNED(BIO) *bio = NULL;
	const uint8_t *at = in.data;
	X509_CRL *crl;

	if (in.len > 0 && in.data[0] == 0x30) {
		crl = d2i_X509_CRL(NULL, &at, (long)in.len);
		if (crl == NULL || at == in.data + in.len)
			return crl;
		X509_CRL_free(crl);
		return NULL;
	}
	bio = BIO_new_mem_buf(in.data, (int)in.len);
	return bio == NULL ? NULL :
	    PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
}

/* Which of them signed it; n: none. */
static size_t
find_issuer(X509_CRL *crl, const struct issuers *issuers)
{
	for (size_t i = 0; i < issuers->n; i++) {
		const uint8_t *at = issuers->certs[i].data;
		OWNED(X509) *cert = d2i_X509(NULL, &at,
		    (long)issuers->certs[i].len);

		if (cert != NULL && X509_NAME_cmp(X509_CRL_get_issuer(crl),
		    X509_get_subject_name(cert)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(cert)) == 1)
			return i;
	}
	return issuers->n;
}

/* 0 when it is not there; -1 when it is beyond what we count. */
static int
number_of(X509_CRL *crl, int nid, uint64_t *out)
{
	OWNED(ASN1_INTEGER) *n = X509_CRL_get_ext_d2i(crl, nid, NULL, NULL);

	*out = 0;
	if (n == NULL)
		return 0;
	return ASN1_INTEGER_get_uint64(out, n) == 1 &&
	    *out <= INT64_MAX ? 0 : -1;
}

/* RFC 5280, 5.2.5. */
static void
point_of(X509_CRL *crl, char out[CRL_URL_MAX + 1])
{
	ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(crl,
	    NID_issuing_distribution_point, NULL, NULL);
	GENERAL_NAMES *names = idp != NULL && idp->distpoint != NULL &&
	    idp->distpoint->type == 0 ? idp->distpoint->name.fullname : NULL;

	snprintf(out, CRL_URL_MAX + 1, "%s", X509_CRL_get_ext_by_NID(crl,
	    NID_issuing_distribution_point, -1) < 0 ? "" : "?");
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *uri =
		    name->d.uniformResourceIdentifier;

		if (name->type != GEN_URI || ASN1_STRING_length(uri) < 1 ||
		    ASN1_STRING_length(uri) > CRL_URL_MAX ||
		    memchr(ASN1_STRING_get0_data(uri), '\0',
		    (size_t)ASN1_STRING_length(uri)) != NULL)
			continue;
		snprintf(out, CRL_URL_MAX + 1, "%.*s", ASN1_STRING_length(uri),
		    (const char *)ASN1_STRING_get0_data(uri));
		break;
	}
	ISSUING_DIST_POINT_free(idp);
}

/* False: an entry that no certificate of ours can have. */
static bool
read_entry(const X509_REVOKED *revoked, struct crl_entry *out)
{
	OWNED(ASN1_ENUMERATED) *reason = X509_REVOKED_get_ext_d2i(revoked,
	    NID_crl_reason, NULL, NULL);
	ASN1_GENERALIZEDTIME *invalidity = X509_REVOKED_get_ext_d2i(revoked,
	    NID_invalidity_date, NULL, NULL);
	long word = reason == NULL ? 0 : ASN1_ENUMERATED_get(reason);
	struct err ignored;
	bool good;

	*out = (struct crl_entry){ 0 };
	good = serial_from_asn1(X509_REVOKED_get0_serialNumber(revoked),
	    &out->serial, &ignored) == 0 &&
	    asn1_time_read(X509_REVOKED_get0_revocationDate(revoked),
	    &out->revoked_at, &ignored) == 0;
	if (word > 0 && word <= 10 && word != 7)
		out->reason = (enum crl_reason)word;
	if (invalidity != NULL && asn1_time_read(invalidity,
	    &out->invalidity, &ignored) < 0)
		out->invalidity = 0;
	ASN1_GENERALIZEDTIME_free(invalidity);
	return good;
}

static int
say_entries(int fd, X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);
	OWNED_BUF(frame, FRAME_MAX);
	struct crl_entry e;
	uint16_t n_odd = 0;
	int in_frame = 0;

	for (int i = 0; i < sk_X509_REVOKED_num(all); i++) {
		if (!read_entry(sk_X509_REVOKED_value(all, i), &e)) {
			n_odd = n_odd == UINT16_MAX ? n_odd :
			    (uint16_t)(n_odd + 1);
			continue;
		}
		put_bytes(&frame, (struct bytes){ e.serial.octets,
		    e.serial.len });
		put_time(&frame, e.revoked_at);
		put_u8(&frame, (uint8_t)e.reason);
		put_time(&frame, e.invalidity);
		if (++in_frame == ENTRIES_A_FRAME) {
			if (say(fd, &frame) < 0)
				return 1;
			in_frame = 0;
		}
	}
	if (in_frame > 0 && say(fd, &frame) < 0)
		return 1;
	if (say(fd, &frame) < 0)	/* an empty one ends them */
		return 1;
	put_u16(&frame, n_odd);
	return say(fd, &frame) < 0;
}

static int
read_one(int fd, void *arg)
{
	const struct issuers *issuers = arg;
	OWNED_BUF(octets, CRL_READ_MAX);
	OWNED_BUF(frame, FRAME_MAX);
	OWNED(X509_CRL) *crl = NULL;
	struct crl_terms terms = { 0 };
	char point[CRL_URL_MAX + 1];
	struct err err;
	size_t issuer;

	if (sealed_receive(fd, &octets, &err) < 0)
		return 1;
	crl = parse(buf_bytes(&octets));
	if (crl == NULL)
		return refuse(fd, "it is no CRL in PEM or DER");
	buf_free(&octets);
	issuer = find_issuer(crl, issuers);
	if (issuer == issuers->n)
		return refuse(fd, "no CA on record has signed it");
	if (number_of(crl, NID_crl_number, &terms.number) < 0 ||
	    number_of(crl, NID_delta_crl, &terms.base) < 0)
		return refuse(fd, "its number is beyond 2^63");
	if (asn1_time_read(X509_CRL_get0_lastUpdate(crl), &terms.this_update,
	    &err) < 0)
		return refuse(fd, "its thisUpdate cannot be read");
	if (X509_CRL_get0_nextUpdate(crl) == NULL || asn1_time_read(
	    X509_CRL_get0_nextUpdate(crl), &terms.next_update, &err) < 0)
		terms.next_update = terms.this_update + 1;
	put_u8(&frame, 0);
	put_u32(&frame, (uint32_t)issuer);
	put_u64(&frame, terms.number);
	put_u64(&frame, terms.base);
	put_time(&frame, terms.this_update);
	put_time(&frame, terms.next_update);
	point_of(crl, point);
	put_str(&frame, point);
	return say(fd, &frame) < 0 ? 1 : say_entries(fd, crl);
}

/* --- outside ------------------------------------------------------------- */

static int
load(const char *path, struct buf *out, struct err *err)
{
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	uint8_t *to;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_REJECT, "%s: %s", path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)CRL_READ_MAX)
		return err_set(err, ERR_REJECT, "%s: it is no file, or too "
		    "long for a CRL", path);
	to = buf_reserve(out, (size_t)st.st_size);
	if (to == NULL)
		return err_set(err, ERR_RETRY, "out of memory for a CRL");
	while (out->len < (size_t)st.st_size) {
		ssize_t n = read(fd, to + out->len, (size_t)st.st_size -
		    out->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		out->len += (size_t)n;
	}
	return 0;
}

static int
add_entries(struct crl_read *out, size_t *room, struct bytes frame)
{
	struct cursor c = CURSOR(frame);

	while (c.left.len > 0 && !c.failed) {
		struct crl_entry e = { 0 }, *grown;
		struct bytes octets = get_bytes(&c, sizeof(e.serial.octets));
		struct err ignored;

		if (serial_from_octets(octets, &e.serial, &ignored) < 0)
			return -1;
		e.revoked_at = get_time(&c);
		e.reason = (enum crl_reason)get_enum(&c, 0, 10);
		e.invalidity = get_time(&c);
		if (c.failed || crl_reason_name(e.reason) == NULL)
			return -1;
		if (out->n == *room) {
			*room = *room == 0 ? 1024 : *room * 2;
			if (*room > 2 * ENTRIES_MAX)
				return -1;
			grown = realloc(out->entries, *room * sizeof(e));
			if (grown == NULL)
				return -1;
			out->entries = grown;
		}
		out->entries[out->n++] = e;
	}
	return c.failed ? -1 : 0;
}

static int
listen_to(int fd, size_t n_certs, struct crl_read *out, char why[160],
    struct err *err)
{
	OWNED_BUF(said, FRAME_MAX);
	struct cursor c;
	size_t room = 0;

	if (sealed_receive(fd, &said, err) < 0)
		return -1;
	c = CURSOR(buf_bytes(&said));
	if (get_bool(&c)) {
		get_str(&c, why, 160);
		return 1;
	}
	out->issuer = get_u32(&c);
	out->terms.number = get_u64(&c);
	out->terms.base = get_u64(&c);
	out->terms.this_update = get_time(&c);
	out->terms.next_update = get_time(&c);
	get_str(&c, out->point, sizeof(out->point));
	if (!cursor_end(&c) || out->issuer >= n_certs ||
	    out->terms.number > INT64_MAX)
		return err_set(err, ERR_FAULT,
		    "what was read of a CRL makes no sense");
	for (;;) {
		if (sealed_receive(fd, &said, err) < 0)
			return -1;
		if (said.len == 0)
			break;
		if (add_entries(out, &room, buf_bytes(&said)) < 0)
			return err_set(err, ERR_FAULT, "the entries of a CRL "
			    "make no sense, or are too many");
	}
	if (sealed_receive(fd, &said, err) < 0)
		return -1;
	c = CURSOR(buf_bytes(&said));
	out->n_odd = get_u16(&c);
	return 0;
}

int
crl_read_file(const char *path, const struct bytes *certs, size_t n_certs,
    struct crl_read *out, char why[160], struct err *err)
{
	struct issuers issuers = { certs, n_certs };
	struct sealed child = SEALED_NONE;
	struct crl_read found = { 0 };
	OWNED_BUF(octets, CRL_READ_MAX);
	int r;

	if (load(path, &octets, err) < 0 ||
	    sealed_start(read_one, &issuers, 0, &child, err) < 0)
		return -1;
	r = sealed_send(child.fd, buf_bytes(&octets), err);
	if (r == 0)
		r = listen_to(child.fd, n_certs, &found, why, err);
	if (sealed_end(&child) < 0 && r == 0)
		r = err_set(err, ERR_FAULT, "reading a CRL was broken off");
	if (r < 0 && err->kind == ERR_FAULT) {
		/* Its death is a verdict. */
		snprintf(why, 160, "it cannot be read (%.120s)", err->text);
		r = 1;
	}
	if (r != 0) {
		crl_read_free(&found);
		return r;
	}
	*out = found;
	return 0;
}

void
crl_read_free(struct crl_read *crl)
{
	free(crl->entries);
	*crl = (struct crl_read){ 0 };
}
