#ifndef CSRMAILD_STATUS_MAIL_H
#define CSRMAILD_STATUS_MAIL_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct mailbox_settings;
struct registrar;
struct wire_submit;

/*
 * Mails that ask how things stand (STATUS, csrmaild/wish.h): what the sender
 * asked for, and certificates that bear the From mailbox as rfc822Name; never
 * anybody else's. It goes to that mailbox alone; so whatever evidence the
 * mailbox takes is enough.
 */
#define STATUS_MAX_LINES	20
#define STATUS_LINE_SIZE	512

struct status_lines {
	char		 texts[STATUS_MAX_LINES][STATUS_LINE_SIZE];
	const char	*lines[STATUS_MAX_LINES];	/* those */
	size_t		 n;
};

/* principal: as on record. What is not theirs, or not there, gives no line. */
int	status_mail_gather(struct registrar *, const struct mailbox_settings *,
	    const struct wire_submit *, const char *principal,
	    struct status_lines *, struct err *);

#endif
