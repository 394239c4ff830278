#include "csrmaild/dkim_check.h"

#include "csrmaild/dkim_field.h"
#include "csrmaild/field.h"
#include "csrmaild/header.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/frame.h"
#include "common/owned.h"

#include <opendkim/dkim.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_RSA_BITS	2048	/* as for S/MIME: 112 bits */
#define CLOCK_DRIFT_S	300	/* of the one who signed */

/* They end the program on NULL. */
static void
free_handle(DKIM *dkim)
{
	if (dkim != NULL)
		dkim_free(dkim);
}

static void
close_library(DKIM_LIB *lib)
{
	if (lib != NULL)
		dkim_close(lib);
}
OWNED_BY(DKIM, free_handle)
OWNED_BY(DKIM_LIB, close_library)

/* One signature under examination. */
struct question {
	struct bytes	 message;
	unsigned int	 nth;
	struct bytes	 record;
	time_t		 now;
	struct dkim_tags tags;
	char		 why[96];	/* it is not good; "" */
};

void
dkim_keys_put(struct buf *b, unsigned int nth, struct bytes record)
{
	put_u8(b, (uint8_t)nth);
	put_bytes(b, record);
}

static bool
doubt(struct question *q, const char *why)
{
	snprintf(q->why, sizeof(q->why), "%s", why);
	return false;
}

/* --- what it says of itself --------------------------------------------------- */

/* Decimal, at most twelve digits (3.5); -1: it is none. */
static int64_t
number(struct bytes value)
{
	int64_t n = 0;

	if (value.len == 0 || value.len > 12)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return -1;
		n = n * 10 + (value.data[i] - '0');
	}
	return n;
}

static bool
check_times(struct question *q)
{
	struct bytes x = q->tags.value[DKIM_TAG_X];
	struct bytes t = q->tags.value[DKIM_TAG_T];

	if (x.data != NULL && number(x) <= q->now)
		return doubt(q, "it has expired (x=)");
	if (t.data != NULL && (number(t) < 0 ||
	    number(t) > q->now + CLOCK_DRIFT_S))
		return doubt(q, "it is from the future (t=)");
	return true;
}

static bool
check_tags(struct question *q)
{
	const struct bytes *v = q->tags.value;

	if (!bytes_equal(v[DKIM_TAG_V], bytes_of("1")))
		return doubt(q, "its version is unknown (v=)");
	/* RFC 8301, 3.1: rsa-sha1 is not to be used. */
	if (!bytes_equal(v[DKIM_TAG_A], bytes_of("rsa-sha256")) &&
	    !bytes_equal(v[DKIM_TAG_A], bytes_of("ed25519-sha256")))
		return doubt(q, "its algorithm is neither rsa-sha256 nor "
		    "ed25519-sha256");
	if (v[DKIM_TAG_L].data != NULL)
		return doubt(q, "it leaves out a part of the body (l=)");
	return check_times(q);
}

/* --- what it covers ------------------------------------------------------------ */
static size_t
count_fields(struct bytes block, const char *name)
{
	enum field_result r;
	struct field field;
	size_t n = 0;

	while ((r = field_next(&block, &field)) != FIELD_END)
		n += r == FIELD_OK && field_is(&field, name);
	return n;
}

/*
 * h= takes fields of one name from the last one up, and one that is not there
 * as empty (5.4.2): so a name that it has as often as the header covers all of
 * them, and one that the header has not, that there is none.
 */
static bool
check_coverage(struct question *q)
{
	static const struct {
		const char	*name;
		bool		 always;
	} fields[] = {
		{ "From",			true },
		{ "Message-ID",			true },
		{ "Content-Type",		true },
		{ "Subject",			false },
		{ "Content-Transfer-Encoding",	false },
		{ "Content-Disposition",	false },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t covered = dkim_tags_count_signed(&q->tags,
		    bytes_of(fields[i].name));
		size_t there = count_fields(q->message, fields[i].name);

		if (covered >= there && (covered > 0 || !fields[i].always))
			continue;
		snprintf(q->why, sizeof(q->why), "it does not cover %s",
		    fields[i].name);
		return false;
	}
	if (count_fields(q->message, "Message-ID") == 0)
		return doubt(q, "the message has no Message-ID");
	return true;
}

/* --- libopendkim ---------------------------------------------------------------- */

/* Only ever asked about the one signature that it was given; that it read
 * the same domain and selector there as we is made sure of. */
