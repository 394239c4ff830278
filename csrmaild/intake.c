#include "csrmaild/intake.h"

#include "csrmaild/carry.h"
#include "csrmaild/imap.h"
#include "csrmaild/login.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/role.h"

#include <netdb.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BATCH_OCTETS	(8u << 20)	/* one FETCH, unless one
						 * message alone has more */
#define BACKOFF_FIRST_MS	1000
#define BACKOFF_LAST_MS		300000
#define MAX_SKIPPED		64
#define FRUITLESS_LOOKS		3
#define FRUITLESS_PAUSE_MS	1000

OWNED_BY(SSL_CTX, SSL_CTX_free)

struct intake {
	struct role	*role;
	const struct mailbox_settings *mailbox;
	struct login	*login;
	SSL_CTX		*tls;
	struct carrier	 carrier;
	struct imap	*imap;		/* NULL: not connected */
	bool		 connected;	/* as last reported */
	bool		 lost_peer;	/* nothing to do without it: exit */
	int64_t		 backoff_ms;
	int64_t		 next_ms;	/* monotonic: when to try again */
	time_t		 next_attempt;	/* the same for people */
	/*
	 * Messages whose fetch alone ended the session. They are left out
	 * until one pass went through, so that they do not hold up the rest.
	 */
	bool		 one_by_one;
	uint32_t	 skipped[MAX_SKIPPED];
	size_t		 n_skipped;
};

/* --- for people ------------------------------------------------------------------ */
/* What the server said, for `csrmail status`. */
static void
report(struct intake *in, bool connected, const char *text)
{
	struct wire_mailbox m = { .connected = connected,
	    .since = clock_now(),
	    .next_attempt = connected ? 0 : in->next_attempt };
	struct err err;

	snprintf(m.mailbox, sizeof(m.mailbox), "%s", in->mailbox->title);
	snprintf(m.text, sizeof(m.text), "%s", text);
	if (connected)
		log_info("mailbox.connected", STR("mailbox", m.mailbox),
		    STR("answer", m.text));
	else
		log_warn("mailbox.unreachable", STR("mailbox", m.mailbox),
		    STR("why", m.text), NUM("next_attempt", m.next_attempt));
	in->connected = connected;
	/* When the registrar does not keep up, the next report tells. */
	if (wire_send_mailbox(in->carrier.registrar, &m, &err) < 0 &&
	    err.kind == ERR_FAULT)
		in->lost_peer = true;
}

/* --- the peers, while there is nothing to carry --------------------------------- */
#define N_WATCHED	3

static void
watched(const struct intake *in, struct channel *channels[N_WATCHED])
{
	channels[0] = in->carrier.parser;
	channels[1] = in->carrier.registrar;
	channels[2] = in->role->control;
}

/*
 * Wait up to timeout_ms. Frames that come are answers to what we gave up
 * waiting for, and are dropped. False when we are to end.
 */
static bool
attend(struct intake *in, int timeout_ms)
{
	struct channel *channels[N_WATCHED];
	struct pollfd fds[N_WATCHED + 1];

	watched(in, channels);
	for (size_t i = 0; i < N_WATCHED; i++)
		fds[i] = (struct pollfd){ .fd = channel_fd(channels[i]),
		    .events = channel_events(channels[i]) };
	fds[N_WATCHED] = (struct pollfd){ .fd = role_signal_fd(),
	    .events = POLLIN };
	if (poll(fds, N_WATCHED + 1, timeout_ms) < 0 && errno != EINTR)
		return false;
	for (size_t i = 0; i < N_WATCHED; i++) {
		struct frame frame;
		struct err err;

		if (((fds[i].revents & POLLOUT) != 0 &&
		    channel_flush(channels[i], &err) < 0) ||
		    ((fds[i].revents & ~POLLOUT) != 0 &&
		    channel_read(channels[i], &err) < 0)) {
			/* main's end is a word to stop, not a loss. */
			in->lost_peer = channels[i] != in->role->control;
			return false;
		}
		while (channel_next(channels[i], &frame, &err) == 1) {
			if (frame.fd >= 0)
				close(frame.fd);
		}
	}
	return !role_is_stopping();
}

