#include "ocspd/responder.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ocspd/answering.h"
#include "ocspd/answers.h"
#include "ocspd/counters.h"
#include "ocspd/presign.h"
#include "ocspd/settings.h"
#include "ocspd/snapshot.h"
#include "ocspd/wire.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TICK_MS			100
#define ANSWERS_A_FLUSH	16
#define STORE_TROUBLE_S	5	/* read ten times a second */
#define STORE_FILES_MAX	8
#define PATH_ROOM	4200
#define STORE_PATIENCE_MS	10000	/* after it is too stale */
#define STORE_LOOK_MS		200	/* at start, when it is not there */
#define TELL_AGAIN_MS		60000
#define STOP_MS			6000	/* for fronts to end first */
#define MAX_FRONTS		512	/* two sets of them, at a reload */

struct responder {
	struct settings		*settings;
	struct key_places	 places;
	struct answers		*answers;
	struct counters		*counters;
	struct snapshot		 snapshot;
	struct answering	 answering;
	int64_t			 next_tick_ms;
	int64_t			 next_keys_ms;
	int64_t			 trouble_told_ms;	/* 0: all is well */
	struct channel		*fronts[MAX_FRONTS];
	size_t			 n_fronts;
	struct presign		 presign;
	bool			 main_is_gone;
	int64_t			 stop_at_ms;	/* 0: not told to */
};

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
	answer.status = answering_make(&r->answering, &request, &made);
	if (answer.status == OCSP_SUCCESSFUL) {
		answer.cacheable = !request.has_nonce;
		answer.this_update = made.this_update;
		answer.next_update = made.next_update;
		answer.der = made.response.der;
	}
	return wire_queue_answer(front, &answer, err);
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

	for (size_t i = 0; i < r->snapshot.n_authorities &&
	    n < COUNTERS_MAX_CAS; i++) {
		struct authority *a = r->snapshot.authorities[i];
		const struct responder_key *key =
		    authority_default_signer(a, &r->places, r->snapshot.now);

		if (is_silent_root(a))
			continue;
		snprintf(cas[n].name, sizeof(cas[n].name), "%s", a->name);
		cas[n].not_before = key == NULL ? 0 : key->not_before;
		cas[n++].not_after = key == NULL ? 0 : key->not_after;
	}
	counters_put_cas(r->counters, cas, n);
}

/*
 * The store cannot be read now. What is held is still given for a while
 * (max_staleness_s), what is asked for is tryLater; when it is over, all is.
 * A process that begins anew may then find what has become of the store.
 */
static int
bear_trouble(struct responder *r, int64_t now_ms, const struct err *trouble,
    struct err *err)
{
	const int64_t stale_ms = now_ms - r->snapshot.read_at_ms;
	const int64_t most_ms = r->settings->max_staleness_s * INT64_C(1000);

	counters_add(r->counters, COUNT_STORE_FAILURES, 1);
	if (trouble->kind == ERR_FAULT ||
	    stale_ms > most_ms + STORE_PATIENCE_MS) {
		*err = *trouble;
		return -1;
	}
	if (r->trouble_told_ms == 0 ||
	    now_ms - r->trouble_told_ms >= TELL_AGAIN_MS) {
		r->trouble_told_ms = now_ms;
		log_warn("store.unreadable", STR("why", trouble->text),
		    STR("detail", trouble->detail));
	}
	if (r->snapshot.taken && stale_ms <= most_ms)
		answers_beat(r->answers, now_ms);
	return 0;
}

