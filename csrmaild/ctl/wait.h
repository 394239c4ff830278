#ifndef CSRMAILD_CTL_WAIT_H
#define CSRMAILD_CTL_WAIT_H

#include <jansson.h>

struct ctl;
struct err;

/*
 * Ask for the request until it is issued, 50 ms apart, for at most timeout_s
 * seconds; 0 asks once and takes what there is. *out is the request, to be
 * json_decref'd. EX_TEMPFAIL when it is not issued in time, EX_DATAERR when
 * it never will be.
 */
int	wait_until_issued(struct ctl *, const char *id, long timeout_s,
	    json_t **out, struct err *);

#endif