/* Until then. False when we are to end. */
static bool
sit_out(struct intake *in, int64_t until_ms)
{
	for (;;) {
		int64_t left = until_ms - clock_monotonic_ms();

		if (!attend(in, left > 0 ? (int)left : 0))
			return false;
		if (left <= 0)
			return true;
	}
}

/* With jitter: a server that comes back is not met by all its clients in the
 * same second. */
static void
plan_back_off(struct intake *in)
{
	int64_t wait = in->backoff_ms / 2 +
	    arc4random_uniform((uint32_t)(in->backoff_ms / 2 + 1));

	in->next_ms = clock_monotonic_ms() + wait;
	in->next_attempt = clock_now() + (time_t)((wait + 999) / 1000);
	in->backoff_ms = in->backoff_ms * 2 > BACKOFF_LAST_MS ?
	    BACKOFF_LAST_MS : in->backoff_ms * 2;
}

/* Sit it out. False when we are to end. */
static bool
back_off(struct intake *in)
{
	return sit_out(in, in->next_ms);
}

/* --- one batch ------------------------------------------------------------------- */
/* All that go to the same folder in one command. Returns how many left. */
static size_t
file_outcome(struct intake *in, const struct arrival *arrivals, size_t n,
    enum outcome outcome)
{
	uint32_t uids[IMAP_MAX_BATCH];
	size_t moving = 0;
	struct err err;

	for (size_t i = 0; i < n; i++) {
		if (arrivals[i].outcome == (int)outcome)
			uids[moving++] = arrivals[i].uid;
	}
	if (moving == 0 || imap_is_broken(in->imap))
		return 0;
	crash_point("intake.before-move");
	if (imap_move(in->imap, uids, moving, in->mailbox->folders[outcome],
	    &err) < 0) {
		log_warn("mailbox.not-filed",
		    STR("mailbox", in->mailbox->title),
		    STR("folder", in->mailbox->folders[outcome]),
		    NUM("messages", moving), STR("why", err.text));
		return 0;
	}
	crash_point("intake.after-move");
	return moving;
}

/* Carry what was fetched and file what is on record. */
static int
carry_and_file(struct intake *in, uint32_t uid_validity,
    struct arrival *arrivals, size_t n, size_t *filed, struct err *err)
{
	if (carry(&in->carrier, uid_validity, arrivals, n, err) < 0) {
		in->lost_peer = true;
		return -1;
	}
	for (int outcome = OUTCOME_PROCESSED; outcome <= OUTCOME_UNREADABLE;
	    outcome++)
		*filed += file_outcome(in, arrivals, n, (enum outcome)outcome);
	if (imap_is_broken(in->imap))
		return err_set(err, ERR_RETRY, "filing: %s",
		    imap_answer(in->imap));
	return 0;
}

static uint64_t
size_of(const struct imap_size *asked, size_t n, uint32_t uid)
{
	for (size_t i = 0; i < n; i++) {
		if (asked[i].uid == uid)
			return asked[i].octets;
	}
	return 0;
}

/* A fetch that ended the session: find out which message it was. */
static void
suspect(struct intake *in, const struct imap_size *asked, size_t n)
{
	in->one_by_one = true;
	if (n == 1 && in->n_skipped < MAX_SKIPPED) {
		log_error("message.not-fetched",
		    STR("mailbox", in->mailbox->title),
		    NUM("uid", asked[0].uid), NUM("octets", asked[0].octets));
		in->skipped[in->n_skipped++] = asked[0].uid;
	}
}

