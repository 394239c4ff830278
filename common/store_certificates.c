#include "common/store_private.h"
#include "common/err.h"

#include <string.h>

static const char *const state_names[] = {
	[CERT_RESERVED] = "reserved",
	[CERT_ABANDONED] = "abandoned",
	[CERT_ISSUED] = "issued",
	[CERT_REVOKED] = "revoked",
	[CERT_EXPIRED] = "expired",
	[CERT_ARCHIVED] = "archived",
};

const char *
cert_state_name(enum cert_state state)
{
	return state >= CERT_RESERVED && state <= CERT_ARCHIVED ?
	    state_names[state] : "unknown";
}

int
cert_state_from_name(const char *name, enum cert_state *out)
{
	for (int s = CERT_RESERVED; s <= CERT_ARCHIVED; s++)
		if (strcmp(state_names[s], name) == 0) {
			*out = (enum cert_state)s;
			return 0;
		}
	return -1;
}

/* --- certificates -------------------------------------------------------- */

static int
ignore_cert(const struct cert_row *row, void *arg)
{
	(void)row;
	(void)arg;
	return 0;
}

int
store_reserve(struct store *store, const struct cert_row *row,
    struct err *err)
{
	QUERY(q, store, Q_RESERVE);
	int r;

	if (store_check_writing(store, err) == -1)
		return -1;
	r = store_find_certificate(store, row->ca_id, &row->serial,
	    ignore_cert, NULL, err);
	if (r != 1)
		return r == -1 ? -1 : 1;
	query_int(&q, row->ca_id);
	query_serial(&q, &row->serial);
	query_int_or_null(&q, row->request);
	query_int(&q, row->not_before);
	query_int(&q, row->not_after);
	query_blob(&q, row->order);
	query_text(&q, row->profile);
	query_text_cut(&q, row->names_text, 4096);
	query_blob_or_null(&q, row->spki_sha256, 32);
	query_int(&q, row->shard);
	return query_run(&q, NULL, err);
}

static int
add_status(struct store *store, const struct status_row *row, struct err *err)
{
	QUERY(q, store, Q_ADD_STATUS);
	bool revoked = row->state == STATUS_REVOKED;
	uint64_t change;

	if (store_next_change(store, &change, err) == -1)
		return -1;
	query_int(&q, row->ca_id);
	query_serial(&q, &row->serial);
	query_int(&q, row->state);
	query_int_or_null(&q, revoked ? row->revoked_at : 0);
	if (revoked)
		query_int(&q, row->reason);
	else
		query_int_or_null(&q, 0);
	query_int_or_null(&q, revoked ? row->invalidity : 0);
	query_int(&q, row->not_after);
	query_int(&q, (int64_t)change);
	query_int(&q, row->shard);
	return query_run(&q, NULL, err);
}

int
store_issue(struct store *store, int64_t ca, const struct serial *serial,
    struct bytes der, struct err *err)
{
	struct status_row status = { .ca_id = ca, .serial = *serial,
	    .state = STATUS_GOOD };
	int64_t id, request;
	int r;

	if (store_check_writing(store, err) == -1)
		return -1;
	{
		QUERY(q, store, Q_ISSUE);

		query_blob(&q, der);
		query_int(&q, ca);
		query_serial(&q, serial);
		r = query_step(&q, err);
		if (r != 0)
			return r == -1 ? -1 : err_set(err, ERR_FAULT,
			    "that serial is not reserved");
		id = column_int(&q, 0);
		request = column_int(&q, 1);
		status.not_after = column_int(&q, 2);
		status.shard = (uint16_t)column_int(&q, 3);
	}
	if (add_status(store, &status, err) == -1)
		return -1;
	if (request == 0)
		return 0;
	/* Whatever was decided meanwhile: the certificate exists now. */
	QUERY(q, store, Q_ISSUE_REQUEST);
	query_int(&q, id);
	query_int(&q, request);
	return query_run(&q, NULL, err);
}

