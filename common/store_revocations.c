#include "common/store_private.h"

#include "common/err.h"

#include <string.h>

/*
 * Revocations that mails ask for, and what became of them.
 */
static const char *const states[] = {
	[REVOCATION_HELD] = "held",
	[REVOCATION_REJECTED] = "rejected",
	[REVOCATION_REVOKED] = "revoked",
};

const char *
revocation_state_name(enum revocation_state state)
{
	return states[state];
}

int
revocation_state_from_name(const char *name, enum revocation_state *out)
{
	for (int i = REVOCATION_HELD; i <= REVOCATION_REVOKED; i++)
		if (strcmp(states[i], name) == 0) {
			*out = (enum revocation_state)i;
			return 0;
		}
	return -1;
}

int
store_add_revocation(struct store *store, const struct revocation_row *row,
    int64_t *id, struct err *err)
{
	QUERY(q, store, Q_ADD_REVOCATION);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, row->submission);
	query_int_or_null(&q, row->certificate);
	query_text(&q, states[row->state]);
	query_text_cut(&q, row->serial_text, 64);
	query_int(&q, row->reason);
	query_text_cut(&q, row->rule, 64);
	query_text_cut(&q, row->why, 256);
	query_int_or_null(&q, row->decided_at);
	query_text(&q, row->decided_by);
	if (query_run(&q, NULL, err) == -1)
		return -1;
	*id = store_last_id(store);
	return 0;
}

static int
read_revocation(const struct query *q, struct revocation_row *row)
{
	*row = (struct revocation_row){
		.id = column_int(q, 0),
		.submission = column_int(q, 1),
		.certificate = column_int(q, 2),
		.serial_text = column_text(q, 4),
		.reason = (enum crl_reason)column_int(q, 5),
		.rule = column_text(q, 6),
		.why = column_text(q, 7),
		.decided_at = column_int(q, 8),
		.decided_by = column_text(q, 9),
		.principal = column_text(q, 10),
		.evidence = column_text(q, 11),
		.reply_to = column_text(q, 12),
		.mailbox = column_text(q, 13),
		.message_id = column_text(q, 14),
		.references = column_text(q, 15),
		.subject = column_text(q, 16),
		.language = column_text(q, 17),
		.received_at = column_int(q, 18),
		.ca_id = column_int(q, 19),
		.ca = column_text(q, 20),
		.names_text = column_text(q, 22),
		.file = column_text(q, 23),
	};
	if (column_blob(q, 21).len > 0 && !column_serial(q, 21, &row->serial))
		return -1;
	return crl_reason_name(row->reason) == NULL ? -1 :
	    revocation_state_from_name(column_text(q, 3), &row->state);
}

int
store_find_revocation(struct store *store, int64_t id,
    int (*fn)(const struct revocation_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_FIND_REVOCATION);
	struct revocation_row row;

	query_int(&q, id);
	return STORE_WALK(&q, &row, read_revocation, fn, arg, err);
}

int
store_each_revocation(struct store *store, enum revocation_state state,
    int64_t after, unsigned int limit,
    int (*fn)(const struct revocation_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, (int)state == 0 ? Q_EACH_REVOCATION :
	    Q_EACH_REVOCATION_IN);
	struct revocation_row row;

	query_int(&q, after);
	if ((int)state != 0)
		query_text(&q, states[state]);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_revocation, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_each_revocation_of(struct store *store, int64_t submission,
    int (*fn)(const struct revocation_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_EACH_REVOCATION_OF);
	struct revocation_row row;

	query_int(&q, submission);
	return STORE_WALK(&q, &row, read_revocation, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_settle_revocation(struct store *store, int64_t id,
    enum revocation_state to, const char *decided_by, const char *why,
    time_t now, struct err *err)
{
	QUERY(q, store, Q_SETTLE_REVOCATION);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_text(&q, states[to]);
	query_text(&q, decided_by);
	query_text_cut(&q, why, 256);
	query_int(&q, now);
	query_int(&q, id);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : 1;
}
