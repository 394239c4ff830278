#include "common/store_private.h"
#include "common/csr.h"
#include "common/err.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
	[REQUEST_RECEIVED] = "received",
	[REQUEST_REJECTED] = "rejected",
	[REQUEST_HELD] = "held",
	[REQUEST_APPROVED] = "approved",
	[REQUEST_ISSUED] = "issued",
	[REQUEST_LAPSED] = "lapsed",
	[REQUEST_WITHDRAWN] = "withdrawn",
};

const char *
request_state_name(enum request_state state)
{
	return state >= REQUEST_RECEIVED && state <= REQUEST_WITHDRAWN ?
	    state_names[state] : "unknown";
}

int
request_state_from_name(const char *name, enum request_state *out)
{
	for (int s = REQUEST_RECEIVED; s <= REQUEST_WITHDRAWN; s++)
		if (strcmp(state_names[s], name) == 0) {
			*out = (enum request_state)s;
			return 0;
		}
	return -1;
}

/* --- submissions --------------------------------------------------------- */

static int
add_place(struct store *store, const struct submission_row *row, int64_t id,
    struct err *err)
{
	QUERY(q, store, Q_ADD_PLACE);

	query_text(&q, row->mailbox);
	query_int(&q, row->uid_validity);
	query_int(&q, row->uid);
	query_int(&q, id);
	return query_run(&q, NULL, err);
}

/* 0 and the row's id and outcome, 1 when there is none. */
static int
found_submission(struct query *q, int64_t *id, char *outcome, size_t size,
    struct err *err)
{
	int r = query_step(q, err);

	if (r != 0)
		return r;
	*id = column_int(q, 0);
	snprintf(outcome, size, "%s", column_text(q, 1));
	return 0;
}

int
store_find_submission(struct store *store, const struct submission_row *row,
    int64_t *id, char *outcome, size_t size, struct err *err)
{
	bool has_place = row->mailbox[0] != '\0' && row->uid != 0;
	int r;

	if (store_check_writing(store, err) == -1)
		return -1;
	if (has_place) {
		QUERY(q, store, Q_FIND_PLACE);

		query_text(&q, row->mailbox);
		query_int(&q, row->uid_validity);
		query_int(&q, row->uid);
		r = found_submission(&q, id, outcome, size, err);
		if (r != 1)
			return r;
	}
	QUERY(q, store, Q_FIND_IDENTITY);
	query_blob(&q, (struct bytes){ row->identity, sizeof(row->identity) });
	r = found_submission(&q, id, outcome, size, err);
	if (r != 0 || !has_place)
		return r;
	return add_place(store, row, *id, err);
}

int
store_add_submission(struct store *store, const struct submission_row *row,
    int64_t *id, struct err *err)
{
	QUERY(q, store, Q_ADD_SUBMISSION);
	int64_t added;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_text(&q, row->channel);
	query_text(&q, row->mailbox);
	query_blob(&q, (struct bytes){ row->identity, sizeof(row->identity) });
	query_text(&q, row->principal);
	query_text(&q, row->evidence);
	query_text(&q, row->reply_to);
	query_text(&q, row->message_id);
	query_text(&q, row->references);
	query_text_cut(&q, row->subject, 200);
	query_text(&q, row->outcome);
	query_int(&q, row->received_at);
	query_int_or_null(&q, row->signer);
	query_text(&q, row->language == NULL ? "" : row->language);
	query_text(&q, row->detail == NULL ? "" : row->detail);
	query_text(&q, row->file == NULL ? "" : row->file);
	if (query_run(&q, NULL, err) == -1)
		return -1;
	added = store_last_id(store);
	if (row->mailbox[0] != '\0' && row->uid != 0 &&
	    add_place(store, row, added, err) == -1)
		return -1;
	*id = added;
	return 0;
}

int
store_set_outcome(struct store *store, int64_t submission,
    const char *outcome, struct err *err)
{
	QUERY(q, store, Q_SET_OUTCOME);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_text(&q, outcome);
	query_int(&q, submission);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 :
	    err_set(err, ERR_FAULT, "the store has no such submission");
}

/* --- requests ------------------------------------------------------------ */

