#include "csrmaild/intake_private.h"

#include "csrmaild/drop.h"
#include "csrmaild/drop_answer.h"
#include "csrmaild/drop_name.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES	50	/* of one batch */

/*
 * A mailbox that is a folder: each file that is whole is read, carried
 * (csrmaild/carry.h) and moved; answers are written into another folder. No
 * network, no password, and no other file than those.
 */

/* Files on their way. */
struct batch {
	size_t		 n;
	struct drop_file files[MAX_FILES];
	struct taken {
		size_t	 file;		/* index */
		struct buf octets;	/* owned, as is the next */
		struct buf place;
		char	 plain[WIRE_MAX_FILE + 1];
	}		 taken[MAX_FILES];
	struct arrival	 arrivals[MAX_FILES];
	size_t		 n_taken;
};

static void
batch_free(struct batch *batch)
{
	if (batch == NULL)
		return;
	for (size_t i = 0; i < batch->n_taken; i++) {
		buf_free(&batch->taken[i].octets);
		buf_free(&batch->taken[i].place);
	}
	free(batch);
}
OWNED_STRUCT_BY(batch, batch_free)

/* --- in ------------------------------------------------------------------------ */

/* 0: it is in the batch, 1: it is not to be taken now. */
static int
take_file(struct intake *in, struct drop *drop, struct batch *batch,
    size_t file, struct err *err)
{
	const struct drop_file *f = &batch->files[file];
	struct taken *t = &batch->taken[batch->n_taken];
	struct arrival *a = &batch->arrivals[batch->n_taken];
	bool is_csr = drop_is_csr(f->name);
	bool too_large = (uint64_t)f->st.st_size >
	    in->mailbox->max_message_octets;
	/* Of what is too large, what says who sent it. */
	size_t limit = !too_large ? in->mailbox->max_message_octets :
	    is_csr ? 0 : in->mailbox->max_header_octets + 1;
	int r;

	*t = (struct taken){ .file = file, .octets = BUF(limit),
	    .place = BUF(2 * DROP_MAX_NAME) };
	batch->n_taken++;
	r = drop_read(drop, f, limit, &t->octets, err);
	if (r != 0) {
		batch->n_taken--;
		buf_free(&t->octets);
		return r;
	}
	drop_put_place(f, &t->place);
	drop_plain_name(f->name, t->plain);
	*a = (struct arrival){ .octets = (uint64_t)f->st.st_size,
	    .message = buf_bytes(&t->octets), .too_large = too_large,
	    .channel = CHANNEL_FILE, .is_csr = is_csr, .file = t->plain,
	    .owner = f->st.st_uid, .place = buf_bytes(&t->place) };
	return t->place.failed ?
	    err_set(err, ERR_RETRY, "out of memory") : 0;
}

/* What is on record leaves the inbox. */
static int
move_files(struct drop *drop, const struct batch *batch, size_t *moved,
    struct err *err)
{
	for (size_t i = 0; i < batch->n_taken; i++) {
		const struct arrival *a = &batch->arrivals[i];
		int r;

		if (a->outcome == 0)
			continue;
		crash_point("intake.before-move");
		r = drop_move(drop, &batch->files[batch->taken[i].file],
		    (enum outcome)a->outcome, err);
		if (r < 0)
			return -1;
		*moved += r == 0;
		crash_point("intake.after-move");
	}
	return 0;
}

/* As many files as make a batch, once. */
static int
pass(struct intake *in, struct drop *drop, bool *settling, size_t *moved,
    struct err *err)
{
	OWNED_STRUCT(batch) *batch = calloc(1, sizeof(*batch));
	uint64_t octets = 0;

