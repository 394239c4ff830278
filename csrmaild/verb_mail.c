#include "csrmaild/verb.h"

#include "csrmaild/answer_files.h"
#include "csrmaild/confirm_code.h"
#include "csrmaild/describe.h"
#include "csrmaild/registry.h"

#include "common/err.h"
#include "common/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The mails that leave: what they say, how they fare, and once more. */
static json_t *
describe(const struct outbox_row *row)
{
	static const char *const states[] = { [OUTBOX_QUEUED] = "queued",
		[OUTBOX_SENT] = "sent", [OUTBOX_FAILED] = "failed" };
	json_t *out = json_object();

	describe_number(out, "id", row->id);
	describe_text(out, "state", states[row->state]);
	describe_text(out, "mailbox", row->mailbox);
	describe_text(out, "sender", row->sender);
	describe_text(out, "recipient", row->recipient);
	describe_text(out, "message_id", row->message_id);
	describe_number(out, "attempts", row->attempts);
	describe_text(out, "last_answer", row->last_answer);
	describe_time(out, "created_at", row->created_at);
	if (row->state == OUTBOX_QUEUED)
		describe_time(out, "next_attempt", row->next_attempt);
	if (row->state == OUTBOX_SENT)
		describe_time(out, "sent_at", row->sent_at);
	if (row->bounced_at != 0) {
		describe_time(out, "bounced_at", row->bounced_at);
		describe_text(out, "bounce", row->bounce);
	}
	if (row->request != 0)
		describe_number(out, "request", row->request);
	return out;
}

static int
list_mail(const struct outbox_row *row, void *page)
{
	verb_page_add(page, describe(row), row->id);
	return 0;
}

int
verb_outbox_list(struct verb_call *vc)
{
	const char *name = verb_text(vc, "state");
	enum outbox_state state = OUTBOX_QUEUED;
	bool bounced = name != NULL && strcmp(name, "bounced") == 0;
	struct verb_page page;
	struct err err;
	int r;

	if (name != NULL && strcmp(name, "sent") == 0)
		state = OUTBOX_SENT;
	else if (name != NULL && strcmp(name, "failed") == 0)
		state = OUTBOX_FAILED;
	else if (name != NULL && !bounced && strcmp(name, "queued") != 0)
		return verb_refuse(vc, 400, "state: %s is none: queued, sent, "
		    "failed or bounced", name);
	verb_page_open(&page, vc);
	r = bounced ? store_each_bounced(vc->registrar->store,
	    verb_number(vc, "after", 0), page.limit, list_mail, &page, &err) :
	    store_each_outbox(vc->registrar->store, state,
	    verb_number(vc, "after", 0), page.limit, list_mail, &page, &err);
	return r != 0 ? verb_fail(vc, &err) : 0;
}

/* The number in the path; 0 is none. */
static int64_t
number_of(const struct verb_call *vc)
{
	char *end;
	long long n = strtoll(vc->part, &end, 10);

	return *end == '\0' && n > 0 ? n : 0;
}

/* The text of an answer of files; certificates are shown by number. */
static struct bytes
text_of(struct bytes message)
{
	struct cursor c = answer_files_open(message);
	struct answer_file file;
	struct err err;

	while (answer_files_next(&c, &file, &err) == 1)
		if (strcmp(file.ending, ".txt") == 0)
			return file.octets;
	return bytes_of("");
}

static int
show_mail(const struct outbox_row *row, void *arg)
{
	struct verb_call *vc = arg;
	struct bytes message = answer_files_are(row->message) ?
	    text_of(row->message) : row->message;
	char *text = strndup((const char *)message.data, message.len);

	json_decref(vc->answer);
	vc->answer = describe(row);
	/* Ours, and so ASCII; a text that is no mail is UTF-8. */
	if (text != NULL) {
		confirm_code_hide(text);
		describe_text(vc->answer, "message", text);
	}
	free(text);
	return 1;
}

int
verb_outbox_show(struct verb_call *vc)
{
	struct err err;
	int r = store_find_outbox(vc->registrar->store, number_of(vc),
	    show_mail, vc, &err);

	if (r == -1)
		return verb_fail(vc, &err);
	return r == 1 ? verb_refuse(vc, 404, "there is no mail %s",
	    vc->part) : 0;
}

/* In a transaction of its own. */
static int
retry(struct verb_call *vc, int64_t id, struct err *err)
{
	struct store *store = vc->registrar->store;
	char object[32];
	int r;

	snprintf(object, sizeof(object), "mail:%lld", (long long)id);
	if (store_begin(store, err) == -1)
		return -1;
	r = store_retry_outbox(store, id, vc->now, err);
	if (r == 0)
		r = store_audit(store, vc->now, "mail.retried", vc->who,
		    object, "", err);
	if (r == 0)
		return store_commit(store, err);
	store_rollback(store);
	return r;
}

int
verb_outbox_retry(struct verb_call *vc)
{
	int64_t id = number_of(vc);
	struct err err;
	int r = retry(vc, id, &err);

	if (r == -1)
		return verb_fail(vc, &err);
	if (r == 1)
		return verb_refuse(vc, 409, "there is no mail %s that waits, "
		    "has failed or came back", vc->part);
	describe_number(vc->answer, "id", id);
	return 0;
}
