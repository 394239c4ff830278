#include "csrmaild/registrar.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/role.h"
#include "csrmaild/acts.h"
#include "csrmaild/challenge.h"
#include "csrmaild/issuance.h"
#include "csrmaild/key_check.h"
#include "csrmaild/outbox.h"
#include "csrmaild/people.h"
#include "csrmaild/publish.h"
#include "csrmaild/publish_chain.h"
#include "csrmaild/registry.h"
#include "csrmaild/renewal.h"
#include "csrmaild/responders.h"
#include "csrmaild/verbs.h"
#include "csrmaild/work.h"

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS		1000
#define RETRY_MS	100	/* while a commit waits for the store */

/* --- frames ------------------------------------------------------------------------ */

static int
from_intake(struct registrar *r, struct intake_peer *peer, struct work_queue *q,
    const struct frame *frame, struct err *err)
{
	(void)r;
	switch (frame->type) {
	case WIRE_SUBMIT:
	case WIRE_SENT:		/* written into its folder, or not */
		return work_add(q, peer->channel, frame, err);
	case WIRE_MAILBOX:
		return wire_get_mailbox(frame, &peer->state, err);
	}
	return err_set(err, ERR_FAULT, "an unexpected frame");
}

/* A key was opened: what waited for it is due now. */
static void
wake(struct registrar *r, struct authority *ca)
{
	for (size_t i = 0; i < r->n_orders; i++)
		if (r->orders[i].ca == ca->id)
			r->orders[i].not_before = 0;
	ca->crl_not_before = 0;
	r->approvals = true;
}

static int
take_keys(struct registrar *r, struct work_queue *q,
    const struct frame *frame, struct err *err)
{
	struct wire_keys m;
	struct authority *ca;

	if (wire_get_keys(frame, &m, err) == -1)
		return -1;
	ca = authority_by_name(&r->authorities, m.ca);
	if (ca == NULL && settings_ca(r->settings, m.ca) != NULL) {
		log_warn("ca.unfinished", STR("ca", m.ca), STR("why",
		    "its ceremony was cut off: the same command again "
		    "completes it"));
		return 0;
	}
	if (ca == NULL)
		return err_set(err, ERR_FAULT, "a key of no CA of ours");
	if (m.open && !ca->key_open)
		wake(r, ca);
	ca->key_open = m.open;
	snprintf(ca->key_text, sizeof(ca->key_text), "%s", m.text);
	return m.who[0] == '\0' ? 0 : work_add(q, r->signer, frame, err);
}

static int
from_signer(struct registrar *r, struct work_queue *q, const struct frame *frame,
    struct err *err)
{
	struct wire_crl_done done;

	switch (frame->type) {
	case WIRE_ISSUED:
	case WIRE_REFUSED:
		return work_add(q, r->signer, frame, err);
	case WIRE_KEYS:
		return take_keys(r, q, frame, err);
	case WIRE_CRL_DONE:
		if (wire_get_crl_done(frame, &done, err) == -1)
			return -1;
		publish_take_done(r, &done);
		return 0;
	}
	return err_set(err, ERR_FAULT, "an unexpected frame");
}

static int
from_parser(struct registrar *r, const struct frame *frame, struct err *err)
{
	OWNED_STRUCT(findings) *found = NULL;
	struct cursor c = CURSOR(frame->payload);

	if (frame->type != WIRE_FINDINGS)
		return err_set(err, ERR_FAULT, "an unexpected frame");
	get_findings(&c, &found);
	if (!cursor_end(&c))
		return err_set(err, ERR_FAULT, "broken findings");
	if ((found->id & RESPONDERS_TOKEN) != 0)
		responders_examined(r, found);
	else
		verbs_examined(r, found->id, found);
	return 0;
}

static int
from_submit(struct registrar *r, struct submit_peer *peer,
    struct work_queue *q, const struct frame *frame, struct err *err)
{
	switch (frame->type) {
	case WIRE_SENT:
		return work_add(q, peer->channel, frame, err);
	case WIRE_MAILBOX:
		if (wire_get_mailbox(frame, &peer->state, err) == -1)
			return -1;
		r->smtp = r->submits[0].state;
		for (size_t i = 0; i < r->n_submits; i++)
			if (r->submits[i].state.since != 0 &&
			    (!r->submits[i].state.connected ||
			    r->smtp.since == 0))
				r->smtp = r->submits[i].state;
		return 0;
	}
	return err_set(err, ERR_FAULT, "an unexpected frame");
}

