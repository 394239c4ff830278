#ifndef CSRMAILD_CONFIRM_CODE_H
#define CSRMAILD_CONFIRM_CODE_H

#include <stdbool.h>
#include <stdint.h>

struct bytes;

/*
 * The token of a challenge, as it travels: "[csrmail:" and 128 bits in
 * hexadecimal and "]" in a Subject. Whoever answers leaves it there.
 */
#define CONFIRM_WORD	"csrmail:"
#define CONFIRM_OCTETS	16

/* SHA-256 of the hexadecimal digits; -1 when there is no memory. */
int	confirm_code_digest(const char *hex, uint8_t out[32]);
/* In the raw text of a Subject: folded or not, in any case, with white space
 * put in anywhere, in encoded words (RFC 2047), which some clients make of the
 * whole when they put "Re:" of another language in front. The first one
 * counts. */
bool	confirm_code_find(struct bytes subject, uint8_t out[32]);
/* For people, in a mail of ours: stars in its place. Whoever may read mails
 * here must not be able to answer for their recipients. */
void	confirm_code_hide(char *text);

#endif
