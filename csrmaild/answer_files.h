#ifndef CSRMAILD_ANSWER_FILES_H
#define CSRMAILD_ANSWER_FILES_H

#include "common/bytes.h"
#include "common/frame.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * The answer to a CSR in a drop folder: several small files, as one message in
 * the outbox. The registrar writes it, intake takes it apart
 * (csrmaild/drop_answer.h), and people are shown its text.
 *
 * It begins with a line that is no header field, so that it is never taken for
 * a mail.
 */
struct answer_file {
	char		 ending[8];	/* ".pem", ".p7c", ".txt" */
	int64_t		 request;	/* what it is about; 0: all of it */
	bool		 numbered;	/* one of several: the request's number
					 * is always part of its name */
	struct bytes	 octets;	/* borrowed */
};
void	answer_files_begin(struct buf *);
void	answer_files_add(struct buf *, const struct answer_file *);

bool	answer_files_are(struct bytes message);
/* The first file is next. */
struct cursor answer_files_open(struct bytes message);
/* 1: one more, 0: there was none, -1: broken, ERR_FAULT. */
int	answer_files_next(struct cursor *, struct answer_file *,
	    struct err *);

#endif
