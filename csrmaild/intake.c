#include "csrmaild/intake.h"
#include "csrmaild/intake_private.h"

#include "csrmaild/drop_name.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/role.h"

#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_LAST_MS		300000

/* --- for people ------------------------------------------------------------------ */
void
intake_report(struct intake *in, bool connected, const char *text)
{
	struct wire_mailbox m = { .connected = connected,
	    .next_attempt = connected ? 0 : in->next_attempt };
	struct err err;

	snprintf(m.mailbox, sizeof(m.mailbox), "%s", in->mailbox->title);
	snprintf(m.text, sizeof(m.text), "%s", text);
	memcpy(m.trouble, in->trouble, sizeof(m.trouble));
	if (!connected || !in->connected)
		in->since = clock_now();
	m.since = in->since;
	/* Of single messages the log has more. */
	if (connected && (!in->connected || strcmp(in->said, text) != 0))
		log_info("mailbox.connected", STR("mailbox", m.mailbox),
		    STR("answer", m.text));
	if (!connected)
		log_warn("mailbox.unreachable", STR("mailbox", m.mailbox),
		    STR("why", m.text), NUM("next_attempt", m.next_attempt));
	in->connected = connected;
	memcpy(in->said, m.text, sizeof(in->said));	/* text may be that */
	/* When the registrar does not keep up, the next report tells. */
	if (wire_send_mailbox(in->carrier.registrar, &m, &err) == 0)
		memcpy(in->told, m.trouble, sizeof(in->told));
	else if (err.kind == ERR_FAULT)
		in->lost_peer = true;
}

/* --- what people hand in ----------------------------------------------------------- */
static int
queue_delivery(struct intake *in, struct frame *frame, struct err *err)
{
	struct wire_deliver m;

	if (wire_get_deliver(frame, &m, err) < 0)
		return -1;
	/* Whoever waits is told that it was not taken (verb_submit.c). */
	if (in->n_deliveries == INTAKE_MAX_DELIVERIES)
		return 0;
	in->deliveries[in->n_deliveries++] = (struct handed_in){ m,
		frame->fd };
	frame->fd = -1;
	return 0;
}

static int
read_octets(int fd, size_t max, struct buf *out, size_t *size)
{
	struct stat st;
	uint8_t *to;

	if (fstat(fd, &st) == -1 || st.st_size < 0)
		return -1;
	*size = (size_t)st.st_size;
	if (*size == 0 || *size > max)
		return 0;
	to = buf_reserve(out, *size);
	if (to == NULL || pread(fd, to, *size, 0) != (ssize_t)*size)
		return -1;
	out->len = *size;
	return 0;
}

/* Like what was found in the mailbox, but that it has no place there. */
static int
carry_delivery(struct intake *in, const struct handed_in *d, struct err *err)
{
	size_t size, max = in->mailbox->max_message_octets;
	OWNED_BUF(octets, max);
	struct arrival arrival = { .channel = CHANNEL_CLI,
		.file = d->what.file, .is_csr = drop_is_csr(d->what.file),
		.delivery = d->what.id };

	if (read_octets(d->fd, max, &octets, &size) == -1)
		return err_set(err, ERR_RETRY, "reading what was handed in");
	arrival.message = buf_bytes(&octets);
	arrival.octets = size;
	arrival.too_large = size > max;
	if (carry(&in->carrier, 0, &arrival, 1, err) == 0)
		return 0;
	in->lost_peer = true;
	return -1;
}

static void
carry_deliveries(struct intake *in)
{
	while (in->n_deliveries > 0 && !in->lost_peer) {
		struct handed_in d = in->deliveries[0];
		struct err err;

		in->n_deliveries--;
		memmove(in->deliveries, in->deliveries + 1,
		    in->n_deliveries * sizeof(d));
		if (carry_delivery(in, &d, &err) < 0)
			log_warn("delivery.failed", STR("mailbox",
			    in->mailbox->title), STR("why", err.text));
		close(d.fd);
	}
}

/* --- the peers, while there is nothing to carry --------------------------------- */

/* What the registrar says beside outcomes. Its descriptor is taken. */
static int
take_other(void *arg, struct frame *frame, struct err *err)
{
	struct intake *in = arg;
	int r = 0;

	switch (frame->type) {
	case WIRE_DELIVER:
		r = queue_delivery(in, frame, err);
		break;
	case WIRE_SEND:
		r = intake_drop_answer(in, frame, err);
		break;
	case WIRE_OUTCOME:
		break;		/* for what we gave up on */
	default:
		r = err_set(err, ERR_FAULT, "registrar: an unexpected frame");
	}
	if (frame->fd >= 0)
		close(frame->fd);
	return r;
}

void
intake_peers(const struct intake *in, struct channel *channels[INTAKE_PEERS])
{
	channels[0] = in->carrier.parser;
	channels[1] = in->carrier.registrar;
	channels[2] = in->role->control;
}

