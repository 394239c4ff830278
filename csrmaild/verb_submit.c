#include "csrmaild/verb.h"

#include "csrmaild/delivery.h"
#include "csrmaild/describe.h"
#include "csrmaild/drop_name.h"
#include "csrmaild/problem.h"
#include "csrmaild/registry.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_DELIVERIES	32	/* INTAKE_MAX_DELIVERIES */
#define MAX_WAIT_S	30
#define MAX_AGE_S	600	/* and then an intake has forgotten it */
#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct delivery {
	uint64_t	id;		/* 0: free */
	uint64_t	connection, call;	/* 0: nobody waits */
	time_t		since;
	char		who[PRINCIPAL_TEXT_SIZE];
	char		mailbox[64];
	int64_t		submission;	/* once it is on record; and then: */
	bool		again;
	char		why[256];
} deliveries[MAX_DELIVERIES];

static struct delivery *
find(uint64_t id)
{
	for (size_t i = 0; id != 0 && i < MAX_DELIVERIES; i++)
		if (deliveries[i].id == id)
			return &deliveries[i];
	return NULL;
}

/* --- on its way ------------------------------------------------------------- */

const char *
delivery_who(uint64_t id, const char *mailbox)
{
	const struct delivery *d = find(id);

	return d == NULL || strcmp(d->mailbox, mailbox) != 0 ? NULL : d->who;
}

void
delivery_note(uint64_t id, int64_t submission, bool again, const char *why)
{
	struct delivery *d = find(id);

	if (d == NULL)
		return;
	d->submission = submission;
	d->again = again;
	snprintf(d->why, sizeof(d->why), "%s", why);
}

static void
send_result(struct registrar *r, struct delivery *d, uint16_t status,
    const struct buf *json)
{
	struct wire_result result = { .connection = d->connection,
		.call = d->call, .status = status, .json = buf_bytes(json) };
	struct err err;

	if (d->connection != 0 && wire_send_result(r->api, &result,
	    &err) != 0)
		log_warn("api.answer.lost", STR("why", err.text),
		    STR("detail", err.detail));
	d->connection = 0;
}

void
delivery_answer(struct registrar *r, uint64_t id, enum outcome outcome)
{
	struct delivery *d = find(id);
	OWNED_BUF(json, 4096);
	json_t *answer;

	if (d == NULL)
		return;
	answer = json_object();
	describe_number(answer, "submission", d->submission);
	describe_text(answer, "mailbox", d->mailbox);
	describe_text(answer, "outcome", outcome_name(outcome));
	json_object_set_new(answer, "again", json_boolean(d->again));
	describe_text(answer, "why", d->why);
	if (json_write(answer, &json) == 0)
		send_result(r, d, 201, &json);
	json_decref(answer);
	d->id = 0;
}

void
delivery_closed(uint64_t connection)
{
	for (size_t i = 0; i < MAX_DELIVERIES; i++)
		if (deliveries[i].connection == connection)
			deliveries[i].connection = 0;
}

void
delivery_expire(struct registrar *r, time_t now)
{
	for (size_t i = 0; i < MAX_DELIVERIES; i++) {
		struct delivery *d = &deliveries[i];
		OWNED_BUF(json, 1024);

		if (d->id != 0 && now - d->since >= MAX_AGE_S)
			d->id = 0;
		if (d->id == 0 || d->connection == 0 ||
		    now - d->since < MAX_WAIT_S)
			continue;
		problem_write(503, "the mailbox is busy: it was not taken "
		    "yet, and may still be (csrmail request list all); the "
		    "same again is recognised", &json);
		send_result(r, d, 503, &json);
	}
}

/* --- the call ----------------------------------------------------------------- */

/* The one that is named, or the only one. NULL: refused. */
static struct intake_peer *
find_intake(struct verb_call *vc)
{
	struct registrar *r = vc->registrar;
	const char *name = verb_text(vc, "mailbox");

	for (size_t i = 0; i < r->n_intakes; i++)
		if (!r->intakes[i].closed && (name == NULL ?
		    r->n_intakes == 1 :
		    strcmp(r->intakes[i].mailbox->title, name) == 0))
			return &r->intakes[i];
	if (name != NULL)
		verb_refuse(vc, 422, "there is no mailbox %s", name);
	else if (r->n_intakes == 0)
		verb_refuse(vc, 422, "there is no mailbox: csrmail cert sign "
		    "takes requests without one");
	else
		verb_refuse(vc, 422, "which mailbox? There are %zu "
		    "(--mailbox)", r->n_intakes);
	return NULL;
}

/* Nobody can change them, and they are not more than that mailbox takes. */
static int
check_octets(struct verb_call *vc, const struct mailbox_settings *mailbox)
{
	int seals = fcntl(vc->octets, F_GET_SEALS);
	struct stat st;

	if (seals == -1 || (seals & SEALS) != SEALS ||
	    fstat(vc->octets, &st) == -1) {
		verb_refuse(vc, 400, "the octets are not sealed");
		return -1;
	}
	if (st.st_size == 0) {
		verb_refuse(vc, 422, "it is empty");
		return -1;
	}
	if ((uint64_t)st.st_size > mailbox->max_message_octets) {
		verb_refuse(vc, 413, "it has %lld octets, mailbox %s takes %u "
		    "(max_message_octets)", (long long)st.st_size,
		    mailbox->title, mailbox->max_message_octets);
		return -1;
	}
	return 0;
}

static struct delivery *
find_room(void)
{
	for (size_t i = 0; i < MAX_DELIVERIES; i++)
		if (deliveries[i].id == 0)
			return &deliveries[i];
	return NULL;
}

int
verb_mail_submit(struct verb_call *vc)
{
	static uint64_t last;
	struct intake_peer *peer = find_intake(vc);
	const struct mailbox_settings *mailbox = peer == NULL ? NULL :
	    peer->mailbox;
	struct delivery *d = find_room();
	const char *name = verb_text(vc, "name");
	struct wire_deliver m = { .id = ++last };
	OWNED_FD octets = -1;
	struct err err;

	if (mailbox == NULL || check_octets(vc, mailbox) == -1)
		return 0;
	if (d == NULL)
		return verb_refuse(vc, 503, "too much is being handed in");
	octets = fcntl(vc->octets, F_DUPFD_CLOEXEC, 0);
	if (octets < 0)
		return verb_refuse(vc, 503, "no descriptor is left");
	drop_plain_name(name == NULL ? "mail.eml" : name, m.file);
	*d = (struct delivery){ .id = m.id, .connection = vc->connection,
		.call = vc->call, .since = vc->now };
	snprintf(d->who, sizeof(d->who), "%s", vc->who);
	snprintf(d->mailbox, sizeof(d->mailbox), "%s", mailbox->title);
	if (wire_send_deliver(peer->channel, &m, TAKE_FD(octets),
	    &err) == -1) {
		d->id = 0;
		return verb_refuse(vc, 503, "the mailbox is busy: %s",
		    err.text);
	}
	log_info("mail.handed-in", STR("principal", vc->who),
	    STR("mailbox", mailbox->title), STR("file", m.file));
	return 1;
}