static DKIM_CBSTAT
look_up_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *out, size_t size)
{
	const struct question *q = dkim_get_user_context(dkim);

	if (!bytes_equal_nocase(q->tags.value[DKIM_TAG_D],
	    (const char *)dkim_sig_getdomain(sig)) ||
	    !bytes_equal_nocase(q->tags.value[DKIM_TAG_S],
	    (const char *)dkim_sig_getselector(sig)) ||
	    q->record.len == 0 || q->record.len >= size ||
	    memchr(q->record.data, '\0', q->record.len) != NULL)
		return DKIM_CBSTAT_NOTFOUND;
	memcpy(out, q->record.data, q->record.len);
	out[q->record.len] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

/* Its functions take what they only read without const. */
static u_char *
readable(struct bytes view)
{
	return (u_char *)(uintptr_t)view.data;
}

/* The fields but for other signatures, which are not this one's word. */
static bool
feed_header(DKIM *dkim, struct question *q)
{
	struct bytes left = q->message;
	unsigned int signatures = 0;
	enum field_result r;
	struct field field;

	while ((r = field_next(&left, &field)) != FIELD_END) {
		struct bytes raw = field.raw;

		if (r != FIELD_OK || raw.len < 2 ||
		    raw.data[raw.len - 2] != '\r')
			return false;
		raw.len -= 2;
		if (field_is(&field, DKIM_SIGNHEADER) &&
		    signatures++ != q->nth)
			continue;
		if (dkim_header(dkim, readable(raw), raw.len) != DKIM_STAT_OK)
			return false;
	}
	return true;
}

static bool
lines_end_in_crlf(struct bytes block)
{
	for (size_t i = 0; i < block.len; i++)
		if (block.data[i] == '\n' &&
		    (i == 0 || block.data[i - 1] != '\r'))
			return false;
	return true;
}

static bool
judge(DKIM *dkim, struct question *q)
{
	DKIM_SIGINFO **sigs;
	unsigned int bits = 0;
	dkim_alg_t algorithm;
	DKIM_SIGINFO *sig;
	int n;

	if (dkim_getsiglist(dkim, &sigs, &n) != DKIM_STAT_OK || n != 1)
		return doubt(q, "it cannot be read");
	sig = sigs[0];
	if (dkim_sig_geterror(sig) != DKIM_SIGERROR_OK ||
	    !DKIM_SIG_CHECK(sig)) {
		const char *text = dkim_sig_geterrorstr(
		    dkim_sig_geterror(sig));

		return doubt(q, text == NULL ? "it does not fit" : text);
	}
	if ((dkim_sig_getflags(sig) & DKIM_SIGFLAG_TESTKEY) != 0)
		return doubt(q, "its key is for testing only (t=y)");
	if (dkim_sig_getsignalg(sig, &algorithm) != DKIM_STAT_OK ||
	    (algorithm == DKIM_SIGN_RSASHA256 &&
	    (dkim_sig_getkeysize(sig, &bits) != DKIM_STAT_OK ||
	    bits < MIN_RSA_BITS)))
		return doubt(q, "its key is shorter than 2048 bits");
	return true;
}

static bool
verify(DKIM_LIB *lib, struct question *q)
{
	struct bytes body = bytes_slice(q->message,
	    header_block_octets(q->message), q->message.len);
	DKIM_STAT status;
	OWNED(DKIM) *dkim = dkim_verify(lib, (const u_char *)"mail", NULL,
	    &status);

	if (dkim == NULL)
		return doubt(q, "out of memory");
	if (dkim_set_user_context(dkim, q) != DKIM_STAT_OK ||
	    !feed_header(dkim, q) || dkim_eoh(dkim) != DKIM_STAT_OK ||
	    (body.len > 0 &&
	    dkim_body(dkim, readable(body), body.len) != DKIM_STAT_OK))
		return doubt(q, "it cannot be read");
	dkim_eom(dkim, NULL);	/* judge asks about the signature itself */
	return judge(dkim, q);
}

static bool
is_good(DKIM_LIB *lib, struct question *q)
{
	struct field field;

	if (!dkim_field_find(q->message, q->nth, &field) ||
	    !dkim_tags_read(field.body, &q->tags))
		return doubt(q, "it cannot be read");
	if (!lines_end_in_crlf(bytes_slice(q->message, 0,
	    header_block_octets(q->message))))
		return doubt(q, "the header's lines do not end in CRLF");
	return check_tags(q) && check_coverage(q) && verify(lib, q);
}

/* Keys are looked up once the body is there, by look_up_key alone. */
static DKIM_LIB *
open_library(void)
{
	u_int flags = DKIM_LIBFLAGS_DELAYSIGPROC;
	DKIM_LIB *lib = dkim_init(NULL, NULL);

	if (lib != NULL && (dkim_options(lib, DKIM_OP_SETOPT,
	    DKIM_OPTS_FLAGS, &flags, sizeof(flags)) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(lib, look_up_key) != DKIM_STAT_OK)) {
		dkim_close(lib);
		lib = NULL;
	}
	return lib;
}

int
dkim_check(struct bytes message, struct bytes keys, time_t now,
    struct dkim_result *out, struct err *err)
{
	OWNED(DKIM_LIB) *lib = open_library();
	struct cursor c = CURSOR(keys);

	*out = (struct dkim_result){ 0 };
	if (lib == NULL)
		return err_set(err, ERR_FAULT, "libopendkim does not start");
	for (unsigned int i = 0; c.left.len > 0 && !out->good; i++) {
		struct question q = { .message = message, .now = now };

		q.nth = get_u8(&c);
		q.record = get_bytes(&c, DKIM_RECORD_MAX);
		if (c.failed || i == DKIM_MAX_CANDIDATES)
			return err_set(err, ERR_FAULT, "a broken question");
		out->nth = q.nth;
		out->good = is_good(lib, &q);
		snprintf(out->text, sizeof(out->text), "%s", q.why);
	}
	return 0;
}
