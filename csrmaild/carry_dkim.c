#include "csrmaild/carry_private.h"

#include "csrmaild/dkim_check.h"
#include "csrmaild/dkim_field.h"
#include "csrmaild/dkim_key.h"
#include "csrmaild/settings.h"

#include "common/err.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

struct waiting {
	bool		 used;
	uint32_t	 uid_validity, uid;
	int64_t		 since_ms;
};

struct carry_dkim {
	struct dkim_keys *keys;		/* owned */
	int64_t		 retry_ms;
	struct waiting	 waiting[CARRY_DKIM_MAX_WAITING];
};

/* The signatures of one arrival that are worth a question. */
struct wanted {
	struct dkim_candidate candidates[DKIM_MAX_CANDIDATES];
	size_t		 n;
};

int
carry_dkim_new(const struct mailbox_settings *mailbox,
    struct carry_dkim **out, struct err *err)
{
	OWNED_STRUCT(carry_dkim) *d = NULL;

	*out = NULL;
	if (!mailbox->verify_dkim)
		return 0;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	d->retry_ms = INT64_MAX;
	if (dkim_keys_new(mailbox->resolver, &d->keys, err) == -1)
		return -1;
	*out = TAKE(d);
	return 0;
}

void
carry_dkim_free(struct carry_dkim *d)
{
	if (d == NULL)
		return;
	dkim_keys_free(d->keys);
	free(d);
}

void
carry_dkim_begin(struct carry_dkim *d)
{
	if (d != NULL)
		d->retry_ms = INT64_MAX;
}

int64_t
carry_dkim_retry_ms(const struct carry_dkim *d)
{
	return d == NULL ? INT64_MAX : d->retry_ms;
}

/* --- who waits ------------------------------------------------------------------ */

/* The place of this mail, or a free one for it; NULL: there is none. Places of
 * mails that were seen no more are free after twice the time. */
static struct waiting *
find_place(struct carry_dkim *d, uint32_t uid_validity, uint32_t uid,
    int64_t now_ms)
{
	struct waiting *place = NULL;

	for (size_t i = 0; i < CARRY_DKIM_MAX_WAITING; i++) {
		struct waiting *w = &d->waiting[i];

		if (w->used && w->uid_validity == uid_validity &&
		    w->uid == uid)
			return w;
		if (!w->used ||
		    now_ms - w->since_ms >= 2 * CARRY_DKIM_PATIENCE_MS)
			place = w;
	}
	if (place != NULL)
		*place = (struct waiting){ .uid_validity = uid_validity,
		    .uid = uid, .since_ms = now_ms };
	return place;
}

static bool
may_wait(struct carry_dkim *d, uint32_t uid_validity, uint32_t uid,
    int64_t now_ms)
{
	struct waiting *w = find_place(d, uid_validity, uid, now_ms);

	if (w == NULL)
		return false;
	w->used = now_ms - w->since_ms < CARRY_DKIM_PATIENCE_MS;
	return w->used;
}

static void
wait_no_more(struct carry_dkim *d, uint32_t uid_validity, uint32_t uid)
{
	for (size_t i = 0; i < CARRY_DKIM_MAX_WAITING; i++) {
		struct waiting *w = &d->waiting[i];

		if (w->used && w->uid_validity == uid_validity &&
		    w->uid == uid)
			w->used = false;
	}
}

/* --- keys ----------------------------------------------------------------------- */

/* Header blocks that were cut, and mails of nobody, have none. */
static void
want(const struct arrival *a, struct wanted *w)
{
	w->n = a->too_large || a->submit.envelope.from[0] == '\0' ? 0 :
	    dkim_candidates(a->message, a->submit.envelope.from,
	    w->candidates);
}

/* One round of questions for the whole batch. */
static int
ask(struct carrier *c, const struct wanted *wanted, size_t n, int64_t now_ms,
    struct err *err)
{
	const int stop[2] = { c->stop_fd, c->control_fd };
	OWNED_HEAP(const char *) *names = calloc(n * DKIM_MAX_CANDIDATES,
	    sizeof(*names));
	size_t n_names = 0;

	if (names == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < wanted[i].n; j++)
			names[n_names++] = wanted[i].candidates[j].name;
	dkim_keys_ask(c->dkim->keys, names, n_names, stop, now_ms);
	return 0;
}

/* What the round brought for this one. */
static void
take_keys(struct carry_dkim *d, uint32_t uid_validity, struct arrival *a,
    const struct wanted *w, int64_t now_ms)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < w->n; i++) {
		struct bytes record;
		int64_t retry_ms;

		switch (dkim_keys_get(d->keys, w->candidates[i].name, &record,
		    &retry_ms)) {
		case DKIM_KEY_FOUND:
			dkim_keys_put(&a->dkim_keys, w->candidates[i].nth,
			    record);
			break;
		case DKIM_KEY_NONE:
			log_info("dkim.no-key", NUM("uid", a->uid),
			    STR("name", w->candidates[i].name));
			break;
		case DKIM_KEY_LATER:
			if (retry_ms < first)
				first = retry_ms;
			break;
		}
	}
	/* Who hands a mail in by hand waits for the answer. */
	a->stays = a->dkim_keys.len == 0 && first != INT64_MAX &&
	    a->submit.channel == CHANNEL_MAIL &&
	    may_wait(d, uid_validity, a->uid, now_ms);
	if (!a->stays)
		wait_no_more(d, uid_validity, a->uid);
	else if (first < d->retry_ms)
		d->retry_ms = first;
}

int
carry_dkim_fetch(struct carrier *c, uint32_t uid_validity,
    struct arrival *arrivals, size_t n, int64_t now_ms, struct err *err)
{
	OWNED_HEAP(struct wanted) *wanted = NULL;

	if (c->dkim == NULL || n == 0)
		return 0;
	wanted = calloc(n, sizeof(*wanted));
	if (wanted == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = 0; i < n; i++)
		want(&arrivals[i], &wanted[i]);
	if (ask(c, wanted, n, now_ms, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		take_keys(c->dkim, uid_validity, &arrivals[i], &wanted[i],
		    now_ms);
	return 0;
}

/* --- the answer ----------------------------------------------------------------- */
void
carry_dkim_take(const struct carrier *c, struct arrival *a,
    const struct dkim_result *result)
{
	if (result != NULL && result->good)
		a->submit.envelope.evidence |= EVIDENCE_DKIM;
	else
		log_info("dkim.refused", STR("mailbox", c->mailbox->title),
		    NUM("uid", a->uid), STR("why", result == NULL ?
		    "the program that verifies failed on it" : result->text));
}
