#include "csrmaild/origin.h"

#include "csrmaild/delivery.h"
#include "csrmaild/settings.h"

#include "common/err.h"

#include <pwd.h>
#include <stdio.h>

/* Behind the walls the user database may be out of reach: then the number
 * names the user. */
static void
name_owner(uint32_t owner, char *out, size_t size)
{
	const struct passwd *user = getpwuid(owner);

	if (user != NULL)
		snprintf(out, size, "file:%s", user->pw_name);
	else
		snprintf(out, size, "file:%lu", (unsigned long)owner);
}

static int
find_channel(const struct wire_submit *m,
    const struct mailbox_settings *mailbox, struct origin *out,
    struct err *err)
{
	const char *who;

	switch (m->channel) {
	case CHANNEL_MAIL:
		if (!settings_is_drop(mailbox))
			return 0;
		break;
	case CHANNEL_FILE:
		if (!settings_is_drop(mailbox))
			break;
		name_owner(m->owner, out->by, sizeof(out->by));
		return 0;
	case CHANNEL_CLI:
		who = delivery_who(m->delivery, mailbox->title);
		if (who == NULL)
			break;
		snprintf(out->by, sizeof(out->by), "%s", who);
		return 0;
	}
	return err_set(err, ERR_FAULT,
	    "an intake hands over what its mailbox cannot have");
}

int
origin_find(const struct wire_submit *m,
    const struct mailbox_settings *mailbox, struct origin *out,
    struct err *err)
{
	out->by[0] = '\0';
	if (find_channel(m, mailbox, out, err) == -1)
		return -1;
	if (out->by[0] != '\0' && m->envelope.from[0] == '\0')
		snprintf(out->principal, sizeof(out->principal), "%s",
		    out->by);
	else
		snprintf(out->principal, sizeof(out->principal), "mail:%s",
		    m->envelope.from);
	return 0;
}