int
store_abandon(struct store *store, int64_t ca, const struct serial *serial,
    struct err *err)
{
	QUERY(q, store, Q_ABANDON);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, ca);
	query_serial(&q, serial);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 :
	    err_set(err, ERR_FAULT, "that serial is not reserved");
}

int
store_add_certificate(struct store *store, const struct cert_row *row,
    struct err *err)
{
	QUERY(q, store, Q_ADD_CERTIFICATE);
	struct status_row status = { .ca_id = row->ca_id,
	    .serial = row->serial, .not_after = row->not_after,
	    .shard = row->shard,
	    .state = row->state == CERT_REVOKED ? STATUS_REVOKED : STATUS_GOOD,
	    .revoked_at = row->revoked_at, .reason = row->reason,
	    .invalidity = row->invalidity };
	int r;

	if (store_check_writing(store, err) == -1)
		return -1;
	if (row->state != CERT_ISSUED && row->state != CERT_REVOKED &&
	    row->state != CERT_EXPIRED)
		return err_set(err, ERR_FAULT, "only issued, revoked and "
		    "expired certificates are added whole");
	r = store_find_certificate(store, row->ca_id, &row->serial,
	    ignore_cert, NULL, err);
	if (r != 1)
		return r == -1 ? -1 : err_set(err, ERR_FAULT,
		    "that serial is in the store already");
	query_int(&q, row->ca_id);
	query_serial(&q, &row->serial);
	query_int_or_null(&q, row->request);
	query_text(&q, cert_state_name(row->state));
	query_int(&q, row->not_before);
	query_int(&q, row->not_after);
	query_blob(&q, row->order);
	query_blob_or_null(&q, row->der.len == 0 ? NULL : row->der.data,
	    row->der.len);
	query_text(&q, row->profile);
	query_text_cut(&q, row->names_text, 4096);
	query_blob_or_null(&q, row->spki_sha256, 32);
	query_int(&q, row->shard);
	query_text(&q, row->origin == NULL ? "" : row->origin);
	if (query_run(&q, NULL, err) == -1)
		return -1;
	return add_status(store, &status, err);
}

int
store_complete_certificate(struct store *store, const struct cert_row *row,
    struct err *err)
{
	uint64_t change;
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	{
		QUERY(q, store, Q_COMPLETE_CERTIFICATE);

		query_blob(&q, row->der);
		query_int(&q, row->not_before);
		query_int(&q, row->not_after);
		query_text(&q, row->profile);
		query_text_cut(&q, row->names_text, 4096);
		query_blob_or_null(&q, row->spki_sha256, 32);
		query_int(&q, row->ca_id);
		query_serial(&q, &row->serial);
		if (query_run(&q, &changed, err) == -1)
			return -1;
	}
	if (changed == 0)
		return 1;
	if (store_next_change(store, &change, err) == -1)
		return -1;
	QUERY(q, store, Q_COMPLETE_STATUS);
	query_int(&q, row->not_after);
	query_int(&q, (int64_t)change);
	query_int(&q, row->ca_id);
	query_serial(&q, &row->serial);
	return query_run(&q, NULL, err);
}

int
store_revoke_unissued(struct store *store, int64_t ca,
    const struct serial *serial, time_t at, enum crl_reason reason,
    time_t invalidity, const char *origin, struct err *err)
{
	struct status_row status = { .ca_id = ca, .serial = *serial,
	    .state = STATUS_REVOKED, .revoked_at = at, .reason = reason,
	    .invalidity = invalidity };
	int64_t id, request;
	int r;

	if (store_check_writing(store, err) == -1)
		return -1;
	{
		QUERY(q, store, Q_REVOKE_UNISSUED);

		query_text(&q, origin);
		query_int(&q, ca);
		query_serial(&q, serial);
		r = query_step(&q, err);
		if (r != 0)
			return r;
		status.not_after = column_int(&q, 0);
		status.shard = (uint16_t)column_int(&q, 1);
		id = column_int(&q, 2);
		request = column_int(&q, 3);
	}
	if (add_status(store, &status, err) == -1)
		return -1;
	if (request == 0)
		return 0;
	QUERY(q, store, Q_SETTLE_REQUEST);
	query_int(&q, id);
	query_int(&q, request);
	return query_run(&q, NULL, err);
}

