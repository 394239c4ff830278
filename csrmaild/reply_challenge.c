#include "csrmaild/reply_private.h"
#include "csrmaild/confirm_code.h"

#include "common/err.h"

#include <stdio.h>

#define SUBJECT		"Please confirm"

int
reply_compose_challenge(const struct reply_head *head, const char *token,
    time_t expires_at, struct buf *out, struct err *err)
{
	struct reply_head bare = { .from = head->from, .to = head->to,
		.message_id = head->message_id, .in_reply_to = "",
		.references = "", .subject = "", .date = head->date };
	char subject[128], until[64];
	const struct wording_value values[] = {
		{ "from", head->from, 300, NULL, 0 },
		{ "until", until, sizeof(until), NULL, 0 },
		{ 0 }
	};
	struct tm tm;

	bare.wordings = head->wordings;
	bare.language = head->language;
	snprintf(subject, sizeof(subject), SUBJECT " [" CONFIRM_WORD "%s]",
	    token);
	bare.own_subject = subject;
	if (gmtime_r(&expires_at, &tm) == NULL)
		return err_set(err, ERR_FAULT, "a challenge without a date");
	snprintf(until, sizeof(until), "%04d-%02d-%02d %02d:%02d UTC",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min);
	return reply_put_words(&bare, WORDING_CHALLENGE, values, out, err);
}

int
reply_compose_unconfirmed(const struct reply_head *head, struct buf *out,
    struct err *err)
{
	struct reply_head bare = *head;
	const struct wording_value values[] = {
		{ "from", head->from, 300, NULL, 0 },
		{ 0 }
	};

	bare.subject = SUBJECT;
	return reply_put_words(&bare, WORDING_UNCONFIRMED, values, out, err);
}