static int
take_seals(struct registrar *r, const struct frame *frame, struct err *err)
{
	struct wire_seals m;
	size_t i = 0;

	if (wire_get_seals(frame, &m, err) == -1)
		return -1;
	while (i < r->n_seals && strcmp(r->seals[i].mailbox, m.mailbox) != 0)
		i++;
	if (i == REGISTRAR_MAX_MAILBOXES)
		return err_set(err, ERR_FAULT, "too many mailboxes");
	if (i == r->n_seals)
		r->n_seals++;
	r->seals[i] = m;
	return 0;
}

static int
from_sealer(struct registrar *r, struct work_queue *q,
    const struct frame *frame, struct err *err)
{
	struct wire_sealed m;

	switch (frame->type) {
	case WIRE_SEALED:
		if (wire_get_sealed(frame, &m, err) == -1)
			return -1;
		/* What is not signed waits, and that is written down. */
		return m.text[0] == '\0' ? outbox_send_sealed(r, &m, err) :
		    work_add(q, r->sealer, frame, err);
	case WIRE_SEALS:
		return take_seals(r, frame, err);
	}
	return err_set(err, ERR_FAULT, "an unexpected frame");
}

static int
from_api(struct registrar *r, const struct frame *frame, struct err *err)
{
	struct wire_call call;
	uint64_t connection;

	switch (frame->type) {
	case WIRE_CALL:
		if (wire_get_call(frame, &call, err) == -1)
			return -1;
		people_take_call(r, &call);
		if (call.has_octets)
			close(call.octets);
		return 0;
	case WIRE_CLOSED:
		if (wire_get_closed(frame, &connection, err) == -1)
			return -1;
		people_take_closed(r, connection);
		return 0;
	}
	return err_set(err, ERR_FAULT, "an unexpected frame");
}

static int
from_main(const struct frame *frame, struct err *err)
{
	/* A reload that works ends us; so this is why it does not. */
	if (frame->type != WIRE_RELOADED)
		return err_set(err, ERR_FAULT, "an unexpected frame");
	log_error("reload.refused", STR("why",
	    frame->payload.len == 0 ? "" :
	    (const char *)frame->payload.data));
	return 0;
}

static int
take_frame(struct registrar *r, struct channel *ch, struct work_queue *q,
    const struct frame *frame, struct err *err)
{
	/* Nobody hands descriptors to us, but api what somebody hands in. */
	if (frame->fd >= 0 && (ch != r->api || frame->type != WIRE_CALL)) {
		close(frame->fd);
		return err_set(err, ERR_FAULT, "an unexpected descriptor");
	}
	if (ch == r->signer)
		return from_signer(r, q, frame, err);
	if (ch == r->parser)
		return from_parser(r, frame, err);
	if (ch == r->sealer)
		return from_sealer(r, q, frame, err);
	if (ch == r->api)
		return from_api(r, frame, err);
	if (ch == r->control)
		return from_main(frame, err);
	for (size_t i = 0; i < r->n_submits; i++)
		if (ch == r->submits[i].channel)
			return from_submit(r, &r->submits[i], q, frame, err);
	for (size_t i = 0; i < r->n_intakes; i++)
		if (ch == r->intakes[i].channel)
			return from_intake(r, &r->intakes[i], q, frame, err);
	return err_set(err, ERR_FAULT, "a frame from nobody");
}

/* Everything that was read, as long as there is room for what it asks. */
static int
drain(struct registrar *r, struct channel *ch, struct work_queue *q,
    struct err *err)
{
	struct frame frame;
	int more = 1;

	while (!work_is_full(q) &&
	    (more = channel_next(ch, &frame, err)) == 1)
		if (take_frame(r, ch, q, &frame, err) == -1)
			return -1;
	return more == -1 ? -1 : 0;
}

/* --- the loop ------------------------------------------------------------------------ */

#define MAX_PEERS	(REGISTRAR_MAX_MAILBOXES + REGISTRAR_MAX_SESSIONS + 5)

static size_t
list_peers(struct registrar *r, struct channel *peers[MAX_PEERS])
{
	size_t n = 0;

	peers[n++] = r->control;
	peers[n++] = r->signer;
	peers[n++] = r->parser;
	peers[n++] = r->api;
	if (r->sealer != NULL)
		peers[n++] = r->sealer;
	for (size_t i = 0; i < r->n_submits; i++)
		if (!r->submits[i].closed)
			peers[n++] = r->submits[i].channel;
	for (size_t i = 0; i < r->n_intakes; i++)
		if (!r->intakes[i].closed)
			peers[n++] = r->intakes[i].channel;
	return n;
}

static void
pump(struct registrar *r)
{
	issuance_pump(r);
	renewal_pump(r);
	challenge_pump(r);
	outbox_pump(r);
	publish_pump(r);
	responders_pump(r);
	key_check_catch_up(r);
	verbs_expire(r, r->now);
}

