#ifndef CSRMAILD_FIELD_H
#define CSRMAILD_FIELD_H

#include "common/bytes.h"

#include <stdbool.h>

/*
 * The header block of a message as it stands, field by field (RFC 5322, 2.2),
 * and the few lexical tokens of RFC 5322, 3.2 and RFC 2045, 5.1.
 *
 * One linear pass, no copy, no recursion, no MIME. Lines end in LF, with or
 * without CR before it. It repairs nothing: what two programs might read in
 * two ways is marked, and the callers refuse it.
 */
struct field {
	struct bytes	 name;	/* without white space before the colon, which
				 * RFC 5322, 4.5 still lets stand there */
	struct bytes	 body;	/* folded, without its last line end */
	struct bytes	 raw;	/* all of it, last line end included */
	bool		 doubtful;	/* a NUL, a CR alone, or a continuation
					 * line of nothing but white space,
					 * at which some programs end the
					 * header block */
};

enum field_result {
	FIELD_END,	/* the empty line, or the end of the octets */
	FIELD_OK,
	FIELD_NOT_ONE,	/* a line that is no field; raw is set */
};
/* The next field; *left goes on to what follows it. */
enum field_result field_next(struct bytes *left, struct field *);
bool	field_is(const struct field *, const char *name);

/*
 * Tokens. Each takes what it names from the front of *left, or leaves *left
 * alone and returns false.
 */
/* White space, line ends followed by it, and comments; nothing at all is
 * fine. False on a comment that is not closed or nested deeper than 32, and
 * on a line end that does not fold. */
bool	lex_cfws(struct bytes *left);
bool	lex_octet(struct bytes *left, char);
/* RFC 2045 token. */
bool	lex_token(struct bytes *left, struct bytes *out);
/* RFC 5322 quoted-string; out is what stands between the quotes, with its
 * backslashes and folds. */
bool	lex_quoted(struct bytes *left, struct bytes *out);
/* RFC 2045 value: a token or a quoted-string without backslash and fold. */
bool	lex_value(struct bytes *left, struct bytes *out);
/* RFC 5321 Mailbox of a Dot-string and a domain name: no comment, no white
 * space, no quotes, no address literal, ASCII only. out holds 255 octets;
 * the domain comes in lower case. */
bool	lex_mailbox(struct bytes *left, char *out);
/* A domain name of RFC 5321, 4.1.2: labels of letters, digits and inner
 * hyphens, at most 63 octets each, and dots between them. */
bool	lex_domain(struct bytes *left, struct bytes *out);
/* atext of RFC 5322, 3.2.3. */
bool	octet_is_atext(uint8_t);

#endif
