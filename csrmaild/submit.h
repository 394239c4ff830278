#ifndef CSRMAILD_SUBMIT_H
#define CSRMAILD_SUBMIT_H

struct role;

/*
 * The role that sends what the registrar has queued.
 *
 * Takes SEND frames, hands the mails to the SMTP server, several in one
 * session, and answers each with one SENT: accepted, deferred or refused, and
 * what the server said. Decides nothing about retries: a deferred mail comes
 * back as a new SEND when the registrar wants it. Keeps nothing: what was
 * queued here and not answered is sent again after a restart, with the same
 * Message-ID.
 *
 * Descriptors: "settings", "registrar", and "password" when the server wants
 * one. Returns the exit code.
 */
int	submit_main(struct role *);

#endif
