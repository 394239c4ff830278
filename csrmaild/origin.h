#ifndef CSRMAILD_ORIGIN_H
#define CSRMAILD_ORIGIN_H

#include "csrmaild/wire.h"

struct err;
struct mailbox_settings;

/*
 * Where a submission comes from, as the registrar knows it: an intake says by
 * which channel, and is believed only where its mailbox is of that kind, or a
 * person has handed something in (csrmaild/delivery.h).
 */
struct origin {
	char		 principal[MAILBOX_MAX + 8];	/* "mail:u@example.test";
				 * without a From mailbox who owned the file
				 * ("file:alice") or handed it in ("unix:root") */
	char		 by[128];	/* the same in any case, for the audit;
					 * "" for what came by mail */
};
int	origin_find(const struct wire_submit *, const struct mailbox_settings *,
	    struct origin *, struct err *);

#endif
