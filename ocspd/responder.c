#include "ocspd/responder.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/store.h"
#include "ocspd/answers.h"
#include "ocspd/authority.h"
#include "ocspd/counters.h"
#include "ocspd/response.h"
#include "ocspd/settings.h"
#include "ocspd/wire.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TICK_MS			100
#define ANSWERS_A_FLUSH	16
#define STORE_PATIENCE_MS	10000	/* without a readable store */
#define ALARM_INTERVAL_S	60
#define MAX_FRONTS		512	/* two sets of them, at a reload */
#define WALK_A_TICK		4096	/* places of the table looked at */
#define SIGN_A_TICK		32	/* answers renewed ahead of time */

struct responder {
	struct settings		*settings;
	struct store		*store;
	struct stat		 store_file;	/* as it was opened */
	struct answers		*answers;
	struct counters		*counters;
	time_t			 foreign_told_at;
	struct key_places	 places;
	struct authority	**authorities;
	size_t			 n_authorities;
	uint64_t		 change;	/* the table is true up to it */
	bool			 has_snapshot;
	time_t			 read_at;	/* of the snapshot */
	int64_t			 read_at_ms;	/* monotonic */
	int64_t			 next_tick_ms;
	int64_t			 next_keys_ms;
	struct channel		*fronts[MAX_FRONTS];
	size_t			 n_fronts;
	unsigned int		 signed_this_tick;
	uint8_t			 room[RESPONSE_MAX];
	struct single		 singles[REQUEST_MAX_CERT_IDS];
};

/* --- following the store ------------------------------------ */

static int
forget_one(const struct status_row *row, void *arg)
{
	struct responder *r = arg;
	uint8_t serial[sizeof(row->serial.octets) + 1] = { 0 };

	/* As an INTEGER: with a zero in front where the first bit is set. */
	memcpy(serial + 1, row->serial.octets, row->serial.len);
	if ((serial[1] & 0x80) != 0)
		answers_forget(r->answers, (struct bytes){ serial,
		    (size_t)row->serial.len + 1 });
	else
		answers_forget(r->answers, (struct bytes){ serial + 1,
		    row->serial.len });
	return 0;
}

static struct authority *
find_authority(struct responder *r, int64_t id)
{
	for (size_t i = 0; i < r->n_authorities; i++)
		if (r->authorities[i]->id == id)
			return r->authorities[i];
	return NULL;
}

static bool
is_same_certificate(const struct authority *a, struct bytes der)
{
	unsigned char *own = NULL;
	int len = i2d_X509(a->cert, &own);
	bool same = len > 0 && bytes_equal(der,
	    (struct bytes){ own, (size_t)len });

	OPENSSL_free(own);
	return same;
}

static int
follow_ca(const struct ca_row *row, void *arg)
{
	struct responder *r = arg;
	struct authority *a = find_authority(r, row->id), **grown;
	struct err err;

	if (a != NULL && is_same_certificate(a, row->cert))
		return 0;
	if (a != NULL) {	/* renewed: its answers were under the old */
		for (size_t i = 0; i < r->n_authorities; i++)
			if (r->authorities[i] == a)
				r->authorities[i] =
				    r->authorities[--r->n_authorities];
		authority_free(a);
		answers_forget_all(r->answers);
	}
	grown = reallocarray(r->authorities, r->n_authorities + 1,
	    sizeof(grown[0]));
	if (grown == NULL)
		return 1;	/* no memory: the next change tries again */
	r->authorities = grown;
	if (authority_new(row, &r->places, &a, &err) == -1) {
		log_error("ca.unusable", STR("ca", row->name),
		    STR("why", err.text), STR("detail", err.detail));
		return 0;
	}
	r->authorities[r->n_authorities++] = a;
	log_info("ca.served", STR("ca", row->name));
	return 0;
}

static int
follow_responder(const struct responder_row *row, void *arg)
{
	struct responder *r = arg;
	struct authority *a = find_authority(r, row->ca_id);

	if (a != NULL)
		authority_offer(a, row, &r->places);
	return 0;
}

