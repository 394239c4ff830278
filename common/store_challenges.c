#include "common/store_private.h"

#include "common/err.h"

/*
 * Challenges: mails of ours that ask a sender to confirm.
 */
int
store_add_challenge(struct store *store, const struct challenge_row *row,
    int64_t *id, struct err *err)
{
	QUERY(q, store, Q_ADD_CHALLENGE);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_blob(&q, (struct bytes){ row->token_sha256,
	    sizeof(row->token_sha256) });
	query_int(&q, row->submission);
	query_text(&q, row->mailbox);
	query_text(&q, row->recipient);
	query_int(&q, row->created_at);
	query_int(&q, row->expires_at);
	if (query_run(&q, NULL, err) == -1)
		return -1;
	*id = store_last_id(store);
	return 0;
}

static int
read_challenge(const struct query *q, struct challenge_row *row)
{
	*row = (struct challenge_row){
		.id = column_int(q, 0),
		.submission = column_int(q, 2),
		.mailbox = column_text(q, 3),
		.recipient = column_text(q, 4),
		.created_at = column_int(q, 5),
		.expires_at = column_int(q, 6),
	};
	return column_fixed(q, 1, row->token_sha256,
	    sizeof(row->token_sha256)) ? 0 : -1;
}

int
store_find_challenge(struct store *store, const uint8_t token_sha256[32],
    int (*fn)(const struct challenge_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_FIND_CHALLENGE);
	struct challenge_row row;

	query_blob(&q, (struct bytes){ token_sha256, 32 });
	return STORE_WALK(&q, &row, read_challenge, fn, arg, err);
}

int
store_settle_challenge(struct store *store, int64_t id, bool answered,
    time_t now, struct err *err)
{
	QUERY(q, store, Q_SETTLE_CHALLENGE);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, now);
	query_int(&q, answered);
	query_int(&q, id);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : 1;
}

int
store_each_expired_challenge(struct store *store, time_t now,
    unsigned int limit, int (*fn)(const struct challenge_row *, void *),
    void *arg, struct err *err)
{
	QUERY(q, store, Q_EXPIRED_CHALLENGES);
	struct challenge_row row;

	query_int(&q, now);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_challenge, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_count_challenges(struct store *store, const char *recipient,
    time_t since, unsigned int *out, struct err *err)
{
	QUERY(q, store, recipient == NULL ? Q_COUNT_CHALLENGES :
	    Q_COUNT_CHALLENGES_TO);
	int r;

	query_int(&q, since);
	if (recipient != NULL)
		query_text(&q, recipient);
	r = query_step(&q, err);
	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = (unsigned int)column_int(&q, 0);
	return 0;
}

int
store_vouch(struct store *store, int64_t submission, const char *evidence,
    const char *reply_to, struct err *err)
{
	QUERY(q, store, Q_VOUCH);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_text(&q, evidence);
	query_text(&q, reply_to);
	query_int(&q, submission);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 :
	    err_set(err, ERR_FAULT, "the store has no such submission");
}
