#ifndef CSRMAILD_PROBLEM_H
#define CSRMAILD_PROBLEM_H

#include "common/bytes.h"

#include <jansson.h>

#include <stdint.h>

/*
 * What the API says when it does not do what it was asked: a problem
 * document (RFC 9457), for api and the registrar alike.
 */

/* The HTTP reason phrase serves as title (RFC 9457, 4.2.1: about:blank). */
const char *problem_title(uint16_t status);
/* detail may hold any octets: what is not UTF-8 or not printable is replaced.
 * The buffer is cleared first. */
void	problem_write(uint16_t status, const char *detail, struct buf *out);
/* value as compact JSON with sorted keys: the same value, the same octets.
 * -1 when it does not fit. */
int	json_write(const json_t *value, struct buf *out);
/* A JSON string of any octets; not NULL unless memory ran out. */
json_t	*json_text(const char *);

#endif