static int
tick(struct responder *r, struct err *err)
{
	int64_t now_ms = clock_monotonic_ms();
	struct err trouble;

	if (now_ms < r->next_tick_ms)
		return 0;
	r->next_tick_ms = now_ms + TICK_MS;
	snapshot_forget_dropped(&r->snapshot);
	if (snapshot_follow(&r->snapshot, &trouble) == -1)
		return bear_trouble(r, now_ms, &trouble, err);
	r->trouble_told_ms = 0;
	/* Not alive, for who looks, with an index that is too old. */
	if (snapshot_is_fresh(&r->snapshot))
		answers_beat(r->answers, clock_monotonic_ms());
	counters_set(r->counters, COUNT_STORE_READ_AT,
	    (uint64_t)r->snapshot.read_at);
	counters_set(r->counters, COUNT_STORE_CHANGE, r->snapshot.change);
	if (now_ms >= r->next_keys_ms) {
		r->next_keys_ms = now_ms + 1000;
		for (size_t i = 0; i < r->snapshot.n_authorities; i++)
			authority_keep_keys(r->snapshot.authorities[i],
			    &r->places, r->snapshot.now);
		count_authorities(r);
	}
	presign_tick(&r->presign);
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

/* Wait for questions until the next tick, or not at all when there is other
 * work to go on with, and answer them. */
static void
turn(struct responder *r, struct role *role, bool busy)
{
	struct pollfd p[MAX_FRONTS + 2];
	int64_t wait = busy ? 0 : r->next_tick_ms - clock_monotonic_ms();
	size_t n = r->n_fronts;
	struct err end;

	p[0] = (struct pollfd){ role_is_stopping() ? -1 : role_signal_fd(),
	    POLLIN, 0 };
	p[1] = (struct pollfd){ channel_fd(role->control),
	    channel_events(role->control), 0 };
	for (size_t i = 0; i < n; i++)
		p[i + 2] = (struct pollfd){ channel_fd(r->fronts[i]),
		    channel_events(r->fronts[i]), 0 };
	if (poll(p, n + 2, wait < 0 ? 0 : (int)wait) <= 0)
		return;
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
		r->main_is_gone = true;
}

/* Told to stop, it goes on for the fronts that finish what they have. */
static bool
is_over(struct responder *r)
{
	int64_t now_ms = clock_monotonic_ms();

	if (r->main_is_gone || !role_is_stopping())
		return r->main_is_gone;
	if (r->stop_at_ms == 0)
		r->stop_at_ms = now_ms + STOP_MS;
	return r->n_fronts == 0 || now_ms >= r->stop_at_ms;
}

struct making {
	struct responder	*responder;
	struct role		*role;
};

/* Store, questions and heartbeat do not wait for a key. */
static bool
go_on_meanwhile(void *arg)
{
	const struct making *m = arg;
	struct err trouble;

	/* What goes wrong goes wrong again in the loop, when we are back. */
	if (is_over(m->responder) || tick(m->responder, &trouble) == -1)
		return false;
	turn(m->responder, m->role, true);
	return true;
}

/* The RSA keys that are wanted, one after the other (ocspd/authority.h). */
static void
make_keys(struct responder *r, struct role *role)
{
	struct key_places *p = &r->places;
	struct making making = { r, role };

	for (size_t i = 0; i < p->n_kinds; i++) {
		struct err err;

		if (!p->wanted[i] || p->stock[i] != NULL || is_over(r))
			continue;
		p->stock[i] = key_generate_while(p->kinds[i].bits,
		    go_on_meanwhile, &making, &err);
		if (p->stock[i] == NULL && err.kind != ERR_RETRY)
			log_error("responder.key.failed",
			    STR("why", err.text), STR("detail", err.detail));
		else if (p->stock[i] != NULL)
			r->next_keys_ms = 0;
		/* Whoever wants another says so again. */
		p->wanted[i] = false;
	}
}

static int
loop(struct responder *r, struct role *role, struct err *err)
{
	if (take_control(r, role, err) == -1)
		return -1;
	while (!is_over(r)) {
		if (tick(r, err) == -1)
			return -1;
		make_keys(r, role);
		turn(r, role, presign_work(&r->presign));
	}
	return 0;
}

static int
open_snapshot(struct responder *r, struct err *err)
{
	const struct settings *s = r->settings;

	counters_set(r->counters, COUNT_STORE_MAX_AGE, (uint64_t)
	    (s->max_index_age_s > 0 ? s->max_index_age_s :
	    s->max_staleness_s < STORE_TROUBLE_S ? s->max_staleness_s :
	    STORE_TROUBLE_S));
	return s->max_index_age_s > 0 ?
	    snapshot_open_index(&r->snapshot, s->store, s->max_index_age_s,
	    r->answers, &r->places, err) :
	    snapshot_open(&r->snapshot, s->store, r->answers, &r->places, err);
}

/* One that is not there yet, or cannot be read now: as soon as it can be. */
static int
await_snapshot(struct responder *r, const struct role *role, struct err *err)
{
	struct pollfd p = { role_signal_fd(), POLLIN, 0 };

	for (unsigned int looks = 0; open_snapshot(r, err) == -1; looks++) {
		snapshot_close(&r->snapshot);
		memset(&r->snapshot, 0, sizeof(r->snapshot));
		if (err->kind == ERR_FAULT || role->probe ||
		    role_is_stopping())
			return -1;
		if (looks % (TELL_AGAIN_MS / STORE_LOOK_MS) == 0)
			log_error("store.unreadable", STR("why", err->text),
			    STR("detail", err->detail));
		poll(&p, 1, STORE_LOOK_MS);
	}
	return 0;
}

static int
open_all(struct responder *r, struct role *role, struct err *err)
{
	r->places.kinds = r->settings->responder_keys;
	r->places.n_kinds = r->settings->n_responder_keys;
	r->places.keys_fd = role_take(role, "keys");
	r->places.spool_fd = role_take(role, "spool");
	if (r->places.keys_fd < 0 || r->places.spool_fd < 0)
		return err_set(err, ERR_FAULT, "started without its folders");
	if (answers_new(r->settings->held_answers,
	    answering_max_part(r->settings), &r->answers, err) == -1 ||
	    counters_new(&r->counters, err) == -1 ||
	    await_snapshot(r, role, err) == -1)
		return -1;
	r->answering.settings = r->settings;
	r->answering.snapshot = &r->snapshot;
	r->answering.places = &r->places;
	r->answering.answers = r->answers;
	r->answering.counters = r->counters;
	r->presign.settings = r->settings;
	r->presign.answering = &r->answering;
	r->presign.answers = r->answers;
	r->presign.counters = r->counters;
	return 0;
}

/* By name: the keys of the CAs lie in a folder beside these files. An index is
 * replaced by others: so the folder that it has alone. */
static size_t
name_store(const struct responder *r, char files[][PATH_ROOM],
    struct sandbox_path *out)
{
	unsigned int n = 0;

	if (r->settings->max_index_age_s > 0) {
		snprintf(files[0], PATH_ROOM, "%s", r->settings->store);
		*strrchr(files[0], '/') = '\0';
		n = 1;
	} else
		while (n < STORE_FILES_MAX && store_file(r->settings->store,
		    n, files[n], PATH_ROOM))
			n++;
	for (unsigned int i = 0; i < n; i++)
		out[i] = (struct sandbox_path){ files[i], 0 };
	return n;
}

static int
run(struct responder *r, struct role *role, struct err *err)
{
	char files[STORE_FILES_MAX][PATH_ROOM];
	struct sandbox_path paths[STORE_FILES_MAX + 1] = {
		{ r->settings->state_dir, 1 } };
	const struct sandbox box = { .allow = SANDBOX_OPEN | SANDBOX_LOCK,
		.paths = paths, .n_paths = 1 + name_store(r, files, paths + 1) };
	int counters_fd;

	if (open_all(r, role, err) == -1)
		return -1;
	counters_fd = counters_share(r->counters, err);
	if (counters_fd == -1 || wire_send_counters(role->control, 0,
	    counters_fd, err) == -1)
		return -1;
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
	snapshot_close(&r->snapshot);
	key_places_close(&r->places);
	answers_free(r->answers);
	counters_free(r->counters);
	settings_free(r->settings);
	return result;
}
