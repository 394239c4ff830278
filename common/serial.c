#include "common/serial.h"

#include "common/err.h"

#include <openssl/rand.h>

#include <ctype.h>
#include <string.h>

#define GENERATED_OCTETS	16

int
serial_generate(struct serial *out, struct err *err)
{
	struct serial s = { .len = GENERATED_OCTETS };

	/* A first octet of zero would be a leading zero: drawing again costs
	 * 1 in 128 and leaves more than 126 bits to chance. */
	do {
		if (RAND_bytes(s.octets, GENERATED_OCTETS) != 1)
			return err_openssl(err, ERR_RETRY,
			    "drawing a serial number");
		s.octets[0] &= 0x7f;
	} while (s.octets[0] == 0);
	*out = s;
	return 0;
}

int
serial_from_octets(struct bytes in, struct serial *out, struct err *err)
{
	struct serial s = { .len = 0 };

	if (in.len == 0)
		return err_set(err, ERR_REJECT, "the serial number is empty");
	if (in.len > sizeof(s.octets))
		return err_set(err, ERR_REJECT,
		    "the serial number has %zu octets; 20 is the most "
		    "(RFC 5280, 4.1.2.2)", in.len);
	if (in.data[0] == 0)
		return err_set(err, ERR_REJECT,
		    "the serial number is zero or begins with a zero octet "
		    "(RFC 5280, 4.1.2.2)");
	memcpy(s.octets, in.data, in.len);
	s.len = (uint8_t)in.len;
	*out = s;
	return 0;
}

int
serial_from_asn1(const ASN1_INTEGER *in, struct serial *out, struct err *err)
{
	if (in == NULL || ASN1_STRING_type(in) == V_ASN1_NEG_INTEGER)
		return err_set(err, ERR_REJECT,
		    "the serial number is negative (RFC 5280, 4.1.2.2)");
	return serial_from_octets((struct bytes){ ASN1_STRING_get0_data(in),
	    (size_t)ASN1_STRING_length(in) }, out, err);
}

ASN1_INTEGER *
serial_to_asn1(const struct serial *s)
{
	ASN1_INTEGER *out = ASN1_INTEGER_new();

	if (out != NULL && ASN1_STRING_set(out, s->octets, s->len) != 1) {
		ASN1_INTEGER_free(out);
		return NULL;
	}
	return out;
}

int
serial_from_hex(const char *text, struct serial *out, struct err *err)
{
	char digits[SERIAL_HEX_SIZE + 1] = "0";
	char *at = digits + 1;
	uint8_t octets[20];
	const char *in = text;
	size_t n = 0;
	int len;

	if (in[0] == '0' && (in[1] == 'x' || in[1] == 'X'))
		in += 2;
	for (; *in != '\0'; in++) {
		if (*in == ':' || *in == ' ')
			continue;
		if (!isxdigit((unsigned char)*in))
			return err_set(err, ERR_REJECT,
			    "a serial number is written in hexadecimal digits");
		if (n == 0 && *in == '0')
			continue;	/* people copy leading zeros along */
		if (n == SERIAL_HEX_SIZE - 1)
			return err_set(err, ERR_REJECT,
			    "the serial number has more than 40 digits; "
			    "20 octets is the most (RFC 5280, 4.1.2.2)");
		at[n++] = *in;
	}
	at[n] = '\0';
	if (n == 0)
		return err_set(err, ERR_REJECT,
		    "the serial number is zero or empty");
	/* An odd number of digits: begin at the zero in front. */
	len = hex_decode(n % 2 == 0 ? at : digits, octets, sizeof(octets));
	if (len == -1)
		return err_set(err, ERR_REJECT,
		    "the serial number cannot be read");
	return serial_from_octets((struct bytes){ octets, (size_t)len }, out,
	    err);
}

void
serial_to_hex(const struct serial *s, char out[SERIAL_HEX_SIZE])
{
	hex_encode((struct bytes){ s->octets, s->len }, out);
}

bool
serial_equal(const struct serial *a, const struct serial *b)
{
	return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}
