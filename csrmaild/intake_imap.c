#include "csrmaild/intake_private.h"

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

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRUITLESS_LOOKS		3
#define FRUITLESS_PAUSE_MS	1000

/*
 * A mailbox on an IMAP server: one session after the other, each message
 * fetched, carried (csrmaild/carry.h) and filed by UID.
 */

/* --- one batch ------------------------------------------------------------------- */
/* For `csrmail status`; the first of a pass stands for all. */
static void __attribute__((format(printf, 2, 3)))
note(struct intake *in, const char *fmt, ...)
{
	va_list ap;

	if (in->amiss)
		return;
	in->amiss = true;
	va_start(ap, fmt);
	vsnprintf(in->trouble, sizeof(in->trouble), fmt, ap);
	va_end(ap);
}

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
		note(in, "%zu not filed in %s: %s", moving,
		    in->mailbox->folders[outcome], err.text);
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
suspect(struct intake *in, const struct imap_size *asked, size_t n,
    const struct err *err)
{
	in->one_by_one = true;
	if (n == 1 && in->n_skipped < INTAKE_MAX_SKIPPED) {
		log_error("message.not-fetched",
		    STR("mailbox", in->mailbox->title),
		    NUM("uid", asked[0].uid), NUM("octets", asked[0].octets));
		in->skipped[in->n_skipped++] = asked[0].uid;
		note(in, "UID %u cannot be fetched: %s", asked[0].uid,
		    err->text);
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
			suspect(in, asked, n, err);
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
	    octets + sizes[end].octets <= INTAKE_BATCH_OCTETS)
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
	carry_dkim_begin(in->dkim);
	in->amiss = in->n_skipped > 0;	/* those are left out of this one */
	if (imap_select(in->imap, in->mailbox->folder, &uid_validity,
	    err) < 0)
		return -1;
	if (!in->connected)
		intake_report(in, true, imap_answer(in->imap));
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
		if (!intake_attend(in, 0))
			return 0;
	}
	in->one_by_one = false;
	in->n_skipped = 0;
	in->backoff_ms = INTAKE_FIRST_BACKOFF_MS;
	if (!in->amiss)
		in->trouble[0] = '\0';
	if (strcmp(in->trouble, in->told) != 0)
		intake_report(in, true, in->said);
	return 0;
}

/*
 * A server may announce what is not there, again and again. The first such
 * news cost a look each; from then on looks are a second apart.
 */
static bool
pause_for(struct intake *in, unsigned int fruitless)
{
	return fruitless < FRUITLESS_LOOKS ? intake_attend(in, 0) :
	    intake_sit_out(in, clock_monotonic_ms() + FRUITLESS_PAUSE_MS);
}

/* When to look without being told. */
static int64_t
next_look(const struct intake *in, int64_t now_ms)
{
	int64_t poll_ms = now_ms +
	    (int64_t)in->mailbox->poll_interval_s * 1000;
	int64_t retry_ms = carry_dkim_retry_ms(in->dkim);

	return retry_ms < poll_ms ? retry_ms : poll_ms;
}

/* Until the session ends (-1) or we are to end (0). */
static int
work_session(struct intake *in, struct err *err)
{
	struct channel *channels[INTAKE_PEERS];
	int others[INTAKE_PEERS];
	unsigned int fruitless = 0;	/* looks, one after the other */

	intake_peers(in, channels);
	for (size_t i = 0; i < INTAKE_PEERS; i++)
		others[i] = channel_fd(channels[i]);
	while (intake_attend(in, 0)) {
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
		if (imap_wait(in->imap, next_look(in, start), others,
		    INTAKE_PEERS, err) < 0)
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

void
intake_imap_run(struct intake *in)
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
		intake_plan_back_off(in);
		intake_report(in, false, err.text);
	} while (intake_back_off(in));
}

/* --- start ----------------------------------------------------------------------------- */
/* Load what the C library and OpenSSL load late, while files can still be
 * opened everywhere. Whether the name is found does not matter yet. */
static int
warm_up(struct intake *in, struct err *err)
{
	const struct server_settings *server = &in->mailbox->imap;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	if (getaddrinfo(server->host, NULL, &hints, &list) == 0)
		freeaddrinfo(list);
	return login_tls(in->login, &in->tls, err);
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
		{ "/dev/urandom", 0 },	/* c-ares (csrmaild/dkim_key.c) */
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

int
intake_imap_start(struct intake *in, struct err *err)
{
	if (login_new(in->role, &in->mailbox->imap, &in->login, err) < 0 ||
	    carry_dkim_new(in->mailbox, &in->dkim, err) < 0 ||
	    warm_up(in, err) < 0)
		return -1;
	in->carrier.dkim = in->dkim;
	return raise_walls(in, err);
}

void
intake_imap_end(struct intake *in)
{
	imap_free(in->imap);
	carry_dkim_free(in->dkim);
	login_free(in->login);
	SSL_CTX_free(in->tls);
}
