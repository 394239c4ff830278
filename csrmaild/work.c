#include "csrmaild/work.h"

#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "csrmaild/acts.h"
#include "csrmaild/delivery.h"
#include "csrmaild/issuance.h"
#include "csrmaild/outbox.h"
#include "csrmaild/publish.h"
#include "csrmaild/registry.h"
#include "csrmaild/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE_RETRY_MS	1000
#define MAX_WORK	128	/* frames that share one commit */

/* One frame, kept until it is committed. */
struct work {
	enum wire_type	 type;
	struct channel	*from;
	struct buf	 payload;	/* owned: a copy of the frame's */
	bool		 failed;	/* once, for good: be content with less */
	bool		 answer;	/* an OUTCOME is due after the commit */
	struct wire_outcome outcome;
	uint64_t	 delivery;	/* whose caller waits for it, or 0 */
	uint64_t	 mail;		/* outbox row to forget, or 0 */
	bool		 has_burnt;	/* a key that is blocked by this */
	uint8_t		 burnt_spki_sha256[32];
};

struct work_queue {
	struct work	 items[MAX_WORK];
	size_t		 n;
	int64_t		 not_before_ms;	/* after a failed commit */
};

/* --- one piece of work, inside the transaction -------------------------- */

/* An intake speaks for its own mailbox: what a folder vouches for, no other may
 * say. */
static int
check_intake(const struct registrar *r, const struct work *w,
    const char *mailbox, struct err *err)
{
	for (size_t i = 0; i < r->n_intakes; i++)
		if (r->intakes[i].channel == w->from &&
		    strcmp(r->intakes[i].mailbox->title, mailbox) == 0)
			return 0;
	return err_set(err, ERR_FAULT,
	    "an intake speaks for a mailbox that is not its own");
}

static int
do_submit(struct registrar *r, struct work *w, const struct frame *frame,
    struct err *err)
{
	struct wire_submit m;
	int result;

	if (wire_get_submit(frame, &m, err) == -1)
		return -1;
	if (check_intake(r, w, m.mailbox, err) == -1) {
		wire_submit_free_contents(&m);
		return -1;
	}
	w->outcome.id = m.id;
	w->delivery = m.delivery;
	result = w->failed ?
	    submission_give_up(r, &m, &w->outcome.outcome, err) :
	    submission_take(r, &m, &w->outcome.outcome, err);
	w->has_burnt = result == 0 && m.findings->has_burnt;
	memcpy(w->burnt_spki_sha256, m.findings->burnt_spki_sha256,
	    sizeof(w->burnt_spki_sha256));
	wire_submit_free_contents(&m);
	w->answer = result == 0;
	return result;
}

/* Somebody opened or closed it by hand. The signer asked the kernel who it
 * was; the audit trail is ours. */
static int
do_key(struct registrar *r, const struct frame *frame, struct err *err)
{
	struct wire_keys m;
	char object[sizeof(m.ca) + 3];

	if (wire_get_keys(frame, &m, err) == -1)
		return -1;
	snprintf(object, sizeof(object), "ca:%s", m.ca);
	return store_audit(r->store, r->now, m.open ? "key.opened" :
	    "key.closed", m.who, object, "", err);
}

static int
do_work(struct registrar *r, struct work *w, struct err *err)
{
	struct frame frame = { .type = (uint16_t)w->type,
		.payload = buf_bytes(&w->payload), .fd = -1 };
	struct wire_issued issued;
	struct wire_refused refused;
	struct wire_sealed sealed;
	struct wire_sent sent;

	switch (w->type) {
	case WIRE_SUBMIT:
		return do_submit(r, w, &frame, err);
	case WIRE_ISSUED:
		if (wire_get_issued(&frame, &issued, err) == -1)
			return -1;
		return issuance_take_issued(r, &issued, err);
	case WIRE_REFUSED:
		if (wire_get_refused(&frame, &refused, err) == -1)
			return -1;
		if (refused.serial.len == 0) {	/* a CRL: nothing to store */
			publish_take_refused(r, &refused);
			return 0;
		}
		return issuance_take_refused(r, &refused, err);
	case WIRE_KEYS:
		return do_key(r, &frame, err);
	case WIRE_SENT:
		if (wire_get_sent(&frame, &sent, err) == -1)
			return -1;
		w->mail = sent.id;
		return outbox_take_sent(r, &sent, err);
	case WIRE_SEALED:	/* one that was not */
		if (wire_get_sealed(&frame, &sealed, err) == -1)
			return -1;
		w->mail = sealed.id;
		return outbox_take_unsealed(r, &sealed, err);
	default:
		return err_set(err, ERR_FAULT, "no work of ours");
	}
}