/* At the end of all, intakes and submit leave first, between two frames. */
static bool
note_end(struct registrar *r, const struct channel *ch)
{
	for (size_t i = 0; i < r->n_submits; i++)
		if (r->submits[i].channel == ch) {
			r->submits[i].closed = true;
			return true;
		}
	for (size_t i = 0; i < r->n_intakes; i++)
		if (r->intakes[i].channel == ch) {
			r->intakes[i].closed = true;
			return true;
		}
	return false;
}

/* Wait; then read and write what can be. A peer that is gone or broken ends
 * us: main starts the whole set anew. */
static int
wait_and_move(struct registrar *r, const struct work_queue *q,
    struct err *err)
{
	struct pollfd fds[MAX_PEERS + 2];
	struct channel *peers[MAX_PEERS];
	size_t n = list_peers(r, peers);
	bool full = work_is_full(q);
	int timeout_ms = work_is_waiting(q) ? RETRY_MS : TICK_MS;

	for (size_t i = 0; i < n; i++) {
		short events = channel_events(peers[i]);

		/* Backpressure: a full queue takes on nothing more. */
		if (full)
			events = (short)(events & ~POLLIN);
		fds[i] = (struct pollfd){ channel_fd(peers[i]), events, 0 };
	}
	fds[n] = (struct pollfd){ r->listen_fd, POLLIN, 0 };
	fds[n + 1] = (struct pollfd){ role_signal_fd(), POLLIN, 0 };
	if (publish_is_busy(r))
		timeout_ms = 0;
	if (poll(fds, n + 2, timeout_ms) < 0 && errno != EINTR)
		return err_errno(err, ERR_FAULT, "poll");
	for (size_t i = 0; i < n; i++) {
		if ((fds[i].revents & POLLOUT) != 0 &&
		    channel_flush(peers[i], err) == -1)
			return -1;
		if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    !full && channel_read(peers[i], err) == -1 &&
		    !(err->kind == ERR_RETRY && note_end(r, peers[i])))
			return -1;
	}
	if ((fds[n].revents & POLLIN) != 0)
		people_accept(r);
	return 0;
}

static int
turn(struct registrar *r, struct work_queue *q, struct err *err)
{
	struct channel *peers[MAX_PEERS];
	size_t n = list_peers(r, peers);

	r->now = clock_now();
	r->now_ms = clock_monotonic_ms();
	for (size_t i = 0; i < n; i++)
		if (drain(r, peers[i], q, err) == -1)
			return -1;
	work_commit(r, q);
	pump(r);
	return 0;
}

static int
serve(struct registrar *r, struct err *err)
{
	OWNED_STRUCT(work_queue) *q = work_queue_new();
	int result = 0;

	if (q == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	while (result == 0 && !role_is_stopping()) {
		result = wait_and_move(r, q, err);
		if (result == 0)
			result = turn(r, q, err);
	}
	return result;
}

/* --- start and end ---------------------------------------------------------------------- */

static int
take_submits(struct registrar *r, struct role *role, struct err *err)
{
	for (unsigned int i = 1; i <= r->settings->smtp_sessions; i++) {
		struct submit_peer *peer = &r->submits[r->n_submits];
		char name[32];

		snprintf(name, sizeof(name), i == 1 ? "submit" : "submit:%u",
		    i);
		peer->channel = role_take_peer(role, name, 4096, 8u << 20);
		snprintf(peer->state.mailbox, sizeof(peer->state.mailbox),
		    "smtp");
		if (peer->channel == NULL)
			return err_set(err, ERR_FAULT, "%s is missing", name);
		r->n_submits++;
	}
	r->smtp = r->submits[0].state;
	return 0;
}

static int
take_peers(struct registrar *r, struct role *role, struct err *err)
{
	r->control = role->control;
	r->signer = role_take_peer(role, "signer", WIRE_MAX_ISSUE,
	    128u << 20);
	r->parser = role_take_peer(role, "parser", WIRE_MAX_FINDINGS, 1u << 20);
	r->api = role_take_peer(role, "api", WIRE_MAX_CALL + 1024,
	    4 * WIRE_MAX_RESULT);
	/* None comes where no mailbox signs. */
	r->sealer = role_take_peer(role, "sealer", WIRE_MAX_MAIL + 1024,
	    8u << 20);
	r->listen_fd = role_take(role, "api_socket");
	for (size_t i = 0; i < r->settings->n_mailboxes; i++) {
		struct intake_peer *peer = &r->intakes[r->n_intakes];
		char name[80];

		peer->mailbox = &r->settings->mailboxes[i];
		snprintf(name, sizeof(name), "intake:%.63s",
		    r->settings->mailboxes[i].title);
		/* Out: some answers, for one that is a folder. */
		peer->channel = role_take_peer(role, name, WIRE_MAX_SUBMIT,
		    10u << 20);
		snprintf(peer->state.mailbox, sizeof(peer->state.mailbox),
		    "%s", r->settings->mailboxes[i].title);
		if (peer->channel == NULL)
			return err_set(err, ERR_FAULT, "%s is missing", name);
		r->n_intakes++;
	}
	if (r->signer == NULL || r->parser == NULL || r->api == NULL ||
	    r->listen_fd < 0)
		return err_set(err, ERR_FAULT, "a peer is missing");
	return take_submits(r, role, err);
}

static int
open_state(struct registrar *r, struct role *role, struct err *err)
{
	const char *dir = r->settings->state_dir;
	char path[4200];
	int lock = role_take(role, "lock");

	/* main took the lock; we keep it as long as the store is open. */
	if (lock < 0)
		return err_set(err, ERR_FAULT, "the store's lock is missing");
	snprintf(path, sizeof(path), "%s/store.db", dir);
	if (store_open(path, STORE_READ_WRITE, &r->store, err) == -1)
		return -1;
	snprintf(path, sizeof(path), "%s/published", dir);
	r->published_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->published_fd < 0)
		return err_errno(err, ERR_FAULT, path);
	return 0;
}