static struct authority *
find_parent(struct responder *r, const struct authority *a)
{
	for (size_t i = 0; a->parent[0] != '\0' && i < r->n_authorities; i++)
		if (strcmp(r->authorities[i]->name, a->parent) == 0)
			return r->authorities[i];
	return NULL;
}

/*
 * RFC 6960, 2.7: when a CA's key is known to be in other hands, all that it
 * signed is revoked. Revoking its certificate for that reason is the switch.
 */
static int
follow_compromise(struct responder *r, struct authority *a, struct err *err)
{
	const struct authority *parent = find_parent(r, a);
	struct status_row row = { 0 };
	time_t since = 0;
	int found = parent == NULL ? 1 :
	    store_find_status(r->store, parent->id, &a->serial, &row, err);

	if (found == -1)
		return -1;
	if (found == 0 && row.state == STATUS_REVOKED &&
	    (row.reason == CRL_KEY_COMPROMISE ||
	    row.reason == CRL_CA_COMPROMISE))
		since = row.invalidity != 0 ? row.invalidity : row.revoked_at;
	if (since == a->compromised_at)
		return 0;
	a->compromised_at = since;
	answers_forget_all(r->answers);
	log_warn(since != 0 ? "ca.compromised" : "ca.trusted.again",
	    STR("ca", a->name));
	return 0;
}

/* The order matters: forget first, and only then count as having read. */
static int
read_changes(struct responder *r, uint64_t last, struct err *err)
{
	if (!r->has_snapshot) {
		;	/* the table is empty: nothing to forget */
	} else if (last < r->change) {
		log_warn("store.went.back", NUM("from", r->change),
		    NUM("to", last));
		answers_forget_all(r->answers);
	} else if (store_changes_since(r->store, r->change, forget_one, r,
	    err) == -1) {
		return -1;
	}
	if (store_each_ca(r->store, follow_ca, r, err) == -1 ||
	    store_each_responder(r->store, follow_responder, r, err) == -1)
		return -1;
	for (size_t i = 0; i < r->n_authorities; i++)
		if (follow_compromise(r, r->authorities[i], err) == -1)
			return -1;
	r->change = last;
	return 0;
}

/* A new snapshot: the read transaction is ended and begun again. */
static int
follow_store(struct responder *r, struct err *err)
{
	struct stat st;
	uint64_t last;
	time_t now = clock_now();

	if (stat(r->settings->store, &st) == 0 &&
	    (st.st_ino != r->store_file.st_ino ||
	    st.st_dev != r->store_file.st_dev))
		return err_set(err, ERR_FAULT, "the store was replaced");
	store_read_end(r->store);
	if (store_read_begin(r->store, err) == -1 ||
	    store_last_change(r->store, &last, err) == -1)
		return -1;
	if ((!r->has_snapshot || last != r->change) &&
	    read_changes(r, last, err) == -1)
		return -1;
	r->has_snapshot = true;
	/* thisUpdate never goes back, whatever the clock does. */
	if (now > r->read_at)
		r->read_at = now;
	r->read_at_ms = clock_monotonic_ms();
	return 0;
}

static bool
is_fresh(const struct responder *r)
{
	return r->has_snapshot && clock_monotonic_ms() - r->read_at_ms <=
	    ANSWERS_HEARTBEAT_MS;
}

/* --- answering ------------------------------------ */

/* Content of an INTEGER to a serial that a certificate can have. */
static bool
usable_serial(struct bytes in, struct serial *out)
{
	struct err err;

	if (in.len > 1 && in.data[0] == 0)
		in = bytes_slice(in, 1, in.len);
	else if ((in.data[0] & 0x80) != 0)
		return false;	/* negative: never issued */
	return serial_from_octets(in, out, &err) == 0;
}

/*
 * A serial that the snapshot does not have may have been issued since: whoever
 * got a certificate by mail asks at once, and "unknown" would be kept. So a
 * new snapshot is taken first; at most one a millisecond, or a flood of
 * invented serials would keep us at it.
 */
static int
find_status(struct responder *r, int64_t ca, const struct serial *serial,
    struct status_row *out, struct err *err)
{
	int found = store_find_status(r->store, ca, serial, out, err);

