#ifndef CSRMAILD_PARSER_H
#define CSRMAILD_PARSER_H

struct buf;
struct err;
struct role;
struct wire_examine;

/*
 * The role that reads untrusted octets: MIME, PKCS#10.
 *
 * A warm parent, without files, network or keys, takes EXAMINE frames and
 * forks a fresh child for each; the child raises higher walls, examines one
 * message, and hands the findings back over a pipe. The parent looks at no
 * octet of a message: it checks the length of what the child wrote and that
 * it answers the question that was asked, and passes it on. A child that
 * dies, is late or writes too much is a verdict on its message
 * (FINDINGS_UNREADABLE), never a reason to try again.
 *
 * Descriptors: "intake:TITLE" for each mailbox, "registrar"; whatever is
 * given is served. Returns the exit code.
 */
int	parser_main(struct role *);

/*
 * One examination without the role: for a program that has no daemon beside
 * it. The child is the same, with the same walls, and what is true of its death
 * above is true here; answer gets the payload of a FINDINGS frame.
 *
 * Secrets of the caller should not be in memory yet: the child has a copy.
 */
int	parser_examine(const struct wire_examine *, struct buf *answer,
	    struct err *);

#endif
