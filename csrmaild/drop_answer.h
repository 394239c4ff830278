#ifndef CSRMAILD_DROP_ANSWER_H
#define CSRMAILD_DROP_ANSWER_H

struct err;
struct wire_send;

/*
 * Answers as files: into the out folder of a mailbox that is a folder (RFC
 * 10003, section 4).
 *
 * To NAME.p10 they are NAME.pem, NAME.p7c (certs-only, with the chain) and
 * NAME.txt, what a mail would say; to a message that names its sender
 * NAME.eml. A file that is there is never replaced: one with the same octets
 * is the same answer, written before a crash; beside any other the new one is
 * called NAME.REQUEST.pem. Each is written under a hidden name and renamed.
 */

/* 0: all of it is on disk. ERR_RETRY: it can be later (the folder is missing,
 * full, not ours to write); ERR_FAULT: never. */
int	drop_answer_write(const char *folder, const struct wire_send *,
	    struct err *);

#endif
