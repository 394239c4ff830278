#include "csrmaild/acts.h"

#include "common/err.h"
#include "common/store.h"
#include "csrmaild/answer.h"
#include "csrmaild/registry.h"

#include <stdio.h>

/*
 * Revocations that a mail asks for, and that wait for a person.
 */
struct waiting {
	enum revocation_state state;
	enum crl_reason	 reason;
	int64_t		 id, ca_id;
	struct serial	 serial;
	char		 reply_to[MAILBOX_MAX + 1];
	const char	*who;
	time_t		 now;
};

static int
note(const struct revocation_row *row, void *arg)
{
	struct waiting *w = arg;

	w->state = row->state;
	w->reason = row->reason;
	w->ca_id = row->ca_id;
	w->serial = row->serial;
	snprintf(w->reply_to, sizeof(w->reply_to), "%s", row->reply_to);
	return 0;
}

/* ERR_REJECT: it does not wait. */
static int
find_waiting(struct registrar *r, int64_t revocation, struct waiting *w,
    struct err *err)
{
	w->id = revocation;
	switch (store_find_revocation(r->store, revocation, note, w, err)) {
	case -1:
		return -1;
	case 1:
		return err_set(err, ERR_REJECT, "there is no revocation %lld",
		    (long long)revocation);
	}
	return w->state == REVOCATION_HELD ? 0 : err_set(err, ERR_REJECT,
	    "revocation %lld does not wait: it is %s", (long long)revocation,
	    revocation_state_name(w->state));
}

static int
settle(struct registrar *r, const struct waiting *w,
    enum revocation_state to, const char *event, const char *why,
    struct err *err)
{
	char object[40];

	snprintf(object, sizeof(object), "revocation:%lld", (long long)w->id);
	switch (store_settle_revocation(r->store, w->id, to, w->who, why,
	    w->now, err)) {
	case -1:
		return -1;
	case 1:
		return err_set(err, ERR_FAULT, "it was decided meanwhile");
	}
	if (store_audit(r->store, w->now, event, w->who, object, why,
	    err) == -1)
		return -1;
	return submission_answer_revocation(r, w->id, err);
}

/* In the transaction of the revocation. */
static int
settle_revoked(struct registrar *r, void *arg, struct err *err)
{
	return settle(r, arg, REVOCATION_REVOKED, "revocation.approved", "",
	    err);
}

int
registrar_approve_revocation(struct registrar *r, int64_t revocation,
    const char *who, time_t now, struct err *err)
{
	struct waiting w = { .who = who, .now = now };

	if (find_waiting(r, revocation, &w, err) == -1)
		return -1;
	return registrar_revoke_and(r, w.ca_id, &w.serial, w.reason, 0, who,
	    now, settle_revoked, &w, w.reply_to[0] == '\0' ? NULL :
	    w.reply_to, err);
}

int
registrar_reject_revocation(struct registrar *r, int64_t revocation,
    const char *why, const char *who, time_t now, struct err *err)
{
	struct waiting w = { .who = who, .now = now };

	if (find_waiting(r, revocation, &w, err) == -1 ||
	    store_begin(r->store, err) == -1)
		return -1;
	if (settle(r, &w, REVOCATION_REJECTED, "revocation.rejected", why,
	    err) == 0 && store_commit(r->store, err) == 0)
		return 0;
	store_rollback(r->store);
	return -1;
}
