#ifndef CSRMAILD_WISH_H
#define CSRMAILD_WISH_H

#include "common/bytes.h"

#include <stdbool.h>

struct err;
struct findings;
struct wish;

/*
 * What a text asks for besides certificates, one wish a line:
 *
 *	REVOKE [SERIAL] [REASON]
 *	STATUS [SERIAL | NUMBER]
 *	CONFIRM
 *
 * Words in any case. SERIAL is hexadecimal, with or without 0x, colons and
 * blanks, or as "openssl x509 -serial" prints it ("serial=..."); REASON a word
 * of RFC 5280, 5.3.1, also with "-" or "_" in it; NUMBER that of a request.
 * Nothing else may stand in the line.
 *
 * Runs in the parser's child. Does not know who signed anything, nor whether
 * such a certificate is there, nor what there is to confirm: that the registrar
 * finds out (csrmaild/revocation_mail.h, csrmaild/challenge.h).
 */

/* Is the line a wish? White space and its end are of no interest. */
bool	wish_read(struct bytes line, struct wish *out);
/*
 * Adds the wishes of a text that its sender wrote, each once. A REVOKE that was
 * wrapped goes on in the next line. Quoted lines,
 * what is forwarded and what follows the separator "-- " (RFC 3676, 4.3) say
 * nothing. Lines that speak of revocation otherwise are hinted at. ERR_REJECT
 * above WIRE_MAX_WISHES.
 */
int	wish_find(struct bytes text, struct findings *, struct err *);

#endif
