#ifndef COMMON_CONSTRAINTS_H
#define COMMON_CONSTRAINTS_H

#include "common/owned.h"

#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Name constraints of CAs (RFC 5280, 4.2.1.10): below which trees the names
 * of all certificates under a CA lie, or do not lie.
 *
 * As text a tree is one of
 *
 *	dns:example.com			the host and all below it
 *	email:user@example.com		one mailbox
 *	email:example.com		all mailboxes of that host
 *	email:.example.com		of all hosts below
 *	ip:10.0.0.0/8, ip:2001:db8::/32
 *	uri:www.example.com		URIs with that host
 *	uri:.example.com		with a host below
 *	dirname:C=DE, O=Example		subjects that begin so
 *
 * Does not check names against constraints: that is for who issues.
 */
OWNED_BY(NAME_CONSTRAINTS, NAME_CONSTRAINTS_free)

/* Several trees with commas between them; *nc is made when it is NULL.
 * ERR_REJECT names the tree that is none. */
int	constraints_add(NAME_CONSTRAINTS **nc, bool permit, const char *trees,
	    struct err *);
/*
 * May a CA with these constraints stand below the parent? Each tree that it
 * permits lies within one that the parent permits, if the parent permits any
 * of that form, and within none that the parent excludes. (What the child
 * does not mention, the parent's constraints still rule.) nc may be NULL.
 */
int	constraints_check_child(X509 *parent, const NAME_CONSTRAINTS *nc,
	    struct err *);
/* The extension, critical; nothing when nc is NULL. */
int	constraints_add_extension(X509 *, const NAME_CONSTRAINTS *nc,
	    struct err *);
/* "permits dns:example.com, excludes ip:10.0.0.0/8", for people; "" when
 * there are none; cut to size. */
void	constraints_describe(const X509 *, char *out, size_t size);

#endif
