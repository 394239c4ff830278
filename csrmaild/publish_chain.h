#ifndef CSRMAILD_PUBLISH_CHAIN_H
#define CSRMAILD_PUBLISH_CHAIN_H

struct registrar;

/*
 * published/NAME.p7c: each CA's certificate with those above it (RFC 5280,
 * 4.2.2.1: what caIssuers may point to). Written by rename, and only where the
 * file says something else, or nothing. What cannot be written is logged and
 * tried again at the next start: nobody waits for it.
 */
void	publish_chains(struct registrar *);

#endif
