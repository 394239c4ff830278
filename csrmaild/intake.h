#ifndef CSRMAILD_INTAKE_H
#define CSRMAILD_INTAKE_H

struct role;

/*
 * The role `intake`, one for each mailbox: fetches what comes, hands it to
 * the parser and the registrar (csrmaild/carry.h), and files it where the
 * registrar says. Moves nothing before that word, so a crash at any moment
 * leaves the message in the inbox, and the next pass finds it again.
 *
 * Descriptors: "settings", "password"; peers "parser" and "registrar". The
 * instance is the mailbox's title. Returns the process's exit code, when it
 * was told to stop or when it lost a peer.
 */
int	intake_main(struct role *);

#endif