static int
read_cert(const struct query *q, struct cert_row *row)
{
	struct bytes spki;

	*row = (struct cert_row){
		.id = column_int(q, 0),
		.ca_id = column_int(q, 1),
		.ca = column_text(q, 2),
		.request = column_int(q, 4),
		.not_before = column_int(q, 6),
		.not_after = column_int(q, 7),
		.order = column_blob(q, 8),
		.der = column_blob(q, 9),
		.profile = column_text(q, 10),
		.names_text = column_text(q, 11),
		.revoked_at = column_int(q, 12),
		.reason = (enum crl_reason)column_int(q, 13),
		.invalidity = column_int(q, 14),
		.reply_to = column_text(q, 15),
		.shard = (uint16_t)column_int(q, 17),
		.superseded_by = column_int(q, 18),
		.origin = column_text(q, 19),
	};
	spki = column_blob(q, 16);
	if (spki.len == 32)
		row->spki_sha256 = spki.data;
	if ((column_blob(q, 20).len > 0 &&
	    !column_serial(q, 20, &row->successor)) ||
	    (column_blob(q, 21).len > 0 &&
	    !column_serial(q, 21, &row->renews)))
		return -1;
	return column_serial(q, 3, &row->serial) ?
	    cert_state_from_name(column_text(q, 5), &row->state) : -1;
}

int
store_find_certificate(struct store *store, int64_t ca,
    const struct serial *serial, int (*fn)(const struct cert_row *, void *),
    void *arg, struct err *err)
{
	QUERY(q, store, ca == 0 ? Q_FIND_SERIAL : Q_FIND_CERTIFICATE);
	struct cert_row row;

	query_serial(&q, serial);
	if (ca != 0)
		query_int(&q, ca);
	return STORE_WALK(&q, &row, read_cert, fn, arg, err);
}

int
store_find_key_in_use(struct store *store, const uint8_t spki_sha256[32],
    time_t now, int (*fn)(const struct cert_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_FIND_KEY_IN_USE);
	struct cert_row row;

	query_blob_or_null(&q, spki_sha256, 32);
	query_int(&q, now);
	return STORE_WALK(&q, &row, read_cert, fn, arg, err);
}

int
store_each_certificate(struct store *store, const struct cert_filter *filter,
    int (*fn)(const struct cert_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, filter->spki_sha256 != NULL ? Q_EACH_OF_KEY :
	    (int)filter->state == 0 ? Q_EACH_CERTIFICATE :
	    filter->state == CERT_ISSUED && filter->expires_before != 0 &&
	    filter->expires_after != 0 ? Q_EACH_EXPIRING :
	    Q_EACH_CERTIFICATE_IN);
	struct cert_row row;

	query_int(&q, filter->after);
	query_text(&q, (int)filter->state == 0 ? "" :
	    cert_state_name(filter->state));
	query_text(&q, filter->ca);
	query_text(&q, filter->like);
	query_int(&q, filter->expires_before);
	query_int(&q, filter->limit);
	query_int(&q, filter->expires_after);
	query_blob_or_null(&q, filter->spki_sha256, 32);
	query_int(&q, filter->family);
	query_int(&q, filter->superseded);
	return STORE_WALK(&q, &row, read_cert, fn, arg, err) == -1 ? -1 : 0;
}

