#include "common/store_private.h"
#include "common/err.h"
#include "common/frame.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#define DETAIL_MAX	4096	/* octets, schema/0001-store.sql */

/*
 * The outbox, the audit trail, and the smaller things: blocked keys, counts.
 */
static const char *const state_names[] = {
	[OUTBOX_QUEUED] = "queued",
	[OUTBOX_SENT] = "sent",
	[OUTBOX_FAILED] = "failed",
};

int
store_add_outbox(struct store *store, const struct outbox_row *row,
    int64_t *id, struct err *err)
{
	QUERY(q, store, Q_ADD_OUTBOX);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int_or_null(&q, row->submission);
	query_int_or_null(&q, row->request);
	query_text(&q, row->mailbox);
	query_text(&q, row->sender);
	query_text(&q, row->recipient);
	query_text(&q, row->message_id);
	query_blob(&q, row->message);
	query_int(&q, row->next_attempt);
	query_int(&q, row->created_at);
	if (query_run(&q, NULL, err) == -1)
		return -1;
	*id = store_last_id(store);
	return 0;
}

static int
read_outbox(const struct query *q, struct outbox_row *row)
{
	const char *state = column_text(q, 3);

	*row = (struct outbox_row){
		.id = column_int(q, 0),
		.submission = column_int(q, 1),
		.request = column_int(q, 2),
		.mailbox = column_text(q, 4),
		.sender = column_text(q, 5),
		.recipient = column_text(q, 6),
		.message_id = column_text(q, 7),
		.message = column_blob(q, 8),
		.attempts = (unsigned int)column_int(q, 9),
		.next_attempt = column_int(q, 10),
		.last_answer = column_text(q, 11),
		.created_at = column_int(q, 12),
		.sent_at = column_int(q, 13),
		.bounced_at = column_int(q, 14),
		.bounce = column_text(q, 15),
	};
	for (int s = OUTBOX_QUEUED; s <= OUTBOX_FAILED; s++)
		if (strcmp(state_names[s], state) == 0) {
			row->state = (enum outbox_state)s;
			return 0;
		}
	return -1;
}

int
store_each_due(struct store *store, time_t now, int64_t after,
    unsigned int limit, int (*fn)(const struct outbox_row *, void *),
    void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_DUE);
	struct outbox_row row;

	query_int(&q, now);
	query_int(&q, after);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_outbox, fn, arg, err) == -1 ? -1 : 0;
}

int
store_next_due(struct store *store, time_t *out, struct err *err)
{
	QUERY(q, store, Q_NEXT_DUE);
	int r = query_step(&q, err);

	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = column_int(&q, 0);
	return 0;
}

int
store_each_outbox(struct store *store, enum outbox_state state,
    int64_t after, unsigned int limit,
    int (*fn)(const struct outbox_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, (int)state == 0 ? Q_EACH_OUTBOX : Q_EACH_OUTBOX_IN);
	struct outbox_row row;

	query_int(&q, after);
	query_text(&q, (int)state == 0 ? "" : state_names[state]);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_outbox, fn, arg, err) == -1 ? -1 : 0;
}

int
store_find_outbox(struct store *store, int64_t id,
    int (*fn)(const struct outbox_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_FIND_OUTBOX);
	struct outbox_row row;

	query_int(&q, id);
	return STORE_WALK(&q, &row, read_outbox, fn, arg, err);
}

int
store_each_bounced(struct store *store, int64_t after, unsigned int limit,
    int (*fn)(const struct outbox_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_BOUNCED);
	struct outbox_row row;

	query_int(&q, after);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_outbox, fn, arg, err) == -1 ? -1 : 0;
}

int
store_set_bounced(struct store *store, const char *message_id,
    const char *why, time_t now, struct err *err)
{
	QUERY(q, store, Q_SET_BOUNCED);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, now);
	query_text_cut(&q, why, 256);
	query_text(&q, message_id);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : 1;
}

int
store_retry_outbox(struct store *store, int64_t id, time_t now,
    struct err *err)
{
	QUERY(q, store, Q_RETRY_OUTBOX);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, now);
	query_int(&q, id);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : 1;
}

int
store_set_outbox(struct store *store, int64_t id, enum outbox_state state,
    const char *answer, time_t next, time_t now, struct err *err)
{
	QUERY(q, store, Q_SET_OUTBOX);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_text(&q, state_names[state]);
	query_text_cut(&q, answer, 512);
	query_int(&q, next);
	query_int(&q, now);
	query_int(&q, id);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : 1;
}

int
store_defer_outbox(struct store *store, int64_t id, const char *why,
    time_t next, struct err *err)
{
	QUERY(q, store, Q_DEFER_OUTBOX);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_text_cut(&q, why, 512);
	query_int(&q, next);
	query_int(&q, id);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : 1;
}

int
store_count_replies(struct store *store, const char *recipient, time_t since,
    unsigned int *out, struct err *err)
{
	QUERY(q, store, Q_COUNT_REPLIES);
	int r;

	query_text(&q, recipient);
	query_int(&q, since);
	r = query_step(&q, err);
	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = (unsigned int)column_int(&q, 0);
	return 0;
}