/* A savepoint around it: what fails for good is logged and left out, the rest
 * of the commit goes on. ERR_RETRY ends the whole attempt. */
static int
do_savepoint(struct registrar *r, struct work *w, struct err *err)
{
	size_t revoked = r->n_revoked;

	if (store_savepoint(r->store, err) == -1)
		return -1;
	if (do_work(r, w, err) == 0)
		return store_release_savepoint(r->store, err);
	if (err->kind == ERR_RETRY)
		return -1;
	store_rollback_to_savepoint(r->store);
	registrar_forget_revoked(r, revoked);
	log_error("registrar.failed", NUM("frame", w->type),
	    STR("peer", channel_peer(w->from)), STR("why", err->text),
	    STR("detail", err->detail));
	if (w->type != WIRE_SUBMIT || w->failed)
		return 0;
	/* A mail is filed all the same, or it would come again for ever. */
	w->failed = true;
	return do_savepoint(r, w, err);
}

static int
commit_all(struct registrar *r, struct work_queue *q, struct err *err)
{
	if (store_begin(r->store, err) == -1)
		return -1;
	for (size_t i = 0; i < q->n; i++)
		if (do_savepoint(r, &q->items[i], err) == -1)
			return -1;
	crash_point("registrar.before-commit");
	return store_commit(r->store, err);
}

/* What the commit allows to be said. */
static void
tell(struct registrar *r, struct work_queue *q)
{
	struct err err;

	for (size_t i = 0; i < q->n; i++) {
		struct work *w = &q->items[i];

		if (w->answer && wire_send_outcome(w->from, &w->outcome,
		    &err) == -1)
			log_warn("outcome.lost", STR("why", err.text));
		if (w->answer && w->delivery != 0)
			delivery_answer(r, w->delivery, w->outcome.outcome);
		if (w->mail != 0)
			outbox_forget(r, w->mail);
		if (w->has_burnt)
			registrar_tell_blocked(r, w->burnt_spki_sha256,
			    r->now);
		buf_free(&w->payload);
	}
	q->n = 0;
	registrar_tell_revoked(r);
}

void
work_commit(struct registrar *r, struct work_queue *q)
{
	struct pending_order orders[REGISTRAR_MAX_ORDERS];
	size_t n_orders = r->n_orders;
	struct err err;

	if (q->n == 0 || q->not_before_ms > r->now_ms)
		return;
	memcpy(orders, r->orders, sizeof(orders));
	if (commit_all(r, q, &err) == 0) {
		crash_point("registrar.after-commit");
		r->trouble[0] = '\0';
		tell(r, q);
		return;
	}
	/* As if it had never been tried. */
	store_rollback(r->store);
	registrar_forget_revoked(r, 0);
	memcpy(r->orders, orders, sizeof(orders));
	r->n_orders = n_orders;
	q->not_before_ms = r->now_ms + STORE_RETRY_MS;
	snprintf(r->trouble, sizeof(r->trouble), "%s", err.text);
	log_error("store.deferred", NUM("frames", q->n),
	    STR("why", err.text), STR("detail", err.detail));
}

/* --- the queue ---------------------------------------------------------- */

struct work_queue *
work_queue_new(void)
{
	return calloc(1, sizeof(struct work_queue));
}

void
work_queue_free(struct work_queue *q)
{
	if (q == NULL)
		return;
	for (size_t i = 0; i < q->n; i++)
		buf_free(&q->items[i].payload);
	free(q);
}

bool
work_is_full(const struct work_queue *q)
{
	return q->n == MAX_WORK;
}

bool
work_is_waiting(const struct work_queue *q)
{
	return q->n > 0;
}

int
work_add(struct work_queue *q, struct channel *from, const struct frame *frame,
    struct err *err)
{
	struct work *w = &q->items[q->n];

	*w = (struct work){ .type = (enum wire_type)frame->type, .from = from,
		.payload = BUF(WIRE_MAX_SUBMIT) };
	if (buf_append_bytes(&w->payload, frame->payload) == -1)
		return err_set(err, ERR_FAULT, "out of memory");
	q->n++;
	return 0;
}
