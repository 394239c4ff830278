#include "csrmaild/outbox.h"

#include "common/err.h"
#include "common/log.h"
#include "common/store.h"
#include "csrmaild/answer_files.h"
#include "csrmaild/registry.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <string.h>

#define FIRST_DELAY_S	10
#define LONGEST_DELAY_S	3600
#define GIVE_UP_AFTER_S	(5 * 86400)	/* RFC 5321, 4.5.4.1 */
#define GIVE_UP_ATTEMPTS 100	/* a mail may have waited for its signature:
				 * that is no attempt */
#define UNSEALED_DELAY_S 60	/* always: who mends it need not wait long */
#define LONGEST_FOLDER_DELAY_S	60	/* no server is spared by waiting */
#define MAX_ANSWERS	8	/* with one intake: it may be busy with a mail */
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

bool
outbox_reaches(const struct mailbox_settings *mailbox, const char *to,
    const char *file)
{
	return to[0] != '\0' ||
	    (file[0] != '\0' && settings_is_drop(mailbox));
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
	char file[sizeof(FILE_RECIPIENT) + WIRE_MAX_FILE];
	struct outbox_row row = { .submission = submission,
		.request = request, .state = OUTBOX_QUEUED,
		.mailbox = mailbox->title,
		.sender = envelope_sender(mailbox), .recipient = head->to,
		.message_id = head->message_id, .message = message,
		.next_attempt = r->now, .created_at = r->now };
	unsigned int recent = 0;
	int64_t id;

	if (settings_is_drop(mailbox)) {
		snprintf(file, sizeof(file), FILE_RECIPIENT "%s",
		    head->file == NULL || head->file[0] == '\0' ? "answer" :
		    head->file);
		row.recipient = file;
		row.sender = "";
	} else if (!has_certificate) {
		if (store_count_replies(r->store, head->to, r->now - HOUR_S,
		    &recent, err) == -1)
			return -1;
		/* Each full hour's worth waits an hour more. */
		row.next_attempt += (time_t)(recent /
		    r->settings->replies_per_hour) * HOUR_S;
	}
	return store_add_outbox(r->store, &row, &id, err);
}

