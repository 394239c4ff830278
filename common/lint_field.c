#include "common/lint_private.h"

#include <ctype.h>
#include <string.h>

/* --- dates --- */

static bool
read_digits(struct bytes v, size_t n, unsigned int *digits)
{
	if (v.len != n + 1 || v.data[n] != 'Z')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit(v.data[i]))
			return false;
		digits[i] = v.data[i] - (unsigned int)'0';
	}
	return true;
}

/* Fourteen digits; false when there is no such day or second. */
static bool
to_time(const unsigned int *d, time_t *out)
{
	struct tm tm = {
		.tm_year = (int)(d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3]) -
		    1900,
		.tm_mon = (int)(d[4] * 10 + d[5]) - 1,
		.tm_mday = (int)(d[6] * 10 + d[7]),
		.tm_hour = (int)(d[8] * 10 + d[9]),
		.tm_min = (int)(d[10] * 10 + d[11]),
		.tm_sec = (int)(d[12] * 10 + d[13]),
	};
	const struct tm as_written = tm;

	*out = timegm(&tm);
	/* timegm carries over what is out of range: then a field changed. */
	return tm.tm_mon == as_written.tm_mon &&
	    tm.tm_mday == as_written.tm_mday &&
	    tm.tm_hour == as_written.tm_hour &&
	    tm.tm_min == as_written.tm_min && tm.tm_sec == as_written.tm_sec;
}

bool
lint_read_generalized_time(uint8_t tag, struct bytes v, time_t *out)
{
	unsigned int digits[14];

	return tag == LINT_GENERALIZED_TIME && read_digits(v, 14, digits) &&
	    to_time(digits, out);
}

bool
lint_read_time(uint8_t tag, struct bytes v, time_t *out)
{
	unsigned int digits[14];

	if (tag != LINT_UTC_TIME)
		return lint_read_generalized_time(tag, v, out) &&
		    memcmp(v.data, "2050", 4) >= 0;
	if (!read_digits(v, 12, digits + 2))
		return false;
	/* 4.1.2.5.1: 50 to 99 are of the last century. */
	digits[0] = digits[2] >= 5 ? 1 : 2;
	digits[1] = digits[2] >= 5 ? 9 : 0;
	return to_time(digits, out);
}

/* --- numbers --- */

bool
lint_is_serial(struct bytes v)
{
	return v.len > 0 && v.len <= 20 && (v.data[0] & 0x80) == 0 &&
	    (v.len > 1 || v.data[0] != 0);
}

bool
lint_read_number(struct bytes v, uint32_t *out)
{
	uint32_t n = 0;

	if (v.len == 0 || v.len > 4 || (v.data[0] & 0x80) != 0)
		return false;
	for (size_t i = 0; i < v.len; i++)
		n = n << 8 | v.data[i];
	*out = n;
	return true;
}

/* --- signature algorithms --- */

#define PKCS1(n)	{ 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, (n) }, 9
#define ECDSA_SHA2(n)	{ 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, (n) }, 8

enum parameters { ARE_NULL, ARE_ABSENT, ARE_A_SEQUENCE };
static const struct algorithm {
	uint8_t		 oid[9];
	size_t		 oid_len;
	enum key_kind	 key;		/* P-256 stands for EC */
	const char	*hash;		/* NULL: MD5 or SHA-1; "": its own */
	enum parameters	 parameters;
} algorithms[] = {
	{ PKCS1(4),	KEY_RSA,	NULL,		ARE_NULL },
	{ PKCS1(5),	KEY_RSA,	NULL,		ARE_NULL },
	{ PKCS1(10),	KEY_RSA,	"",		ARE_A_SEQUENCE },
	{ PKCS1(11),	KEY_RSA,	"sha256",	ARE_NULL },
	{ PKCS1(12),	KEY_RSA,	"sha384",	ARE_NULL },
	{ PKCS1(13),	KEY_RSA,	"sha512",	ARE_NULL },
	{ { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1 }, 7,
			KEY_P256,	NULL,		ARE_ABSENT },
	{ ECDSA_SHA2(2), KEY_P256,	"sha256",	ARE_ABSENT },
	{ ECDSA_SHA2(3), KEY_P256,	"sha384",	ARE_ABSENT },
	{ ECDSA_SHA2(4), KEY_P256,	"sha512",	ARE_ABSENT },
	{ { 0x2b, 0x65, 0x70 }, 3, KEY_ED25519, "",	ARE_ABSENT },
	{ { 0x2b, 0x65, 0x71 }, 3, KEY_ED448, "",	ARE_ABSENT },
};

static const struct algorithm *
find_algorithm(struct bytes oid)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (bytes_equal(oid, (struct bytes){ algorithms[i].oid,
		    algorithms[i].oid_len }))
			return &algorithms[i];
	return NULL;
}

static bool
parameters_are(struct bytes left, enum parameters want)
{
	struct bytes v;

	switch (want) {
	case ARE_NULL:
		return der_take(&left, DER_NULL, &v) && left.len == 0;
	case ARE_ABSENT:
		return left.len == 0;
	case ARE_A_SEQUENCE:
		return der_take(&left, DER_SEQUENCE, &v) && left.len == 0;
	}
	return false;
}

void
lint_algorithm(struct lint *l, struct bytes content, enum key_kind key,
    enum lint_id mismatch)
{
	const struct algorithm *a;
	struct bytes oid;

	if (!der_take(&content, DER_OID, &oid) ||
	    (a = find_algorithm(oid)) == NULL) {
		lint_found(l, LINT_ALGORITHM_UNKNOWN);
		return;
	}
	if (!parameters_are(content, a->parameters))
		lint_found(l, LINT_ALGORITHM_PARAMETERS);
	if (a->hash == NULL)
		lint_found(l, LINT_ALGORITHM_WEAK);
	if (key == KEY_P384 || key == KEY_P521)
		key = KEY_P256;
	if (key != 0 && a->key != key)
		lint_found(l, mismatch);
	/* Where the key fixes the hash, the profile cannot ask for one. */
	if (l->profile != NULL && l->profile->signature_hash[0] != '\0' &&
	    a->hash != NULL && a->hash[0] != '\0' &&
	    strcmp(a->hash, l->profile->signature_hash) != 0)
		lint_found(l, LINT_ALGORITHM_PROFILE);
}

void
lint_signature(struct lint *l, struct bytes content)
{
	if (content.len < 2 || content.data[0] != 0)
		lint_found(l, LINT_SIGNATURE_FORM);
}
