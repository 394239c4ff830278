#ifndef CSRMAILD_MESSAGE_H
#define CSRMAILD_MESSAGE_H

#include "common/bytes.h"
#include "common/owned.h"
#include "csrmaild/prescan.h"

struct err;
struct findings;

/*
 * From a mail to the certificate signing requests in it.
 *
 * Runs in the parser's child, on octets that anybody may have sent. Looks at
 * decoded leaves only: header fields, preambles, epilogues and HTML are never
 * a source, no archive is opened. A CSR in a forwarded mail or a quoted reply
 * is found and marked, also in a text that forwards without marks
 * (csrmaild/quote.h). The same CSR twice counts once. What is no request is
 * named, with a hint what to do (csrmaild/part_kind.h). In plain text, wishes are
 * read too (csrmaild/wish.h). Says nothing about the sender: that is intake's.
 *
 * Refused as a whole (FINDINGS_REFUSED, with the reason): what the pre-scan
 * refuses, what libetpan reads otherwise than the pre-scan, broken transfer
 * encodings, a multipart/alternative whose parts hold different CSRs, more
 * than WIRE_MAX_CANDIDATES of them, and anything with a private key in it.
 */
struct message;

/* ERR_FAULT only: what is wrong with the mail is in the findings. octets are
 * borrowed until message_free. */
int	message_examine(struct bytes octets, const struct prescan_limits *,
	    struct message **out, struct err *);
/* A file instead of a mail: one or more CSRs in PEM, or one in DER. */
int	message_examine_file(struct bytes octets, struct message **out,
	    struct err *);
/* Borrowed from the message; its id is 0, the caller's to set. */
struct findings *message_findings(const struct message *);
void	message_free(struct message *);
OWNED_STRUCT_BY(message, message_free)

#endif
