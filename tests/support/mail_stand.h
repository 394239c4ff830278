#ifndef TESTS_SUPPORT_MAIL_STAND_H
#define TESTS_SUPPORT_MAIL_STAND_H

#include "common/csr.h"
#include "common/store.h"
#include "csrmaild/registry.h"
#include "csrmaild/wire.h"

/*
 * A registrar's desk over a real store in a folder of its own, with one
 * mailbox "users" (ca@example.test), and no signer that answers. One at a
 * time. NOON is now.
 */
extern struct registrar mail_stand;
extern struct mailbox_settings mail_stand_mailbox;

/* rules: the text of the rule set that the mailbox has. */
void	mail_stand_open(const char *rules);
void	mail_stand_close(void);

/* A request for that address, read. Owned. */
struct csr *mail_stand_csr(EVP_PKEY *, const char *address);
/* What a mail from `who` with that request (NULL: none) would be submitted as,
 * with a UID and a Message-ID of its own. Owned: mail_stand_take frees it. */
void	mail_stand_fill(struct wire_submit *, const struct csr *,
	    const char *who);
/* Submitted and committed. Returns the outcome. */
enum outcome mail_stand_take(struct wire_submit *);

/* The request with the highest number. */
struct stand_request {
	int64_t	id;
	enum request_state state;
	char	rule[64], reason[512], evidence[64], reply_to[256];
};
struct stand_request mail_stand_request(void);
/* The mail that was queued last: its recipient; "" when there is none. The
 * text goes to out, when that is not NULL. n: how many there are. */
const char *mail_stand_mail(struct buf *out, unsigned int *n);

#endif