	*moved = 0;
	if (batch == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	if (drop_look(drop, clock_monotonic_ms(), batch->files,
	    in->mailbox->batch, &batch->n, settling, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->n &&
	    octets < INTAKE_BATCH_OCTETS; i++) {
		int r = take_file(in, drop, batch, i, err);

		if (r < 0)
			return -1;
		if (r == 0)
			octets += batch->taken[batch->n_taken - 1].octets.len;
		else
			*settling = true;
	}
	if (batch->n_taken == 0)
		return 0;
	if (carry(&in->carrier, 0, batch->arrivals, batch->n_taken,
	    err) < 0) {
		in->lost_peer = true;
		return -1;
	}
	return move_files(drop, batch, moved, err);
}

/* --- out ------------------------------------------------------------------------- */
int
intake_drop_answer(struct intake *in, const struct frame *frame,
    struct err *err)
{
	struct wire_sent sent = { .result = SENT_ACCEPTED };
	struct wire_send m;
	struct err why = { 0 };

	if (wire_get_send(frame, &m, err) < 0)
		return -1;
	if (!settings_is_drop(in->mailbox))
		return err_set(err, ERR_FAULT,
		    "registrar: an answer for a folder that we do not have");
	sent.id = m.id;
	if (drop_answer_write(in->mailbox->outbox, &m, &why) < 0)
		sent.result = why.kind == ERR_FAULT ? SENT_REFUSED :
		    SENT_DEFERRED;
	snprintf(sent.text, sizeof(sent.text), "%s", why.text);
	snprintf(in->out_trouble, sizeof(in->out_trouble), "%s", why.text);
	return wire_send_sent(in->carrier.registrar, &sent, err);
}

/* --- the loop ---------------------------------------------------------------------- */

/* At each change. */
static void
say(struct intake *in, bool connected, const char *text)
{
	if (in->connected != connected || strcmp(in->said, text) != 0)
		intake_report(in, connected, text);
}

static void
say_how_it_is(struct intake *in, const struct drop *drop)
{
	char text[sizeof(in->said)];

	in->next_attempt = 0;
	snprintf(text, sizeof(text), "%s", drop_refused(drop)[0] != '\0' ?
	    drop_refused(drop) : in->mailbox->inbox);
	if (in->out_trouble[0] != '\0')
		say(in, false, in->out_trouble);
	else
		say(in, true, text);
}

/* How long nothing need be done that nobody tells of. */
static int
pause_ms(const struct intake *in, bool settling, size_t moved)
{
	if (moved > 0)
		return 0;	/* there may be more */
	return settling ? DROP_SETTLE_MS :
	    (int)in->mailbox->poll_interval_s * 1000;
}

/* Until it cannot be read any more (-1) or we are to end (0). */
static int
work_folder(struct intake *in, struct drop *drop, struct err *err)
{
	bool settling;
	size_t moved;

	in->event_fd = drop_fd(drop);
	do {
		if (pass(in, drop, &settling, &moved, err) < 0)
			return -1;
		in->backoff_ms = INTAKE_FIRST_BACKOFF_MS;
		say_how_it_is(in, drop);
	} while (intake_attend(in, pause_ms(in, settling, moved)));
	return 0;
}

void
intake_drop_run(struct intake *in)
{
	for (;;) {
		OWNED_STRUCT(drop) *drop = NULL;
		struct err err = { 0 };

		if (drop_open(in->mailbox, &drop, &err) == 0 &&
		    work_folder(in, drop, &err) == 0)
			return;
		in->event_fd = -1;
		if (in->lost_peer || role_is_stopping())
			return;
		intake_plan_back_off(in);
		intake_report(in, false, err.text);
		if (!intake_back_off(in))
			return;
	}
}

int
intake_drop_start(struct intake *in, struct err *err)
{
	const struct sandbox_path paths[] = {
		{ in->mailbox->inbox, 1 },
		{ in->mailbox->outbox, 1 },
	};
	const struct sandbox box = { .allow = SANDBOX_OPEN, .paths = paths,
		.n_paths = sizeof(paths) / sizeof(paths[0]) };

	drop_prepare(in->mailbox);
	return role_ready(in->role, &box, err);
}