	if (found != 1 || clock_monotonic_ms() == r->read_at_ms)
		return found;
	if (follow_store(r, err) == -1)
		return -1;
	return store_find_status(r->store, ca, serial, out, err);
}

static enum ocsp_status
say_never_issued(const struct responder *r, struct single *out)
{
	out->never_issued = true;
	switch (r->settings->never_issued) {
	case NEVER_ISSUED_UNKNOWN:
		out->state = SINGLE_UNKNOWN;
		return OCSP_SUCCESSFUL;
	case NEVER_ISSUED_UNAUTHORIZED:
		return OCSP_UNAUTHORIZED;
	case NEVER_ISSUED_REVOKED:
		response_revoke_never_issued(out);
		return OCSP_SUCCESSFUL;
	}
	return OCSP_INTERNAL_ERROR;
}

static enum ocsp_status
look_up(struct responder *r, const struct authority *a,
    const struct cert_id *id, struct single *out)
{
	struct status_row row;
	struct serial serial;
	struct err err;
	int found = 1;

	*out = (struct single){ .id = *id, .state = SINGLE_UNKNOWN };
	if (usable_serial(id->serial, &serial))
		found = find_status(r, a->id, &serial, &row, &err);
	if (found == -1) {
		log_error("store.failed", STR("why", err.text),
		    STR("detail", err.detail));
		return err.kind == ERR_RETRY ? OCSP_TRY_LATER :
		    OCSP_INTERNAL_ERROR;
	}
	if (found == 1)
		return say_never_issued(r, out);
	switch (row.state) {
	case STATUS_GOOD:
		out->state = SINGLE_GOOD;
		if (a->compromised_at != 0) {
			out->state = SINGLE_REVOKED;
			out->revoked_at = a->compromised_at;
			out->reason = CRL_CA_COMPROMISE;
		}
		return OCSP_SUCCESSFUL;
	case STATUS_REVOKED:
		out->state = SINGLE_REVOKED;
		out->revoked_at = row.revoked_at;
		out->reason = row.reason;
		out->invalidity = row.invalidity;
		return OCSP_SUCCESSFUL;
	}
	return OCSP_INTERNAL_ERROR;
}

static struct authority *
match_authority(struct responder *r, const struct cert_id *id)
{
	for (size_t i = 0; i < r->n_authorities; i++)
		if (authority_matches(r->authorities[i], id))
			return r->authorities[i];
	return NULL;
}

/* For who wonders why a client gets no answer: which field is wrong. */
static void
note_foreign(struct responder *r, const struct cert_id *id)
{
	bool named = false;

	for (size_t i = 0; i < r->n_authorities; i++)
		named |= authority_has_name(r->authorities[i], id);
	counters_add(r->counters, named ? COUNT_FOREIGN_KEY :
	    COUNT_FOREIGN_NAME, 1);
	/* Strangers choose what they ask: one line a second is enough. */
	if (r->read_at == r->foreign_told_at)
		return;
	r->foreign_told_at = r->read_at;
	log_info("request.foreign", STR("wrong", named ? "issuerKeyHash" :
	    "issuerNameHash"), STR("why", named ? "a CA of that name has "
	    "another key here" : "no CA of that name is here"));
}

static void
alarm_no_signer(struct authority *a, time_t now)
{
	if (now - a->alarmed_at < ALARM_INTERVAL_S)
		return;
	a->alarmed_at = now;
	log_error("responder.uncertified", STR("ca", a->name),
	    STR("why", "no valid certificate for our key; see the spool"));
}

struct made {
	struct response	response;
	int64_t		this_update, next_update;
};

static void
hold(struct responder *r, const struct responder_key *key,
    const struct made *made)
{
	struct answer answer = { .der = made->response.der,
		.tail = made->response.tail,
		.cert_id = made->response.cert_id,
		.serial = made->response.serial,
		.this_update = made->this_update,
		.next_update = made->next_update,
		.tail_expires = key->not_after };

	if (answer.cert_id.len > 0)
		answers_put(r->answers, &answer, r->read_at);
}

