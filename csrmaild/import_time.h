#ifndef CSRMAILD_IMPORT_TIME_H
#define CSRMAILD_IMPORT_TIME_H

#include "common/bytes.h"

#include <time.h>

/*
 * Dates as other CAs write them. 0, or -1 when it is none.
 *
 * asn1: "YYMMDDHHMMSSZ" and "YYYYMMDDHHMMSSZ" (RFC 5280, 4.1.2.5); a year of
 * two digits from 50 on is of the last century.
 * iso: "2026-01-31T12:00:00Z", a space for the T, fractions of a second, an
 * offset; without one it is UTC.
 */
int	import_time_asn1(struct bytes, time_t *out);
int	import_time_iso(struct bytes, time_t *out);

#endif