/*
 * The store's three files by name, not their folder: the keys lie beside
 * them, and in unprivileged mode only this keeps us from them. They are there
 * for good once the store is open (the write-ahead log is never removed).
 */
static int
raise_walls(const struct registrar *r, struct role *role, struct err *err)
{
	static const char *const names[] = { "store.db", "store.db-wal",
		"store.db-shm", "published" };
	char files[4][4200];
	struct sandbox_path paths[AUTHORITIES_MAX * SETTINGS_MAX_SPOOLS +
	    8] = {
		{ "/etc/localtime", 0 }, { "/etc/passwd", 0 },
		{ "/etc/nsswitch.conf", 0 },
	};
	struct sandbox box = { .allow = SANDBOX_OPEN, .paths = paths,
		.n_paths = 3 };

	for (size_t i = 0; i < 4; i++) {
		snprintf(files[i], sizeof(files[i]), "%s/%s",
		    r->settings->state_dir, names[i]);
		paths[box.n_paths++] = (struct sandbox_path){ files[i], 1 };
	}
	for (size_t i = 0; i < r->settings->n_cas && i < AUTHORITIES_MAX; i++) {
		const struct ca_settings *ca = &r->settings->cas[i];

		for (size_t j = 0; j < ca->n_responder_spools; j++)
			paths[box.n_paths++] = (struct sandbox_path){
				ca->responder_spools[j], 0 };
	}
	return role_ready(role, &box, err);
}

static void
close_down(struct registrar *r)
{
	responders_close(r);
	key_check_close(r);
	registrar_free_revoked(r);
	publish_close(r);
	authorities_free_contents(&r->authorities);
	for (size_t i = 0; i < r->n_intakes; i++)
		channel_free(r->intakes[i].channel);
	channel_free(r->signer);
	channel_free(r->sealer);
	channel_free(r->parser);
	for (size_t i = 0; i < r->n_submits; i++)
		channel_free(r->submits[i].channel);
	channel_free(r->api);
	store_free(r->store);
	settings_free(r->settings);
	free(r);
}

static int
start_up(struct registrar *r, struct role *role, struct err *err)
{
	if (settings_decode(role_take(role, "settings"), &r->settings,
	    err) == -1 ||
	    take_peers(r, role, err) == -1 ||
	    open_state(r, role, err) == -1)
		return -1;
	right_groups_read(&r->groups, r->settings->unprivileged);
	/* Queries may want the name service once more: see /etc/passwd. */
	if (raise_walls(r, role, err) == -1)
		return -1;
	r->now = clock_now();
	r->now_ms = clock_monotonic_ms();
	if (authorities_load(&r->authorities, r->store, r->settings,
	    err) == -1 ||
	    issuance_resume(r, err) == -1 || publish_resume(r, err) == -1 ||
	    registrar_tell_blocked_again(r, err) == -1)
		return -1;
	publish_chains(r);
	return responders_open(r, err);
}

int
registrar_main(struct role *role)
{
	struct registrar *r = calloc(1, sizeof(*r));
	struct err err = { 0 };
	int result;

	if (r == NULL)
		return 1;
	result = start_up(r, role, &err);
	if (result == 0)
		result = serve(r, &err);
	if (result == -1)
		log_error("registrar.ended", STR("why", err.text),
		    STR("detail", err.detail));
	close_down(r);
	return result == 0 ? 0 : 1;
}
