#ifndef COMMON_SERIAL_H
#define COMMON_SERIAL_H

#include "common/bytes.h"

#include <openssl/asn1.h>

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * A certificate serial number (RFC 5280, 4.1.2.2): a positive integer of at
 * most 20 octets, big-endian, without leading zero octets.
 */
struct serial {
	uint8_t		octets[20];
	uint8_t		len;		/* 1..20 */
};
#define SERIAL_HEX_SIZE	41		/* 40 digits and a NUL */

/* 127 bits from the CSPRNG, the top bit of 16 octets cleared and never zero:
 * positive without a leading zero octet. Uniqueness is the store's. */
int	serial_generate(struct serial *, struct err *);
/* Refuses zero, negative, leading zeros and more than 20 octets. */
int	serial_from_octets(struct bytes, struct serial *, struct err *);
int	serial_from_asn1(const ASN1_INTEGER *, struct serial *, struct err *);
/* Owned; NULL when out of memory. */
ASN1_INTEGER *serial_to_asn1(const struct serial *);
/* Lower-case hexadecimal, as people type it; colons and spaces between the
 * digits and a leading 0x are understood when reading. */
int	serial_from_hex(const char *, struct serial *, struct err *);
void	serial_to_hex(const struct serial *, char out[SERIAL_HEX_SIZE]);
bool	serial_equal(const struct serial *, const struct serial *);

#endif
