#include "csrmaild/outbox.h"

#include "common/err.h"
#include "common/log.h"
#include "common/store.h"
#include "csrmaild/registry.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <string.h>

#define FIRST_DELAY_S	10
#define LONGEST_DELAY_S	3600
#define GIVE_UP_AFTER_S	(5 * 86400)	/* RFC 5321, 4.5.4.1 */
#define HOUR_S		3600

int
outbox_new_head(struct registrar *r, const struct mailbox_settings *mailbox,
    const char *language, struct reply_head *out, struct err *err)
{
	static char id[33 + MAILBOX_MAX + 2];
	const char *domain = strrchr(mailbox->address, '@') + 1;
	uint8_t octets[16];
	char hex[33];

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return err_openssl(err, ERR_RETRY, "drawing a Message-ID");
	hex_encode((struct bytes){ octets, sizeof(octets) }, hex);
	snprintf(id, sizeof(id), "%s@%s", hex, domain);
	*out = (struct reply_head){ .from = mailbox->address,
		.message_id = id, .date = r->now, .in_reply_to = "",
		.references = "", .subject = "",
		.wordings = r->settings->wordings,
		.language = wordings_language(r->settings->wordings, language,
		    mailbox->language) };
	return 0;
}

/* Where bounces go; none when the administrator wants none. */
static const char *
envelope_sender(const struct mailbox_settings *mailbox)
{
	if (mailbox->envelope_sender[0] == '\0')
		return mailbox->address;
	return strcmp(mailbox->envelope_sender, "<>") == 0 ? "" :
	    mailbox->envelope_sender;
}

int
outbox_add(struct registrar *r, const struct mailbox_settings *mailbox,
    const struct reply_head *head, struct bytes message, int64_t submission,
    int64_t request, bool has_certificate, struct err *err)
{
	struct outbox_row row = { .submission = submission,
		.request = request, .state = OUTBOX_QUEUED,
		.mailbox = mailbox->title,
		.sender = envelope_sender(mailbox), .recipient = head->to,
		.message_id = head->message_id, .message = message,
		.next_attempt = r->now, .created_at = r->now };
	unsigned int recent = 0;
	int64_t id;

	if (!has_certificate) {
		if (store_count_replies(r->store, head->to, r->now - HOUR_S,
		    &recent, err) == -1)
			return -1;
		/* Each full hour's worth waits an hour more. */
		row.next_attempt += (time_t)(recent /
		    r->settings->replies_per_hour) * HOUR_S;
	}
	return store_add_outbox(r->store, &row, &id, err);
}

static bool
is_out(const struct registrar *r, int64_t id)
{
	for (size_t i = 0; i < r->n_mails; i++)
		if (r->mails[i].id == id)
			return true;
	return false;
}

/* The one with the least to do; r->n_submits: none is there. */
static size_t
idlest(const struct registrar *r)
{
	size_t best = r->n_submits;

	for (size_t i = 0; i < r->n_submits; i++)
		if (!r->submits[i].closed && (best == r->n_submits ||
		    r->submits[i].n_mails < r->submits[best].n_mails))
			best = i;
	return best;
}

static int
send_one(const struct outbox_row *row, void *arg)
{
	struct registrar *r = arg;
	struct wire_send m = { .id = (uint64_t)row->id,
		.message = row->message };
	size_t session = idlest(r);
	struct err err;

	if (is_out(r, row->id))
		return 0;
	if (r->n_mails == REGISTRAR_MAX_MAILS || session == r->n_submits)
		return 1;
	snprintf(m.sender, sizeof(m.sender), "%s", row->sender);
	snprintf(m.recipient, sizeof(m.recipient), "%s", row->recipient);
	if (wire_send_send(r->submits[session].channel, &m, &err) == -1)
		return 1;	/* it does not keep up; the next turn */
	r->mails[r->n_mails++] = (struct pending_mail){ row->id, session };
	r->submits[session].n_mails++;
	return 0;
}

void
outbox_pump(struct registrar *r)
{
	struct err err;

	if (r->n_mails > REGISTRAR_MAX_MAILS / 2)
		return;
	if (store_each_due(r->store, r->now, 0, 2 * REGISTRAR_MAX_MAILS,
	    send_one, r, &err) == -1)
		log_warn("outbox.unreadable", STR("why", err.text),
		    STR("detail", err.detail));
}

void
outbox_forget(struct registrar *r, uint64_t id)
{
	for (size_t i = 0; i < r->n_mails; i++)
		if (r->mails[i].id == (int64_t)id) {
			r->submits[r->mails[i].session].n_mails--;
			r->mails[i] = r->mails[--r->n_mails];
			return;
		}
}

struct delivery {
	unsigned int	 attempts;
	time_t		 created_at;
	bool		 found;
};

static int
note_delivery(const struct outbox_row *row, void *arg)
{
	struct delivery *d = arg;

	d->attempts = row->attempts;
	d->created_at = row->created_at;
	d->found = true;
	return 1;
}

static time_t
delay_after(unsigned int attempts)
{
	time_t delay = FIRST_DELAY_S;

	while (attempts-- > 0 && delay < LONGEST_DELAY_S)
		delay *= 2;
	return delay < LONGEST_DELAY_S ? delay : LONGEST_DELAY_S;
}

int
outbox_take_sent(struct registrar *r, const struct wire_sent *m,
    struct err *err)
{
	enum outbox_state state = OUTBOX_SENT;
	struct delivery d = { 0 };
	char object[32], answer[300];
	time_t next = 0;

	if (!is_out(r, (int64_t)m->id))
		return err_set(err, ERR_FAULT,
		    "submit answers what was not asked");
	if (store_each_outbox(r->store, OUTBOX_QUEUED, (int64_t)m->id - 1, 1,
	    note_delivery, &d, err) == -1)
		return -1;
	if (m->result == SENT_DEFERRED) {
		state = r->now - d.created_at > GIVE_UP_AFTER_S ?
		    OUTBOX_FAILED : OUTBOX_QUEUED;
		next = r->now + delay_after(d.attempts);
	} else if (m->result == SENT_REFUSED) {
		state = OUTBOX_FAILED;
	}
	snprintf(answer, sizeof(answer), "%s", m->text);
	snprintf(object, sizeof(object), "mail:%llu",
	    (unsigned long long)m->id);
	if (store_set_outbox(r->store, (int64_t)m->id, state, answer, next,
	    r->now, err) == -1)
		return -1;
	switch (state) {
	case OUTBOX_QUEUED:
		log_warn("mail.deferred", NUM("mail", m->id),
		    NUM("code", m->code), STR("answer", m->text));
		return 0;
	case OUTBOX_SENT:
		log_info("mail.sent", NUM("mail", m->id));
		return store_audit(r->store, r->now, "mail.sent", "submit",
		    object, "", err);
	case OUTBOX_FAILED:
		log_error("mail.failed", NUM("mail", m->id),
		    NUM("code", m->code), STR("answer", m->text));
		return store_audit(r->store, r->now, "mail.failed", "submit",
		    object, m->text, err);
	}
	return 0;
}
