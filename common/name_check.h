#ifndef COMMON_NAME_CHECK_H
#define COMMON_NAME_CHECK_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Is this text a name of that form? Each check returns NULL, or in a few
 * words what is wrong ("a label is longer than 63 octets"). Decides nothing
 * about who may have the name.
 */

/* UTF-8 without overlong forms and surrogates; no control character, no
 * separator of lines, none that turns the direction of writing or is
 * invisible. *chars, when not NULL, gets the number of characters. */
const char *check_text(struct bytes, size_t *chars);
/* Preferred syntax (RFC 1034, 3.5; RFC 5280, 4.2.1.6): letters, digits and
 * hyphens, A-labels that decode (RFC 5891), 253 octets at most; the last
 * label is no number. wildcard: one "*." in front is understood. */
const char *check_dns(struct bytes, bool wildcard);
/* Mailbox (RFC 5280, 4.2.1.6): a dot-atom of ASCII, "@", a DNS name. */
const char *check_email(struct bytes);
/* SmtpUTF8Mailbox (RFC 9598, 3): a local part that is not all ASCII. */
const char *check_smtp_utf8(struct bytes);
/* Absolute, with a scheme and something after it; a host where there is an
 * authority (RFC 5280, 4.2.1.6). */
const char *check_uri(struct bytes);
/* PrintableString's characters (X.680, 41.4). */
const char *check_printable(struct bytes);

#endif