static enum ocsp_status
make_answer(struct responder *r, const struct request *req, struct made *out)
{
	struct authority *a = match_authority(r, &req->ids[0]);
	struct response_terms terms = { .this_update = r->read_at };
	struct responder_key *key;
	enum ocsp_status s;
	struct err err;

	if (!is_fresh(r))
		return OCSP_TRY_LATER;
	/* One signer answers for one CA, and so for one CA in a request. */
	for (size_t i = 0; i < req->n_ids; i++)
		if (a == NULL || !authority_matches(a, &req->ids[i])) {
			if (match_authority(r, &req->ids[i]) == NULL)
				note_foreign(r, &req->ids[i]);
			return OCSP_UNAUTHORIZED;
		}
	key = authority_signer(a, r->read_at);
	if (key == NULL) {
		alarm_no_signer(a, r->read_at);
		return OCSP_INTERNAL_ERROR;
	}
	for (size_t i = 0; i < req->n_ids; i++)
		if ((s = look_up(r, a, &req->ids[i], &r->singles[i])) !=
		    OCSP_SUCCESSFUL)
			return s;
	/* RFC 6960, 4.2.2.2: nothing outlives the signer's certificate. */
	terms.next_update = r->read_at + r->settings->answer_validity_s;
	if (terms.next_update > key->not_after)
		terms.next_update = key->not_after;
	if (r->settings->archive_retention_s > 0)
		terms.archive_cutoff = r->read_at -
		    r->settings->archive_retention_s;
	if (req->has_nonce)
		terms.nonce = (struct bytes){ req->nonce, req->nonce_len };
	if (response_build(key->signer, r->singles, req->n_ids, &terms,
	    r->room, &out->response, &err) == -1) {
		counters_add(r->counters, COUNT_SIGNATURES_FAILED, 1);
		log_error("signing.failed", STR("why", err.text),
		    STR("detail", err.detail));
		return OCSP_INTERNAL_ERROR;
	}
	counters_add(r->counters, COUNT_SIGNATURES, 1);
	out->this_update = terms.this_update;
	out->next_update = terms.next_update;
	/* Anybody can ask for serials that do not exist; they are not held. */
	if (req->n_ids == 1 && !req->has_nonce &&
	    !r->singles[0].never_issued)
		hold(r, key, out);
	return OCSP_SUCCESSFUL;
}

static int
answer_ask(struct responder *r, struct channel *front,
    const struct frame *frame, struct err *err)
{
	static struct request request;
	struct wire_ask ask = { .request = &request };
	struct wire_answer answer = { 0 };
	struct made made = { 0 };

	if (frame->type != WIRE_ASK)
		return err_set(err, ERR_FAULT, "an unexpected frame");
	if (wire_get_ask(frame, &ask, err) == -1)
		return -1;
	answer.id = ask.id;
	answer.status = make_answer(r, &request, &made);
	if (answer.status == OCSP_SUCCESSFUL) {
		answer.cacheable = !request.has_nonce;
		answer.this_update = made.this_update;
		answer.next_update = made.next_update;
		answer.der = made.response.der;
	}
	return wire_queue_answer(front, &answer, err);
}

/* Ahead of its nextUpdate, at half of its validity (RFC 9919, 7.1). What was
 * signed at different moments is renewed at different moments. */
static bool
renew(struct bytes cert_id, void *arg)
{
	static struct request request;
	struct responder *r = arg;
	struct made made;

	if (!cert_id_read(cert_id, &request.ids[0]))
		return true;
	request.n_ids = 1;
	/* What is no longer known is held no longer (see make_answer). */
	if (make_answer(r, &request, &made) != OCSP_SUCCESSFUL ||
	    r->singles[0].never_issued)
		answers_forget(r->answers, request.ids[0].serial);
	return ++r->signed_this_tick < SIGN_A_TICK;
}

/* --- the loop ------------------------------------ */

/* A root's key is away, as it should be: that nobody certifies us for it is no
 * trouble, unless somebody did. */
static bool
is_silent_root(const struct authority *a)
{
	for (size_t i = 0; i < a->n_keys; i++)
		if (a->keys[i].cert != NULL)
			return false;
	return a->parent[0] == '\0' &&
	    X509_check_issued(a->cert, a->cert) == X509_V_OK;
}

