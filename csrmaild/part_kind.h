#ifndef CSRMAILD_PART_KIND_H
#define CSRMAILD_PART_KIND_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct part;

/*
 * What sort of thing a part is, by its type, the ending of its name and its
 * first octets: whether a request may be taken from it, and what to tell the
 * sender when none was found. Nothing is opened, and nothing here refuses a
 * part: a request may stand in one of any type.
 */

/* May a CSR in it be taken? Not from HTML, not from parts that only describe
 * other mails, not from archives. */
bool	part_is_source(const struct part *);
/* For the answer when nothing was found: "application/zip "a.zip": an
 * archive, not opened". Cut to size, between characters. */
void	part_describe(const struct part *, char *out, size_t size);
/* A set of HINT_BIT(enum hint). text: part_text of it, looked at only in
 * sources; has_request: one was found in there. */
uint32_t part_hints(const struct part *, struct bytes text, bool has_request);

#endif
