#include "csrmaild/reply_private.h"

#include <stdio.h>

#define MAX_NAMES	1000	/* characters */
#define MAX_REASON	300
#define MAX_LINE	400

static void
say_one(const struct reply_head *head, const struct reply_wish *wish,
    struct buf *text)
{
	static const enum wording words[] = {
		[REPLY_WISH_DONE] = WORDING_REVOCATION_DONE,
		[REPLY_WISH_HELD] = WORDING_REVOCATION_HELD,
		[REPLY_WISH_REJECTED] = WORDING_REVOCATION_REJECTED,
	};
	char number[24];
	const struct wording_value values[] = {
		{ "number", number, MAX_NAMES, NULL, 0 },
		{ "serial", wish->serial, MAX_NAMES, NULL, 0 },
		{ "names", wish->names_text, MAX_NAMES, NULL, 0 },
		{ "reason", wish->reason, MAX_REASON, NULL, 0 },
		{ "why", wish->why, MAX_REASON, NULL, 0 },
		{ 0 }
	};

	snprintf(number, sizeof(number), "%lld", (long long)wish->number);
	reply_say(head, words[wish->fate], values, text);
}

void
reply_say_wishes(const struct reply_head *head,
    const struct reply_wish *wishes, size_t n, struct buf *text)
{
	const struct wording_value how[] = {
		{ "from", head->from, MAX_NAMES, NULL, 0 }, { 0 } };
	bool refused = false;

	for (size_t i = 0; i < n; i++) {
		say_one(head, &wishes[i], text);
		refused |= wishes[i].fate == REPLY_WISH_REJECTED;
	}
	if (refused)
		reply_say(head, WORDING_REVOCATION_HOW, how, text);
}

int
reply_compose_status(const struct reply_head *head, const char *const *lines,
    size_t n, struct buf *out, struct err *err)
{
	const struct wording_value values[] = {
		{ "lines", NULL, MAX_LINE, lines, n },
		{ "none", n == 0 ? "none" : "", MAX_LINE, NULL, 0 },
		{ 0 }
	};

	return reply_put_words(head, WORDING_STATUS, values, out, err);
}
