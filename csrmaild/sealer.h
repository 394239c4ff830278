#ifndef CSRMAILD_SEALER_H
#define CSRMAILD_SEALER_H

struct role;

/*
 * The role "sealer": signs the mails of mailboxes that have a certificate for
 * it (csrmaild/seal.h). Talks with the registrar alone; no network, no store, no
 * file after its walls. There is one only where a mailbox signs.
 *
 * main hands over its descriptors for each such mailbox, as seal_descriptor
 * names them. A mailbox whose files are not there or wrong does not stop the
 * others: the registrar is told why, and its mails wait.
 */
int	sealer_main(struct role *);

#endif