/* --- audit --------------------------------------------------------------- */

/*
 * SHA-256 over the hash of the row before (32 zero octets for the first),
 * id u64, at i64, and the four texts, each as u32 length and octets.
 */
static int
audit_hash(const uint8_t before[32], const struct audit_row *row,
    uint8_t out[32], struct err *err)
{
	OWNED_BUF(octets, 32 * 1024);

	buf_append(&octets, before, 32);
	put_u64(&octets, (uint64_t)row->id);
	put_time(&octets, row->at);
	put_str(&octets, row->event);
	put_str(&octets, row->principal);
	put_str(&octets, row->object);
	put_str(&octets, row->detail);
	if (octets.failed)
		return err_set(err, ERR_FAULT, "the audit record is too long");
	if (EVP_Digest(octets.data, octets.len, out, NULL, EVP_sha256(),
	    NULL) != 1)
		return err_openssl(err, ERR_RETRY, "hashing an audit record");
	return 0;
}

int
store_audit(struct store *store, time_t now, const char *event,
    const char *principal, const char *object, const char *detail,
    struct err *err)
{
	struct audit_row row = { .id = 1, .at = now, .event = event,
	    .principal = principal, .object = object, .detail = detail };
	uint8_t before[32] = { 0 };
	char cut[DETAIL_MAX + 1];

	if (store_check_writing(store, err) == -1)
		return -1;
	/* Cut before it is hashed, not while it is stored. */
	if (strlen(detail) > DETAIL_MAX) {
		snprintf(cut, sizeof(cut), "%.*s", DETAIL_MAX, detail);
		row.detail = cut;
	}
	{
		QUERY(head, store, Q_AUDIT_HEAD);
		int r = query_step(&head, err);

		if (r == -1)
			return -1;
		if (r == 0) {
			row.id = column_int(&head, 0) + 1;
			if (!column_fixed(&head, 1, before, sizeof(before)))
				return store_corrupt(&head, err);
		}
	}
	if (audit_hash(before, &row, row.hash, err) == -1)
		return -1;
	QUERY(q, store, Q_ADD_AUDIT);
	query_int(&q, row.id);
	query_int(&q, row.at);
	query_text(&q, row.event);
	query_text(&q, row.principal);
	query_text(&q, row.object);
	query_text(&q, row.detail);
	query_blob(&q, (struct bytes){ row.hash, sizeof(row.hash) });
	return query_run(&q, NULL, err);
}

static int
read_audit(const struct query *q, struct audit_row *row)
{
	*row = (struct audit_row){
		.id = column_int(q, 0),
		.at = column_int(q, 1),
		.event = column_text(q, 2),
		.principal = column_text(q, 3),
		.object = column_text(q, 4),
		.detail = column_text(q, 5),
	};
	return column_fixed(q, 6, row->hash, sizeof(row->hash)) ? 0 : -1;
}

int
store_each_audit(struct store *store, int64_t after, unsigned int limit,
    int (*fn)(const struct audit_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_AUDIT);
	struct audit_row row;

	query_int(&q, after);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_audit, fn, arg, err) == -1 ? -1 : 0;
}

int
store_verify_audit(struct store *store, uint64_t *rows, struct err *err)
{
	QUERY(q, store, Q_EACH_AUDIT);
	uint8_t before[32] = { 0 }, want[32];
	struct audit_row row;
	int64_t n = 0;
	int r;

	query_int(&q, INT64_MIN);
	query_int(&q, -1);	/* no limit */
	while ((r = query_step(&q, err)) == 0) {
		if (read_audit(&q, &row) == -1)
			return store_corrupt(&q, err);
		if (audit_hash(before, &row, want, err) == -1)
			return -1;
		if (row.id != n + 1 || memcmp(want, row.hash, 32) != 0)
			return err_set(err, ERR_FAULT, "the audit trail is "
			    "broken: record %lld is not what followed "
			    "record %lld", (long long)row.id, (long long)n);
		memcpy(before, row.hash, 32);
		n = row.id;
	}
	if (r == -1)
		return -1;
	*rows = (uint64_t)n;
	return 0;
}

/* --- counts --------------------------------------------------------------- */

int
store_count(struct store *store, struct store_counts *out, struct err *err)
{
	QUERY(q, store, Q_COUNT);
	int r = query_step(&q, err);

	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = (struct store_counts){
		.held = (uint64_t)column_int(&q, 0),
		.approved = (uint64_t)column_int(&q, 1),
		.issued = (uint64_t)column_int(&q, 2),
		.revoked = (uint64_t)column_int(&q, 3),
		.queued = (uint64_t)column_int(&q, 4),
		.failed = (uint64_t)column_int(&q, 5),
		.oldest_queued = column_int(&q, 6),
		.held_revocations = (uint64_t)column_int(&q, 7),
	};
	return 0;
}