static void
count_authorities(struct responder *r)
{
	struct counted_ca cas[COUNTERS_MAX_CAS] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < r->n_authorities && n < COUNTERS_MAX_CAS; i++) {
		struct authority *a = r->authorities[i];
		const struct responder_key *key =
		    authority_signer(a, r->read_at);

		if (is_silent_root(a))
			continue;
		snprintf(cas[n].name, sizeof(cas[n].name), "%s", a->name);
		cas[n].not_before = key == NULL ? 0 : key->not_before;
		cas[n++].not_after = key == NULL ? 0 : key->not_after;
	}
	counters_put_cas(r->counters, cas, n);
}

static int
tick(struct responder *r, struct err *err)
{
	int64_t now_ms = clock_monotonic_ms();
	struct err trouble;

	if (now_ms < r->next_tick_ms)
		return 0;
	r->next_tick_ms = now_ms + TICK_MS;
	if (follow_store(r, &trouble) == -1) {
		counters_add(r->counters, COUNT_STORE_FAILURES, 1);
		if (trouble.kind == ERR_FAULT ||
		    now_ms - r->read_at_ms > STORE_PATIENCE_MS) {
			*err = trouble;
			return -1;
		}
		log_warn("store.unreadable", STR("why", trouble.text),
		    STR("detail", trouble.detail));
		return 0;
	}
	answers_beat(r->answers, clock_monotonic_ms());
	counters_set(r->counters, COUNT_STORE_READ_AT, (uint64_t)r->read_at);
	counters_set(r->counters, COUNT_STORE_CHANGE, r->change);
	if (now_ms >= r->next_keys_ms) {
		r->next_keys_ms = now_ms + 1000;
		for (size_t i = 0; i < r->n_authorities; i++)
			authority_keep_keys(r->authorities[i], &r->places,
			    r->read_at);
		count_authorities(r);
	}
	r->signed_this_tick = 0;
	answers_each_older(r->answers, WALK_A_TICK, r->read_at -
	    r->settings->answer_validity_s / 2, renew, r);
	return 0;
}

static void
add_front(struct responder *r, int fd)
{
	struct channel *front = channel_new(fd, "front", WIRE_MAX_ASK,
	    WIRE_MAX_QUEUED);
	struct err err;
	int table;

	if (front == NULL)
		return;
	table = answers_share(r->answers, &err);
	if (r->n_fronts == MAX_FRONTS || table == -1 ||
	    channel_send(front, WIRE_TABLE, (struct bytes){ 0 }, table,
	    &err) == -1) {
		log_error("front.refused", NUM("fronts", r->n_fronts));
		channel_free(front);
		return;
	}
	r->fronts[r->n_fronts++] = front;
}

/* False when the front is gone, or broke the rules. */
static bool
serve_front(struct responder *r, struct channel *front, short revents)
{
	struct frame frame;
	unsigned int answered = 0;
	struct err err;
	int n = 0;

	if ((revents & POLLOUT) != 0 && channel_flush(front, &err) == -1)
		return false;
	if ((revents & ~POLLOUT) != 0 && channel_read(front, &err) == -1)
		return false;
	/* What is left over waits in the channel, not in the socket, so all
	 * of one reading is answered; one reading is 64 KiB. */
	while ((n = channel_next(front, &frame, &err)) == 1) {
		if (frame.fd >= 0)
			close(frame.fd);
		if (answer_ask(r, front, &frame, &err) == -1) {
			log_warn("front.dropped", STR("why", err.text));
			return false;
		}
		/* A system call for some answers, not for each; and none of
		 * them waits for the whole reading. */
		if (++answered % ANSWERS_A_FLUSH == 0 &&
		    channel_flush(front, &err) == -1)
			return false;
		if (tick(r, &err) == -1)
			break;	/* the next tick says so again */
	}
	return n != -1 && channel_flush(front, &err) == 0;
}

/* Once before the first poll, too: what main sent right after GO has been
 * read along with it. */
static int
take_control(struct responder *r, struct role *role, struct err *err)
{
	struct frame frame;
	int n;

	while ((n = channel_next(role->control, &frame, err)) == 1) {
		if (frame.type == WIRE_PEER && frame.fd >= 0)
			add_front(r, frame.fd);
		else if (frame.fd >= 0)
			close(frame.fd);
	}
	return n;
}

