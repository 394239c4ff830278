#include "common/name_check.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define LABEL_MAX	63
#define DNS_MAX		253
#define LOCAL_PART_MAX	64	/* RFC 5321, 4.5.3.1.1 */

static bool
is_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
	    c == 0x61c ||			/* Arabic letter mark */
	    (c >= 0x200b && c <= 0x200f) ||	/* zero width, LRM, RLM */
	    (c >= 0x2028 && c <= 0x202e) ||	/* separators, embeddings */
	    (c >= 0x2060 && c <= 0x206f) ||	/* isolates, invisible */
	    c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	    (c & 0xfffe) == 0xfffe ||		/* noncharacters */
	    (c >= 0xfdd0 && c <= 0xfdef) ||
	    (c >= 0xe0000 && c <= 0xe0fff);	/* tags */
}

/* One character off the front; false when it is not UTF-8 (RFC 3629, 4). */
static bool
next_char(struct bytes *in, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t first = in->data[0];
	size_t more = first < 0x80 ? 0 : first < 0xc0 ? 4 : first < 0xe0 ? 1 :
	    first < 0xf0 ? 2 : first < 0xf8 ? 3 : 4;
	uint32_t c = more == 0 ? first : first & (0x3fu >> more);

	if (more == 4 || in->len < more + 1)
		return false;
	for (size_t i = 1; i <= more; i++) {
		if ((in->data[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (in->data[i] & 0x3fu);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return false;
	*in = (struct bytes){ in->data + more + 1, in->len - more - 1 };
	*out = c;
	return true;
}

const char *
check_text(struct bytes in, size_t *chars)
{
	size_t n = 0;
	uint32_t c;

	if (in.len == 0)
		return "it is empty";
	for (; in.len > 0; n++) {
		if (!next_char(&in, &c))
			return "it is not UTF-8";
		if (c == 0)
			return "it has a NUL character";
		if (is_hidden(c))
			return "it has a control or invisible character";
	}
	if (chars != NULL)
		*chars = n;
	return NULL;
}

static uint32_t
punycode_adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / points;
	for (; delta > 35 * 26 / 2; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

/*
 * RFC 3492, 6.2, for its verdict only: what stands behind "xn--" decodes, to
 * something that is neither all ASCII nor hidden. The places of characters
 * do not matter for that, but their number does.
 */
static bool
is_punycode(struct bytes in)
{
	uint32_t n = 128, i = 0, bias = 72, points = 0;
	size_t at = 0;

	for (size_t k = in.len; k > 0; k--)
		if (in.data[k - 1] == '-') {
			points = (uint32_t)k - 1;
			at = k;
			break;
		}
	if (at == in.len)
		return false;
	while (at < in.len) {
		uint32_t before = i, weight = 1;

		for (uint32_t k = 36;; k += 36) {
			uint32_t digit, t;

			if (at == in.len)
				return false;
			digit = islower(in.data[at]) ?
			    (uint32_t)in.data[at] - 'a' :
			    isdigit(in.data[at]) ?
			    (uint32_t)in.data[at] - '0' + 26 : 36;
			at++;
			/* 63 digits stay below 2^32 only when checked. */
			if (digit > 35 || digit > (UINT32_MAX - i) / weight)
				return false;
			i += digit * weight;
			t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
			if (digit < t)
				break;
			if (weight > UINT32_MAX / (36 - t))
				return false;
			weight *= 36 - t;
		}
		points++;
		bias = punycode_adapt(i - before, points, before == 0);
		if (i / points > UINT32_MAX - n)
			return false;
		n += i / points;
		i = i % points + 1;
		if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff) ||
		    is_hidden(n))
			return false;
	}
	return true;
}

static const char *
check_label(struct bytes label)
{
	if (label.len == 0)
		return "it has an empty label";
	if (label.len > LABEL_MAX)
		return "a label is longer than 63 octets";
	for (size_t i = 0; i < label.len; i++)
		if (!isascii(label.data[i]))
			return "it has a character outside ASCII; "
			    "write it as an A-label (\"xn--...\")";
		else if (!isalnum(label.data[i]) && label.data[i] != '-')
			return "only letters, digits and hyphens stand in "
			    "its labels";
	if (label.data[0] == '-' || label.data[label.len - 1] == '-')
		return "a label begins or ends with a hyphen";
	/* RFC 5890, 2.3.1: "--" there is reserved, for A-labels so far. */
	if (label.len >= 4 && label.data[2] == '-' && label.data[3] == '-') {
		uint8_t lower[LABEL_MAX];

		for (size_t i = 0; i < label.len; i++)
			lower[i] = (uint8_t)tolower(label.data[i]);
		if (memcmp(lower, "xn--", 4) != 0)
			return "a label has \"--\" in the third place";
		if (!is_punycode((struct bytes){ lower + 4, label.len - 4 }))
			return "a label is no valid A-label (RFC 5891)";
	}
	return NULL;
}

const char *
check_dns(struct bytes in, bool wildcard)
{
	struct bytes label = { NULL, 0 };
	unsigned int labels = 0;
	bool star = false, number = true;
	const char *why;

	if (in.len > DNS_MAX)
		return "it is longer than 253 octets";
	if (wildcard && in.len >= 2 && memcmp(in.data, "*.", 2) == 0) {
		star = true;
		in = bytes_slice(in, 2, in.len);
	}
	for (size_t from = 0; from <= in.len; from += label.len + 1) {
		size_t dot = bytes_find(bytes_slice(in, from, in.len),
		    bytes_of("."));

		label = bytes_slice(in, from,
		    dot == (size_t)-1 ? in.len : dot);
		why = check_label(label);
		if (why != NULL)
			return why;
		labels++;
	}
	for (size_t i = 0; i < label.len; i++)
		number = number && isdigit(label.data[i]);
	if (number)
		return "its last label is a number, as in an IP address";
	if (star && labels < 2)
		return "a wildcard needs two labels behind it at least";
	return NULL;
}

/* The two sides of the last "@"; false without one. */
static bool
split_mailbox(struct bytes in, struct bytes *local, struct bytes *domain)
{
	for (size_t i = in.len; i > 0; i--)
		if (in.data[i - 1] == '@') {
			*local = bytes_slice(in, 0, i - 1);
			*domain = bytes_slice(in, i, in.len);
			return true;
		}
	return false;
}

/* RFC 5322, 3.2.3, with RFC 6532's characters where utf8. */
static const char *
check_local_part(struct bytes local, bool utf8)
{
	if (local.len == 0 || local.len > LOCAL_PART_MAX)
		return "what is before \"@\" has 1 to 64 octets";
	for (size_t i = 0; i < local.len; i++) {
		uint8_t c = local.data[i];

		if (c == '.') {
			if (i == 0 || i == local.len - 1 ||
			    local.data[i - 1] == '.')
				return "a dot before \"@\" is out of place";
		} else if (isascii(c) ? !isalnum(c) &&
		    (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL) :
		    !utf8) {
			return "a character before \"@\" does not belong "
			    "there";
		}
	}
	return NULL;
}

const char *
check_email(struct bytes in)
{
	struct bytes local, domain;
	const char *why;

	if (!split_mailbox(in, &local, &domain))
		return "it has no \"@\"";
	why = check_local_part(local, false);
	return why != NULL ? why : check_dns(domain, false);
}

const char *
check_smtp_utf8(struct bytes in)
{
	struct bytes local, domain;
	const char *why = check_text(in, NULL);
	bool ascii = true;

	if (why != NULL)
		return why;
	if (!split_mailbox(in, &local, &domain))
		return "it has no \"@\"";
	why = check_local_part(local, true);
	if (why != NULL)
		return why;
	for (size_t i = 0; i < local.len; i++)
		ascii = ascii && isascii(local.data[i]);
	if (ascii)
		return "a mailbox in ASCII is an rfc822Name (RFC 9598, 3)";
	return check_dns(domain, false);
}

const char *
check_uri(struct bytes in)
{
	size_t colon = bytes_find(in, bytes_of(":")), end = 0;
	struct bytes rest;

	for (size_t i = 0; i < in.len; i++)
		if (in.data[i] <= ' ' || in.data[i] >= 0x7f ||
		    strchr("\"<>\\^`{|}", in.data[i]) != NULL)
			return "a character in it does not belong in a URI";
	if (colon == (size_t)-1 || colon == 0 || !isalpha(in.data[0]))
		return "it has no scheme";
	for (size_t i = 0; i < colon; i++)
		if (!isalnum(in.data[i]) &&
		    strchr("+-.", in.data[i]) == NULL)
			return "its scheme is malformed";
	rest = bytes_slice(in, colon + 1, in.len);
	if (rest.len == 0)
		return "nothing comes after its scheme";
	if (rest.len < 2 || memcmp(rest.data, "//", 2) != 0)
		return NULL;
	rest = bytes_slice(rest, 2, rest.len);
	while (end < rest.len && strchr("/?#", rest.data[end]) == NULL)
		end++;
	if (end == 0 || rest.data[0] == ':')
		return "it has no host";
	return NULL;
}

const char *
check_printable(struct bytes in)
{
	if (in.len == 0)
		return "it is empty";
	for (size_t i = 0; i < in.len; i++)
		if (!isascii(in.data[i]) || (!isalnum(in.data[i]) &&
		    (in.data[i] == '\0' ||
		    strchr(" '()+,-./:=?", in.data[i]) == NULL)))
			return "a character is outside PrintableString";
	return NULL;
}