int
store_add_request(struct store *store, const struct request_row *row,
    int64_t *id, struct err *err)
{
	QUERY(q, store, Q_ADD_REQUEST);
	struct bytes csr = row->csr;

	if (store_check_writing(store, err) == -1)
		return -1;
	/* What is too large to be a request is refused: its digest will do. */
	if (row->state == REQUEST_REJECTED && csr.len > CSR_MAX_OCTETS)
		csr.len = 0;
	query_int(&q, row->submission);
	query_text(&q, request_state_name(row->state));
	query_text(&q, row->ca);
	query_text(&q, row->profile);
	query_int(&q, row->validity_s);
	query_blob(&q, csr);
	query_blob_or_null(&q, row->csr_digest, 32);
	query_blob_or_null(&q, row->spki_sha256, 32);
	query_blob(&q, row->names);
	query_text_cut(&q, row->names_text, 4096);
	query_text_cut(&q, row->key_text, 64);
	query_text_cut(&q, row->rule, 64);
	query_text_cut(&q, row->reason, 1000);
	query_text_cut(&q, row->ignored, 256);
	query_int_or_null(&q, row->decided_at);
	query_text(&q, row->decided_by);
	query_int_or_null(&q, row->renews);
	query_int(&q, row->no_mail);
	query_int(&q, row->revoke_old);
	query_text(&q, (int)row->on_confirm == 0 ? "" :
	    request_state_name(row->on_confirm));
	if (query_run(&q, NULL, err) == -1)
		return -1;
	*id = store_last_id(store);
	return 0;
}

int
store_read_request(const struct query *q, struct request_row *row)
{
	struct bytes digest = column_blob(q, 7), spki = column_blob(q, 8);

	*row = (struct request_row){
		.id = column_int(q, 0),
		.submission = column_int(q, 1),
		.ca = column_text(q, 3),
		.profile = column_text(q, 4),
		.validity_s = column_int(q, 5),
		.csr = column_blob(q, 6),
		.csr_digest = digest.len == 32 ? digest.data : NULL,
		.spki_sha256 = spki.len == 32 ? spki.data : NULL,
		.names = column_blob(q, 9),
		.names_text = column_text(q, 10),
		.key_text = column_text(q, 11),
		.rule = column_text(q, 12),
		.reason = column_text(q, 13),
		.ignored = column_text(q, 14),
		.decided_at = column_int(q, 15),
		.decided_by = column_text(q, 16),
		.principal = column_text(q, 17),
		.evidence = column_text(q, 18),
		.reply_to = column_text(q, 19),
		.channel = column_text(q, 20),
		.message_id = column_text(q, 21),
		.references = column_text(q, 22),
		.subject = column_text(q, 23),
		.received_at = column_int(q, 24),
		.mailbox = column_text(q, 26),
		.issuer = column_int(q, 27),
		.renews = column_int(q, 28),
		.no_mail = column_int(q, 29) != 0,
		.revoke_old = column_int(q, 30) != 0,
		.language = column_text(q, 32),
		.file = column_text(q, 33),
	};
	if (column_text(q, 31)[0] != '\0' &&
	    request_state_from_name(column_text(q, 31),
	    &row->on_confirm) == -1)
		return -1;
	if (column_blob(q, 25).len > 0 &&
	    !column_serial(q, 25, &row->serial))
		return -1;
	return request_state_from_name(column_text(q, 2), &row->state);
}

int
store_find_request(struct store *store, int64_t id,
    int (*fn)(const struct request_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_FIND_REQUEST);
	struct request_row row;

	query_int(&q, id);
	return STORE_WALK(&q, &row, store_read_request, fn, arg, err);
}

int
store_each_request(struct store *store, enum request_state state,
    int64_t after, unsigned int limit,
    int (*fn)(const struct request_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, (int)state == 0 ? Q_EACH_REQUEST : Q_EACH_REQUEST_IN);
	struct request_row row;

	query_int(&q, after);
	if ((int)state != 0)
		query_text(&q, request_state_name(state));
	query_int(&q, limit);
	return STORE_WALK(&q, &row, store_read_request, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_each_of_submission(struct store *store, int64_t submission,
    int (*fn)(const struct request_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_OF_SUBMISSION);
	struct request_row row;

	query_int(&q, submission);
	return STORE_WALK(&q, &row, store_read_request, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_each_request_of(struct store *store, const char *principal,
    unsigned int limit, int (*fn)(const struct request_row *, void *),
    void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_REQUEST_OF);
	struct request_row row;

	query_text(&q, principal);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, store_read_request, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_decide_request(struct store *store, int64_t id, enum request_state from,
    enum request_state to, const char *decided_by, const char *reason,
    time_t now, struct err *err)
{
	QUERY(q, store, Q_DECIDE_REQUEST);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_text(&q, request_state_name(to));
	query_text(&q, decided_by);
	query_text_cut(&q, reason, 1000);
	query_int_or_null(&q, now);
	query_int(&q, id);
	query_text(&q, request_state_name(from));
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : 1;
}

int
store_find_key(struct store *store, const uint8_t spki_sha256[32],
    int (*fn)(const struct request_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_FIND_KEY);
	struct request_row row;

	query_blob(&q, (struct bytes){ spki_sha256, 32 });
	return STORE_WALK(&q, &row, store_read_request, fn, arg, err);
}
