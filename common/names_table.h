#ifndef COMMON_NAMES_TABLE_H
#define COMMON_NAMES_TABLE_H

#include "common/bytes.h"

#include <stddef.h>

/*
 * How each attribute of a subject is written (RFC 5280, 4.1.2.4 and A.1).
 * Shared by the two halves of names: text (names.c), X.509 (names_x509.c).
 */
struct attribute_form {
	int		 nid;
	int		 type;		/* V_ASN1_... */
	size_t		 most;		/* characters */
	const char	*(*check)(struct bytes);	/* NULL: any text */
};
/* NULL: an attribute that we do not certify. */
const struct attribute_form *attribute_form_of(int nid);

#endif
