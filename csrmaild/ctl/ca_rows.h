#ifndef CSRMAILD_CTL_CA_ROWS_H
#define CSRMAILD_CTL_CA_ROWS_H

#include <jansson.h>

struct ctl;
struct err;

/*
 * The CAs, as the API lists them (csrmaild/describe.h). Without a daemon (an
 * offline root) they are read from the store itself.
 */
int	ca_rows_read(struct ctl *, json_t **out, struct err *);
/* The lists of all CAs, or of the one that is named, as the API says them; no
 * CA of that name is an error. */
int	ca_rows_read_crls(struct ctl *, const char *ca, json_t **out,
	    struct err *);
/* Of those, the full list for all certificates of one key. Borrowed, or NULL. */
const json_t *ca_rows_full_crl(const json_t *lists, const char *ca);
/* Borrowed; NULL: none of that name. */
const json_t *ca_rows_find(const json_t *rows, const char *name);
/* As people say a CA's name: the generation that signs now, unless they name
 * one ("users~2"). */
const json_t *ca_rows_current(const json_t *rows, const char *name);
/* Now, as rows say times: in RFC 3339 and UTC, which sorts as text. */
#define CA_ROWS_TIME_SIZE	32
void	ca_rows_now(char out[CA_ROWS_TIME_SIZE]);

#endif
