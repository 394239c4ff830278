#ifndef CSRMAILD_CTL_REQUEST_FILE_H
#define CSRMAILD_CTL_REQUEST_FILE_H

struct csr;
struct ctl;
struct err;

/*
 * The one request that a file holds ("-": standard input), PEM or DER. It is
 * read in a child without keys, store, files or network (csrmaild/parser.h),
 * as every file of others is, and once more here by the strict reader alone.
 * EX_DATAERR says what is wrong with it. Owned result.
 */
int	request_file_read(struct ctl *, const char *path, struct csr **out,
	    struct err *);

#endif