int
store_revoke(struct store *store, int64_t ca, const struct serial *serial,
    time_t at, enum crl_reason reason, time_t invalidity, struct err *err)
{
	QUERY(q, store, Q_REVOKE);
	QUERY(status, store, Q_REVOKE_STATUS);
	uint64_t change;
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, ca);
	query_serial(&q, serial);
	query_int(&q, reason);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	if (changed == 0)
		return 1;
	if (store_next_change(store, &change, err) == -1)
		return -1;
	query_int(&status, at);
	query_int(&status, reason);
	query_int_or_null(&status, invalidity);
	query_int(&status, (int64_t)change);
	query_int(&status, ca);
	query_serial(&status, serial);
	if (query_run(&status, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : store_corrupt(&status, err);
}

int
store_release_hold(struct store *store, int64_t ca, const struct serial *serial,
    time_t at, struct err *err)
{
	QUERY(q, store, Q_RELEASE_HOLD);
	QUERY(status, store, Q_RELEASE_STATUS);
	uint64_t change;
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, ca);
	query_serial(&q, serial);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	if (changed == 0)
		return 1;
	if (store_next_change(store, &change, err) == -1)
		return -1;
	query_int(&status, at);
	query_int(&status, (int64_t)change);
	query_int(&status, ca);
	query_serial(&status, serial);
	if (query_run(&status, &changed, err) == -1)
		return -1;
	return changed == 1 ? 0 : store_corrupt(&status, err);
}

/* --- the revocation index ------------------------------------------------ */

int
store_read_status(const struct query *q, struct status_row *row)
{
	*row = (struct status_row){
		.ca_id = column_int(q, 0),
		.state = (enum status_state)column_int(q, 2),
		.revoked_at = column_int(q, 3),
		.reason = (enum crl_reason)column_int(q, 4),
		.invalidity = column_int(q, 5),
		.not_after = column_int(q, 6),
		.change = (uint64_t)column_int(q, 7),
		.shard = (uint16_t)column_int(q, 8),
	};
	return column_serial(q, 1, &row->serial) &&
	    (row->state == STATUS_GOOD || row->state == STATUS_REVOKED) ?
	    0 : -1;
}

int
store_find_status(struct store *store, int64_t ca,
    const struct serial *serial, struct status_row *out, struct err *err)
{
	QUERY(q, store, Q_FIND_STATUS);
	struct status_row row;
	int r;

	query_int(&q, ca);
	query_serial(&q, serial);
	r = query_step(&q, err);
	if (r != 0)
		return r;
	if (store_read_status(&q, &row) == -1)
		return store_corrupt(&q, err);
	*out = row;
	return 0;
}

int
store_changes_since(struct store *store, uint64_t since,
    int (*fn)(const struct status_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_CHANGES_SINCE);
	struct status_row row;

	query_int(&q, (int64_t)since);
	return STORE_WALK(&q, &row, store_read_status, fn, arg, err) == -1 ? -1 : 0;
}

/* --- responders ---------------------------------------------------------- */

int
store_add_responder(struct store *store, const struct responder_row *row,
    struct err *err)
{
	QUERY(q, store, Q_ADD_RESPONDER);
	uint64_t change;

	if (store_check_writing(store, err) == -1 ||
	    store_next_change(store, &change, err) == -1)
		return -1;
	query_int(&q, row->ca_id);
	query_blob(&q, (struct bytes){ row->key_sha1, sizeof(row->key_sha1) });
	query_blob(&q, row->cert);
	query_int(&q, row->not_before);
	query_int(&q, row->not_after);
	query_int(&q, (int64_t)change);
	return query_run(&q, NULL, err);
}

static int
read_responder(const struct query *q, struct responder_row *row)
{
	*row = (struct responder_row){
		.ca_id = column_int(q, 0),
		.ca = column_text(q, 1),
		.cert = column_blob(q, 3),
		.not_before = column_int(q, 4),
		.not_after = column_int(q, 5),
	};
	return column_fixed(q, 2, row->key_sha1, sizeof(row->key_sha1)) ?
	    0 : -1;
}

int
store_each_responder(struct store *store,
    int (*fn)(const struct responder_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_EACH_RESPONDER);
	struct responder_row row;

	return STORE_WALK(&q, &row, read_responder, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_count_responders(struct store *store, int64_t ca, time_t since,
    unsigned int *out, struct err *err)
{
	QUERY(q, store, Q_COUNT_RESPONDERS);
	int r;

	query_int(&q, ca);
	query_int(&q, since);
	r = query_step(&q, err);
	if (r != 0)
		return r == 1 ? store_corrupt(&q, err) : -1;
	*out = (unsigned int)column_int(&q, 0);
	return 0;
}