static int
take_frames(struct intake *in, struct channel *channel, struct err *err)
{
	struct frame frame;
	int r;

	while ((r = channel_next(channel, &frame, err)) == 1) {
		if (channel == in->carrier.registrar) {
			if (take_other(in, &frame, err) < 0)
				return -1;
		} else if (frame.fd >= 0) {
			close(frame.fd);
		}
	}
	return r;
}

bool
intake_attend(struct intake *in, int timeout_ms)
{
	enum { SIGNAL = INTAKE_PEERS, EVENT, N };
	struct channel *channels[INTAKE_PEERS];
	struct pollfd fds[N];

	intake_peers(in, channels);
	for (size_t i = 0; i < INTAKE_PEERS; i++)
		fds[i] = (struct pollfd){ .fd = channel_fd(channels[i]),
		    .events = channel_events(channels[i]) };
	fds[SIGNAL] = (struct pollfd){ .fd = role_signal_fd(),
	    .events = POLLIN };
	fds[EVENT] = (struct pollfd){ .fd = in->event_fd, .events = POLLIN };
	if (poll(fds, N, timeout_ms) < 0 && errno != EINTR)
		return false;
	for (size_t i = 0; i < INTAKE_PEERS; i++) {
		struct err err;

		if (((fds[i].revents & POLLOUT) != 0 &&
		    channel_flush(channels[i], &err) < 0) ||
		    ((fds[i].revents & ~POLLOUT) != 0 &&
		    channel_read(channels[i], &err) < 0)) {
			/* main's end is a word to stop, not a loss. */
			in->lost_peer = channels[i] != in->role->control;
			return false;
		}
		if (take_frames(in, channels[i], &err) < 0) {
			log_error("intake.peer", STR("why", err.text));
			in->lost_peer = true;
			return false;
		}
	}
	carry_deliveries(in);
	return !in->lost_peer && !role_is_stopping();
}

bool
intake_sit_out(struct intake *in, int64_t until_ms)
{
	for (;;) {
		int64_t left = until_ms - clock_monotonic_ms();

		if (!intake_attend(in, left > 0 ? (int)left : 0))
			return false;
		if (left <= 0)
			return true;
	}
}

void
intake_plan_back_off(struct intake *in)
{
	int64_t wait = in->backoff_ms / 2 +
	    arc4random_uniform((uint32_t)(in->backoff_ms / 2 + 1));

	in->next_ms = clock_monotonic_ms() + wait;
	in->next_attempt = clock_now() + (time_t)((wait + 999) / 1000);
	in->backoff_ms = in->backoff_ms * 2 > BACKOFF_LAST_MS ?
	    BACKOFF_LAST_MS : in->backoff_ms * 2;
}

bool
intake_back_off(struct intake *in)
{
	return intake_sit_out(in, in->next_ms);
}

/* --- start ----------------------------------------------------------------------------- */
static int
serve(struct role *role, struct err *err)
{
	OWNED_STRUCT(settings) *settings = NULL;
	OWNED_STRUCT(channel) *parser = NULL;
	OWNED_STRUCT(channel) *registrar = NULL;
	struct intake in = { .role = role, .event_fd = -1,
		.backoff_ms = INTAKE_FIRST_BACKOFF_MS };
	bool drop;
	int r;

	if (settings_decode(role_take(role, "settings"), &settings, err) < 0)
		return -1;
	in.mailbox = settings_mailbox(settings, role->instance);
	if (in.mailbox == NULL)
		return err_set(err, ERR_FAULT, "there is no mailbox \"%s\"",
		    role->instance);
	drop = settings_is_drop(in.mailbox);
	parser = role_take_peer(role, "parser", WIRE_MAX_FINDINGS,
	    carry_parser_queue_octets(in.mailbox));
	registrar = role_take_peer(role, "registrar", WIRE_MAX_MAIL + 1024,
	    CARRY_REGISTRAR_QUEUE_OCTETS);
	if (parser == NULL || registrar == NULL)
		return err_set(err, ERR_FAULT, "a peer is missing");
	in.carrier = (struct carrier){
		.mailbox = in.mailbox,
		.parser = parser,
		.registrar = registrar,
		.stop_fd = role_signal_fd(),
		.control_fd = channel_fd(role->control),
		.patience_ms = CARRY_PATIENCE_MS,
		.next_id = 1,
		.on_other = take_other,
		.arg = &in,
	};
	r = drop ? intake_drop_start(&in, err) : intake_imap_start(&in, err);
	if (r == 0 && drop)
		intake_drop_run(&in);
	else if (r == 0)
		intake_imap_run(&in);
	intake_imap_end(&in);
	if (r == 0 && in.lost_peer)
		return err_set(err, ERR_RETRY, "lost a peer");
	return r;
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
