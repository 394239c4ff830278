#ifndef CSRMAILD_CHALLENGE_H
#define CSRMAILD_CHALLENGE_H

#include <stdbool.h>
#include <stdint.h>

struct envelope;
struct err;
struct mailbox_settings;
struct registrar;
struct verdict;
struct wire_submit;

/*
 * The evidence `reply`: a sender confirms by answering a mail of ours (RFC
 * 8823, 3, is the model).
 *
 * Where a rule would do more for a sender who confirms, the From mailbox gets
 * one mail with a token: 128 random bits, fresh, good once, for one submission,
 * for a limited time, known to the store by its digest. It reflects nothing of
 * the mail that caused it, since that may be anybody's. The requests are
 * `received` until the answer is here: a mail from that mailbox with the token
 * in its Subject, and the line CONFIRM in the text that its sender wrote
 * (csrmaild/wish.h). Whoever is asked because somebody else forged his mailbox
 * may well answer "that was not me", and confirms nothing by it. The token is
 * read by intake's scanner and the line by the parser: neither is enough, so a
 * parser that a mail has taken over confirms nothing that the token does not.
 */

/*
 * May the sender be asked? Not automatic mail, not our own mailboxes, one From
 * mailbox, and within the limits: three a day to one mailbox, and
 * challenges_per_hour in all.
 */
int	challenge_may_ask(struct registrar *, const struct envelope *,
	    bool *out, struct err *);
/* Is what comes of a confirmation better for the sender? */
bool	challenge_is_worth(const struct verdict *now,
	    const struct verdict *confirmed);
/* Queue the mail. Inside the caller's transaction, like the next. */
int	challenge_send(struct registrar *, const struct mailbox_settings *,
	    int64_t submission, const char *recipient, const char *language,
	    struct err *);
/*
 * A mail with a token. One that answers an open challenge of that mailbox, and
 * comes from whom that was sent to, confirms with the line CONFIRM: what waits
 * goes on. Without the line all stays as it was.
 */
enum challenge_answer {
	CHALLENGE_UNKNOWN,	/* it answers none that is open to it */
	CHALLENGE_WAITS,	/* without the line */
	CHALLENGE_CONFIRMED
};
int	challenge_answer(struct registrar *, const struct mailbox_settings *,
	    const struct wire_submit *, enum challenge_answer *out,
	    struct err *);
/* Requests whose time is over lapse. In transactions of its own; when there is
 * nothing to do, it costs nothing. */
void	challenge_pump(struct registrar *);

#endif
