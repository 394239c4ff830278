#ifndef CSRMAILD_REGISTRAR_H
#define CSRMAILD_REGISTRAR_H

struct role;

/*
 * The registrar: the one role with the store open for writing. It takes what
 * the others report, decides by policy, and commits before anything leaves.
 * docs/architecture.md tells the order of writes.
 *
 * Its parts, one file each: submission (a mail becomes requests), answer (the
 * reply to it), issuance (an approved request becomes a certificate), outbox
 * (a reply becomes a mail), publish (CRLs), responders (ocspd's
 * certificates), people (the API socket), work (what commits all that). This
 * is the loop that joins them.
 */
int	registrar_main(struct role *);

#endif