static int
loop(struct responder *r, struct role *role, struct err *err)
{
	struct pollfd p[MAX_FRONTS + 2];
	struct err end;

	if (take_control(r, role, err) == -1)
		return -1;
	while (!role_is_stopping()) {
		int64_t wait;
		size_t n = r->n_fronts;

		if (tick(r, err) == -1)
			return -1;
		p[0] = (struct pollfd){ role_signal_fd(), POLLIN, 0 };
		p[1] = (struct pollfd){ channel_fd(role->control),
		    channel_events(role->control), 0 };
		for (size_t i = 0; i < n; i++)
			p[i + 2] = (struct pollfd){ channel_fd(r->fronts[i]),
			    channel_events(r->fronts[i]), 0 };
		wait = r->next_tick_ms - clock_monotonic_ms();
		if (poll(p, n + 2, wait < 0 ? 0 : (int)wait) <= 0)
			continue;
		for (size_t i = n; i > 0; i--) {
			if (p[i + 1].revents == 0 || serve_front(r,
			    r->fronts[i - 1], p[i + 1].revents))
				continue;
			channel_free(r->fronts[i - 1]);
			r->fronts[i - 1] = r->fronts[--r->n_fronts];
		}
		if (p[1].revents != 0 &&
		    (channel_read(role->control, &end) == -1 ||
		    take_control(r, role, &end) == -1))
			return 0;	/* main is gone */
	}
	return 0;
}

static int
open_places(struct responder *r, struct role *role, struct err *err)
{
	r->places.kind = r->settings->responder_key;
	r->places.bits = r->settings->responder_key_bits;
	r->places.keys_fd = role_take(role, "keys");
	r->places.spool_fd = role_take(role, "spool");
	if (r->places.keys_fd < 0 || r->places.spool_fd < 0)
		return err_set(err, ERR_FAULT, "started without its folders");
	if (store_open(r->settings->store, STORE_READ_ONLY, &r->store,
	    err) == -1)
		return -1;
	if (stat(r->settings->store, &r->store_file) == -1)
		return err_errno(err, ERR_RETRY, "looking at the store");
	return 0;
}

static int
run(struct responder *r, struct role *role, struct err *err)
{
	/* By name: the keys of the CAs lie in a folder beside these files. */
	char log[4200], index[4200];
	const struct sandbox_path paths[] = {
		{ r->settings->state_dir, 1 }, { r->settings->store, 0 },
		{ log, 0 }, { index, 0 } };
	const struct sandbox box = { .allow = SANDBOX_OPEN | SANDBOX_LOCK,
		.paths = paths, .n_paths = 4 };
	int counters_fd;

	snprintf(log, sizeof(log), "%s-wal", r->settings->store);
	snprintf(index, sizeof(index), "%s-shm", r->settings->store);
	if (open_places(r, role, err) == -1 ||
	    answers_new(r->settings->held_answers, &r->answers, err) == -1 ||
	    counters_new(&r->counters, err) == -1)
		return -1;
	counters_fd = counters_share(r->counters, err);
	if (counters_fd == -1 || wire_send_counters(role->control, 0,
	    counters_fd, err) == -1)
		return -1;
	r->read_at_ms = clock_monotonic_ms();
	if (role_ready(role, &box, err) == -1)
		return -1;
	return loop(r, role, err);
}

int
responder_run(struct role *role, struct err *err)
{
	OWNED_HEAP(struct responder) *r = calloc(1, sizeof(*r));
	int result;

	if (r == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (settings_decode(role_take(role, "settings"), &r->settings,
	    err) == -1)
		return -1;
	result = run(r, role, err);
	for (size_t i = 0; i < r->n_fronts; i++)
		channel_free(r->fronts[i]);
	for (size_t i = 0; i < r->n_authorities; i++)
		authority_free(r->authorities[i]);
	free(r->authorities);
	answers_free(r->answers);
	counters_free(r->counters);
	store_free(r->store);
	settings_free(r->settings);
	return result;
}
