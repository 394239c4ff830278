#ifndef CSRMAILD_DESCRIBE_H
#define CSRMAILD_DESCRIBE_H

#include "common/bytes.h"

#include <jansson.h>

#include <stdint.h>
#include <time.h>

struct ca_row;

/*
 * Rows of the store as JSON, for the API and, where there is no daemon, for
 * the command line. Times are RFC 3339, UTC.
 */

/* Values. A time of 0 is null; NULL and "" text are left out. */
void	describe_text(json_t *object, const char *key, const char *text);
void	describe_time(json_t *object, const char *key, time_t);
void	describe_number(json_t *object, const char *key, int64_t);
/* One PEM block of that DER. */
void	describe_pem(json_t *object, const char *key, const char *label,
	    struct bytes der);
/* name, parent, not_before, not_after, pem. Owned. */
json_t	*describe_ca(const struct ca_row *);

#endif
