#ifndef COMMON_CRL_PRIVATE_H
#define COMMON_CRL_PRIVATE_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/der.h"

/*
 * What the files of CRLs share: crl.c (the writer), crl_entry.c (the parts of
 * DER, and an entry) and crl_extension.c (what stands behind the entries).
 * All appends; failure is sticky in the buffer where nothing is returned.
 */
#define DER_ENUMERATED		0x0a
#define DER_UTC_TIME		0x17
#define DER_GENERALIZED_TIME	0x18
#define DER_CONTEXT_0		0x80	/* primitive [0] */
#define DER_CONTEXT_6		0x86
#define DER_EXPLICIT_0		0xa0	/* constructed [0] */

/* A serial, two dates, a reason and all tags: 23 + 17 + 12 + 26 + 4. */
#define CRL_ENTRY_MAX		128
#define CRL_TIME_MAX		17
#define CRL_EXTENSION_MAX	((size_t)CRL_URL_MAX + 64)
#define CRL_TAIL_MAX		((size_t)4096)

/* X.690, 8.1.2 and 10.1: a tag and the shortest form of the length. */
void	crl_put_head(struct buf *, uint8_t tag, uint64_t len);
void	crl_put_tlv(struct buf *, uint8_t tag, struct bytes content);
/* Positive, in two's complement: a zero octet in front of a high bit. */
void	crl_put_positive(struct buf *, const uint8_t *octets, size_t len);
/* RFC 5280, 5.1.2.4 to 5.1.2.6: UTCTime through 2049, then the other. */
int	crl_put_time(struct buf *, time_t, struct err *);
/* An Extension whose OID is 2.5.29.id_ce. */
void	crl_put_extension(struct buf *, uint8_t id_ce, bool critical,
	    struct bytes value);
/* One of revokedCertificates (5.1.2.6, 5.3). */
int	crl_write_entry(uint8_t out[CRL_ENTRY_MAX], size_t *len,
	    const struct crl_entry *, bool delta, struct err *);
/* crlExtensions, [0] EXPLICIT (5.1.2.7). */
int	crl_put_extensions(struct buf *, X509 *ca, const struct crl_terms *,
	    struct err *);

#endif
