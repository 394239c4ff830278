#ifndef CSRMAILD_PART_NAME_H
#define CSRMAILD_PART_NAME_H

#include <stddef.h>

struct mailmime;

/*
 * The file name that a part gives itself, for people and for its ending;
 * never a path.
 *
 * From Content-Disposition (RFC 2183, 2.3), else the parameter name of
 * Content-Type. RFC 2231 is decoded, also in pieces and in any order, and so
 * is RFC 2047, which has no place there and is written by many. UTF-8 and
 * Latin-1 come out as UTF-8, letters of other character sets as '?', and so
 * do control characters and quotes. What claims to be UTF-8 is not checked:
 * whoever prints it does that.
 *
 * leaf is libetpan's, borrowed. "" when there is no name; cut to size, between
 * characters. libetpan makes '?' of letters in Content-Type that are not
 * ASCII, so names that are not come from Content-Disposition only.
 */
void	part_name_find(const struct mailmime *leaf, char *out, size_t size);
/* How many of the first max octets of a text can be shown without cutting a
 * character of UTF-8 in two. */
size_t	part_name_fit(const char *text, size_t max);

#endif