/* NULL: it is with nobody. */
static struct pending_mail *
find_pending(struct registrar *r, uint64_t id)
{
	for (size_t i = 0; i < r->n_mails; i++)
		if (r->mails[i].id == (int64_t)id)
			return &r->mails[i];
	return NULL;
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

/* To the session with the least to do. False: none keeps up, or is there. */
static bool
hand_to_submit(struct registrar *r, const struct outbox_row *row,
    struct bytes message, struct pending_mail *pending)
{
	struct wire_send m = { .id = (uint64_t)row->id, .message = message };
	size_t session = idlest(r);
	struct err err;

	if (session == r->n_submits)
		return false;
	snprintf(m.sender, sizeof(m.sender), "%s", row->sender);
	snprintf(m.recipient, sizeof(m.recipient), "%s", row->recipient);
	if (wire_send_send(r->submits[session].channel, &m, &err) == -1)
		return false;
	*pending = (struct pending_mail){ .id = row->id, .session = session };
	r->submits[session].n_mails++;
	return true;
}

static bool
is_for_folder(const struct outbox_row *row)
{
	return strncmp(row->recipient, FILE_RECIPIENT,
	    strlen(FILE_RECIPIENT)) == 0;
}

/* The intake whose folder it is. NULL: it is busy, or has none any more in this
 * configuration. */
static struct intake_peer *
find_folder(struct registrar *r, const struct outbox_row *row)
{
	for (size_t i = 0; i < r->n_intakes; i++) {
		struct intake_peer *peer = &r->intakes[i];

		if (strcmp(peer->mailbox->title, row->mailbox) == 0)
			return settings_is_drop(peer->mailbox) &&
			    !peer->closed && peer->n_answers < MAX_ANSWERS ?
			    peer : NULL;
	}
	return NULL;
}

static bool
hand_to_intake(struct registrar *r, const struct outbox_row *row,
    struct bytes message, struct pending_mail *pending)
{
	struct wire_send m = { .id = (uint64_t)row->id, .message = message };
	struct intake_peer *peer = find_folder(r, row);
	struct err err;

	snprintf(m.recipient, sizeof(m.recipient), "%s", row->recipient);
	if (peer == NULL || wire_send_send(peer->channel, &m, &err) == -1)
		return false;
	*pending = (struct pending_mail){ .id = row->id, .folder = peer };
	peer->n_answers++;
	return true;
}

static bool
hand_out(struct registrar *r, const struct outbox_row *row,
    struct bytes message, struct pending_mail *pending)
{
	return is_for_folder(row) ? hand_to_intake(r, row, message, pending) :
	    hand_to_submit(r, row, message, pending);
}

static bool
hand_to_sealer(struct registrar *r, const struct outbox_row *row,
    struct pending_mail *pending)
{
	struct wire_seal m = { .id = (uint64_t)row->id,
		.message = row->message };
	struct err err;

	snprintf(m.mailbox, sizeof(m.mailbox), "%s", row->mailbox);
	if (r->sealer == NULL || wire_send_seal(r->sealer, &m, &err) == -1)
		return false;
	*pending = (struct pending_mail){ .id = row->id, .sealing = true };
	return true;
}

static int
send_one(const struct outbox_row *row, void *arg)
{
	struct registrar *r = arg;
	const struct mailbox_settings *mailbox =
	    settings_mailbox(r->settings, row->mailbox);
	struct pending_mail *next = &r->mails[r->n_mails];
	bool out;

	if (find_pending(r, (uint64_t)row->id) != NULL)
		return 0;
	/* A folder that is busy holds up no mail. */
	if (is_for_folder(row) && find_folder(r, row) == NULL)
		return 0;
	if (r->n_mails == REGISTRAR_MAX_MAILS)
		return 1;
	/* What is no mail has no place for a signature. */
	out = mailbox != NULL && settings_signs(mailbox) &&
	    !answer_files_are(row->message) ? hand_to_sealer(r, row, next) :
	    hand_out(r, row, row->message, next);
	if (!out)
		return 1;	/* the next turn */
	r->n_mails++;
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
	struct pending_mail *pending = find_pending(r, id);

	if (pending == NULL)
		return;
	if (pending->folder != NULL)
		pending->folder->n_answers--;
	else if (!pending->sealing)
		r->submits[pending->session].n_mails--;
	*pending = r->mails[--r->n_mails];
}

/* --- the sealer's answers ------------------------------------------------------ */

struct signed_mail {
	struct registrar *registrar;
	struct bytes	 message;
	struct pending_mail *pending;
	bool		 out;
};

static int
send_signed(const struct outbox_row *row, void *arg)
{
	struct signed_mail *s = arg;

	s->out = row->state == OUTBOX_QUEUED &&
	    hand_out(s->registrar, row, s->message, s->pending);
	return 1;
}

static struct pending_mail *
find_sealing(struct registrar *r, uint64_t id, struct err *err)
{
	struct pending_mail *pending = find_pending(r, id);

	if (pending == NULL || !pending->sealing) {
		err_set(err, ERR_FAULT, "sealer answers what was not asked");
		return NULL;
	}
	return pending;
}

int
outbox_send_sealed(struct registrar *r, const struct wire_sealed *m,
    struct err *err)
{
	struct signed_mail s = { .registrar = r, .message = m->message,
		.pending = find_sealing(r, m->id, err) };
	struct err why;

	if (s.pending == NULL)
		return -1;
	if (store_find_outbox(r->store, (int64_t)m->id, send_signed, &s,
	    &why) == -1)
		log_warn("outbox.unreadable", STR("why", why.text),
		    STR("detail", why.detail));
	if (!s.out)	/* it is still due: signed anew, the next turn */
		outbox_forget(r, m->id);
	return 0;
}

int
outbox_take_unsealed(struct registrar *r, const struct wire_sealed *m,
    struct err *err)
{
	if (find_sealing(r, m->id, err) == NULL ||
	    store_defer_outbox(r->store, (int64_t)m->id, m->text,
	    r->now + UNSEALED_DELAY_S, err) == -1)
		return -1;
	log_warn("mail.deferred", NUM("mail", m->id), STR("answer", m->text));
	return 0;
}

/* --- submit's answers ---------------------------------------------------------- */

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
delay_after(unsigned int attempts, time_t longest)
{
	time_t delay = FIRST_DELAY_S;

	while (attempts-- > 0 && delay < longest)
		delay *= 2;
	return delay < longest ? delay : longest;
}

int
outbox_take_sent(struct registrar *r, const struct wire_sent *m,
    struct err *err)
{
	const struct pending_mail *pending = find_pending(r, m->id);
	enum outbox_state state = OUTBOX_SENT;
	struct delivery d = { 0 };
	char object[32], answer[300];
	const char *by;
	time_t next = 0;

	if (pending == NULL || pending->sealing)
		return err_set(err, ERR_FAULT,
		    "submit answers what was not asked");
	by = pending->folder == NULL ? "submit" : "intake";
	if (store_each_outbox(r->store, OUTBOX_QUEUED, (int64_t)m->id - 1, 1,
	    note_delivery, &d, err) == -1)
		return -1;
	if (m->result == SENT_DEFERRED) {
		/* What is for a folder waits, however long. */
		state = pending->folder == NULL &&
		    r->now - d.created_at > GIVE_UP_AFTER_S &&
		    d.attempts >= GIVE_UP_ATTEMPTS ?
		    OUTBOX_FAILED : OUTBOX_QUEUED;
		next = r->now + delay_after(d.attempts,
		    pending->folder == NULL ? LONGEST_DELAY_S :
		    LONGEST_FOLDER_DELAY_S);
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
		return store_audit(r->store, r->now, "mail.sent", by,
		    object, "", err);
	case OUTBOX_FAILED:
		log_error("mail.failed", NUM("mail", m->id),
		    NUM("code", m->code), STR("answer", m->text));
		return store_audit(r->store, r->now, "mail.failed", by,
		    object, m->text, err);
	}
	return 0;
}