/* n messages within the limit, or one above it. */
static int
take_batch(struct intake *in, uint32_t uid_validity,
    const struct imap_size *asked, size_t n, size_t *filed, struct err *err)
{
	uint32_t limit = in->mailbox->max_message_octets;
	bool header_only = asked[0].octets > limit;
	OWNED_HEAP(struct arrival) *arrivals = calloc(n, sizeof(*arrivals));
	OWNED_STRUCT(imap_batch) *batch = NULL;
	int r;

	if (arrivals == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	r = header_only ? imap_fetch_header(in->imap, asked[0].uid,
	    in->mailbox->max_header_octets + 1, &batch, err) :
	    imap_fetch(in->imap, asked, n, &batch, err);
	if (r < 0) {
		if (imap_is_broken(in->imap))
			suspect(in, asked, n);
		return -1;
	}
	for (size_t i = 0; i < batch->n; i++) {
		struct imap_message *m = &batch->messages[i];
		uint64_t octets = header_only ?
		    size_of(asked, n, m->uid) : m->octets.len;

		/* RFC822.SIZE is the server's word, this is what came. */
		arrivals[i] = (struct arrival){ .uid = m->uid,
		    .message = m->octets, .octets = octets,
		    .too_large = octets > limit };
	}
	return carry_and_file(in, uid_validity, arrivals, batch->n, filed,
	    err);
}

/* --- one pass over the folder ------------------------------------------------------- */
static bool
is_skipped(const struct intake *in, uint32_t uid)
{
	for (size_t i = 0; i < in->n_skipped; i++) {
		if (in->skipped[i] == uid)
			return true;
	}
	return false;
}

/* Octets and number bound a batch; one too large is alone. */
static size_t
batch_end(const struct intake *in, const struct imap_size *sizes, size_t at,
    size_t n)
{
	uint32_t limit = in->mailbox->max_message_octets;
	unsigned int most = in->one_by_one ? 1 : in->mailbox->batch;
	uint64_t octets = sizes[at].octets;
	size_t end = at + 1;

	if (sizes[at].octets > limit)
		return end;
	while (end < n && end - at < most && end - at < IMAP_MAX_BATCH &&
	    sizes[end].octets <= limit &&
	    octets + sizes[end].octets <= MAX_BATCH_OCTETS)
		octets += sizes[end++].octets;
	return end;
}

/* Everything in the folder, once. *filed counts what left it. */
static int
pass(struct intake *in, size_t *filed, struct err *err)
{
	OWNED_HEAP(struct imap_size) *sizes = NULL;
	uint32_t uid_validity;
	size_t n, kept = 0;

	*filed = 0;
	if (imap_select(in->imap, in->mailbox->folder, &uid_validity,
	    err) < 0)
		return -1;
	if (!in->connected)
		report(in, true, imap_answer(in->imap));
	if (imap_list_sizes(in->imap, &sizes, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!is_skipped(in, sizes[i].uid))
			sizes[kept++] = sizes[i];
	}
	for (size_t at = 0, end; at < kept; at = end) {
		end = batch_end(in, sizes, at, kept);
		if (take_batch(in, uid_validity, sizes + at, end - at, filed,
		    err) < 0)
			return -1;
		if (!attend(in, 0))
			return 0;
	}
	in->one_by_one = false;
	in->n_skipped = 0;
	in->backoff_ms = BACKOFF_FIRST_MS;
	return 0;
}

/*
 * A server may announce what is not there, again and again. The first such
 * news cost a look each; from then on looks are a second apart.
 */
static bool
pause_for(struct intake *in, unsigned int fruitless)
{
	return fruitless < FRUITLESS_LOOKS ? attend(in, 0) :
	    sit_out(in, clock_monotonic_ms() + FRUITLESS_PAUSE_MS);
}

/* Until the session ends (-1) or we are to end (0). */
static int
work_session(struct intake *in, struct err *err)
{
	struct channel *channels[N_WATCHED];
	int others[N_WATCHED];
	unsigned int fruitless = 0;	/* looks, one after the other */

	watched(in, channels);
	for (size_t i = 0; i < N_WATCHED; i++)
		others[i] = channel_fd(channels[i]);
	while (attend(in, 0)) {
		int64_t start;
		size_t filed;

		if (pass(in, &filed, err) < 0)
			return -1;
		/* More may have come meanwhile. */
		fruitless = filed > 0 ? 0 : fruitless + 1;
		if (filed > 0)
			continue;
		if (!pause_for(in, fruitless))
			break;
		start = clock_monotonic_ms();
		if (imap_wait(in->imap, start +
		    (int64_t)in->mailbox->poll_interval_s * 1000, others,
		    N_WATCHED, err) < 0)
			return -1;
		if (clock_monotonic_ms() - start >= FRUITLESS_PAUSE_MS)
			fruitless = 0;
	}
	return 0;
}

static int
open_session(struct intake *in, struct err *err)
{
	const char *secret;

	if (login_secret(in->login, &secret, err) < 0) {
		in->lost_peer = err->kind == ERR_FAULT;
		return -1;
	}
	if (imap_open(&in->mailbox->imap, in->tls, secret, role_signal_fd(),
	    &in->imap, err) == 0)
		return 0;
	login_refused(in->login);	/* it may have been that */
	return -1;
}

static void
run(struct intake *in)
{
	do {
		struct err err = { 0 };

		if (open_session(in, &err) == 0 &&
		    work_session(in, &err) == 0)
			return;
		imap_free(in->imap);
		in->imap = NULL;
		if (in->lost_peer || role_is_stopping())
			return;
		plan_back_off(in);
		report(in, false, err.text);
	} while (back_off(in));
}

/* --- start ----------------------------------------------------------------------------- */
/* Load what the C library and OpenSSL load late, while files can still be
 * opened everywhere. Whether the name is found does not matter yet. */
static int
warm_up(struct intake *in, SSL_CTX **tls, struct err *err)
{
	const struct server_settings *server = &in->mailbox->imap;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	if (getaddrinfo(server->host, NULL, &hints, &list) == 0)
		freeaddrinfo(list);
	return login_tls(in->login, tls, err);
}

static int
raise_walls(struct intake *in, struct err *err)
{
	const struct sandbox_path paths[] = {
		{ "/etc/resolv.conf", 0 },
		{ "/etc/hosts", 0 },
		{ "/etc/nsswitch.conf", 0 },
		{ "/etc/host.conf", 0 },
		{ "/etc/gai.conf", 0 },
		{ "/etc/services", 0 },
		{ "/etc/ssl", 0 },
		{ "/usr/share/ca-certificates", 0 },
		{ "/usr/lib", 0 },	/* NSS modules */
		{ "/lib", 0 },
		{ "/etc/ld.so.cache", 0 },
		{ in->mailbox->imap.ca_file, 0 },
	};
	struct sandbox box = {
		.allow = SANDBOX_INET | SANDBOX_OPEN,
		.paths = paths,
		.n_paths = sizeof(paths) / sizeof(paths[0]),
	};

	if (in->mailbox->imap.ca_file[0] == '\0')
		box.n_paths--;
	return role_ready(in->role, &box, err);
}

static int
serve(struct role *role, struct err *err)
{
	OWNED_STRUCT(settings) *settings = NULL;
	OWNED_STRUCT(channel) *parser = NULL;
	OWNED_STRUCT(channel) *registrar = NULL;
	OWNED(SSL_CTX) *tls = NULL;
	OWNED_STRUCT(login) *login = NULL;
	struct intake in = { .role = role, .backoff_ms = BACKOFF_FIRST_MS };

	if (settings_decode(role_take(role, "settings"), &settings, err) < 0)
		return -1;
	in.mailbox = settings_mailbox(settings, role->instance);
	if (in.mailbox == NULL)
		return err_set(err, ERR_FAULT, "there is no mailbox \"%s\"",
		    role->instance);
	parser = role_take_peer(role, "parser", WIRE_MAX_FINDINGS,
	    carry_parser_queue_octets(in.mailbox));
	registrar = role_take_peer(role, "registrar", WIRE_MAX_CALL,
	    CARRY_REGISTRAR_QUEUE_OCTETS);
	if (parser == NULL || registrar == NULL)
		return err_set(err, ERR_FAULT, "a peer is missing");
	if (login_new(role, &in.mailbox->imap, &login, err) < 0)
		return -1;
	in.login = login;
	if (warm_up(&in, &tls, err) < 0 ||
	    raise_walls(&in, err) < 0)
		return -1;
	in.tls = tls;
	in.carrier = (struct carrier){
		.mailbox = in.mailbox,
		.parser = parser,
		.registrar = registrar,
		.stop_fd = role_signal_fd(),
		.control_fd = channel_fd(role->control),
		.patience_ms = CARRY_PATIENCE_MS,
		.next_id = 1,
	};
	run(&in);
	imap_free(in.imap);
	if (in.lost_peer)
		return err_set(err, ERR_RETRY, "lost a peer");
	return 0;
}

int
intake_main(struct role *role)
{
	struct err err = { 0 };

	if (serve(role, &err) == 0)
		return EXIT_SUCCESS;
	log_error("intake.ended", STR("mailbox", role->instance),
	    STR("why", err.text), STR("detail", err.detail));
	return EXIT_FAILURE;
}
