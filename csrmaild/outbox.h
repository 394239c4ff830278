#ifndef CSRMAILD_OUTBOX_H
#define CSRMAILD_OUTBOX_H

#include "csrmaild/reply.h"
#include "csrmaild/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct mailbox_settings;
struct registrar;

/*
 * Replies wait here until the SMTP server has taken them, or, where the mailbox
 * is a folder, intake has written them (recipient "file:NAME"). A row's Message-ID
 * is fixed when it is made, so that a second delivery after a crash is
 * recognised as the same mail.
 */

/* Fill from, message_id, date and words of a reply from that mailbox, in the
 * language that the sender wishes, if it is there. The id stays valid until
 * the next call. */
int	outbox_new_head(struct registrar *, const struct mailbox_settings *,
	    const char *language, struct reply_head *, struct err *);
/* Is there anybody, or in a folder any place, that an answer from that mailbox
 * goes to? to: a mailbox or ""; file: what lay in the folder, or "". */
bool	outbox_reaches(const struct mailbox_settings *, const char *to,
	    const char *file);
/* Queue the mail. Inside the caller's transaction. Mails without a
 * certificate are bounded for each recipient; what is above waits. */
int	outbox_add(struct registrar *, const struct mailbox_settings *,
	    const struct reply_head *, struct bytes message,
	    int64_t submission, int64_t request, bool has_certificate,
	    struct err *);
/* Hand due mails to submit; those of a mailbox that signs go to the sealer
 * first, and none of them leaves unsigned. */
void	outbox_pump(struct registrar *);
/* The sealer has signed one: hand it to submit. The row keeps the mail as it
 * was, so that what is sent once more is signed anew. */
int	outbox_send_sealed(struct registrar *, const struct wire_sealed *,
	    struct err *);
/* The sealer has not: it waits, however long. Inside the caller's
 * transaction. */
int	outbox_take_unsealed(struct registrar *, const struct wire_sealed *,
	    struct err *);
/* submit's answer, or intake's. Inside the caller's transaction. */
int	outbox_take_sent(struct registrar *, const struct wire_sent *,
	    struct err *);
/* After the commit: the mail may go out again when it is due. */
void	outbox_forget(struct registrar *, uint64_t id);

#endif
