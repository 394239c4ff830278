#ifndef CSRMAILD_DESCRIBE_H
#define CSRMAILD_DESCRIBE_H

#include "common/bytes.h"

#include <jansson.h>

#include <stdint.h>
#include <time.h>

struct ca_row;
struct err;
struct store;

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
/*
 * A CA (describe_ca.c): name, family, generation, parent, subject, issuer, key,
 * serial, not_before, not_after, sha256, path_len, constraints, policies, pem,
 * crl (number, this_update, next_update), certificates (of the same key). What
 * is of a certificate is of the one that is valid now and ends last. Owned.
 */
int	describe_ca(struct store *, const struct ca_row *, time_t now,
	    json_t **out, struct err *);

#endif
