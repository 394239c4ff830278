#include "csrmaild/ctl/ctl.h"

#include "csrmaild/wire.h"

#include "common/clock.h"
#include "common/err.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * `csrmail mail submit`: a mail, or a request as a file, as if it lay in the
 * mailbox. It is read by the daemon's intake and parser and by nobody else.
 */
#define STEP_MS	50

static const struct column columns[] = {
	{ "REQUEST",	"id",		0 },
	{ "STATE",	"state",	0 },
	{ "SERIAL",	"serial",	0 },
	{ "NAMES",	"names",	60 },
	{ "REASON",	"reason",	80 },
};

/* The name says whether it is a mail; of standard input nothing does. */
static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (strcmp(path, "-") == 0)
		return "mail.eml";
	return slash == NULL ? path : slash + 1;
}

static int
hand_in(struct ctl *ctl, struct bytes octets, json_t **out, struct err *err)
{
	const char *mailbox = ctl_option(ctl, "mailbox");
	json_t *args = json_pack("{s:s}", "name", name_of(ctl->args[0]));
	int r;

	if (args == NULL)
		return ctl_fail(ctl, EX_USAGE, err,
		    "the name of the file is not UTF-8");
	if (mailbox != NULL)
		json_object_set_new(args, "mailbox", json_string(mailbox));
	r = client_post_octets(ctl, "submissions", args, octets, out, err);
	json_decref(args);
	/* Later it may well be there. */
	if (r != 0 && ctl->exit_code == EX_UNAVAILABLE)
		ctl->exit_code = EX_TEMPFAIL;
	return r;
}

static bool
waits_for_signer(const json_t *requests)
{
	const char *state;
	size_t i;
	json_t *row;

	json_array_foreach((json_t *)(uintptr_t)requests, i, row) {
		state = json_string_value(json_object_get(row, "state"));
		if (state != NULL && strcmp(state, "approved") == 0)
			return true;
	}
	return false;
}

/* Its requests, once the signer has answered, or after --timeout seconds. */
static int
find_requests(struct ctl *ctl, const json_t *taken, long timeout_s,
    json_t **out, struct err *err)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	const int64_t end = clock_monotonic_ms() + timeout_s * 1000;
	char path[64];

	snprintf(path, sizeof(path), "submissions/%lld/requests",
	    (long long)json_integer_value(json_object_get(taken,
	    "submission")));
	for (;;) {
		json_t *page = NULL;

		if (client_get(ctl, path, NULL, &page, err) != 0)
			return -1;
		*out = json_incref(json_object_get(page, "items"));
		json_decref(page);
		if (!waits_for_signer(*out) || clock_monotonic_ms() >= end)
			return 0;
		json_decref(*out);
		nanosleep(&step, NULL);
	}
}

static void
tell(const struct ctl *ctl, json_t *taken, json_t *requests)
{
	const char *why = json_string_value(json_object_get(taken, "why"));

	if (ctl->json) {
		json_object_set(taken, "requests", requests);
		table_print_json(taken);
		return;
	}
	printf("submission %lld in %s: %s%s\n",
	    (long long)json_integer_value(json_object_get(taken,
	    "submission")),
	    json_string_value(json_object_get(taken, "mailbox")),
	    json_string_value(json_object_get(taken, "outcome")),
	    json_is_true(json_object_get(taken, "again")) ?
	    ", as it was before: it is known" : "");
	if (why != NULL && why[0] != '\0') {
		table_put_text(stdout, why, 0);
		putchar('\n');
	}
	if (json_array_size(requests) > 0)
		table_print(ctl, requests, columns,
		    sizeof(columns) / sizeof(columns[0]));
}

int
ctl_mail_submit(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(octets, WIRE_MAX_MESSAGE);
	json_t *taken = NULL, *requests = NULL;
	const char *outcome;
	long timeout_s;
	int r;

	if (ctl->folder != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "a mail is taken by "
		    "csrmaild; without it csrmail cert sign takes requests");
	if (ctl_number(ctl, "timeout", 0, 3600, 30, &timeout_s, err) != 0 ||
	    ctl_read_file(ctl, ctl->args[0], &octets, err) != 0)
		return -1;
	if (octets.len == 0)
		return ctl_fail(ctl, EX_DATAERR, err, "%s is empty",
		    ctl->args[0]);
	if (hand_in(ctl, buf_bytes(&octets), &taken, err) != 0)
		return -1;
	r = find_requests(ctl, taken, timeout_s, &requests, err);
	if (r == 0) {
		tell(ctl, taken, requests);
		outcome = json_string_value(json_object_get(taken,
		    "outcome"));
		if (outcome == NULL || (strcmp(outcome, "processed") != 0 &&
		    strcmp(outcome, "held") != 0))
			ctl->exit_code = EX_DATAERR;
	}
	json_decref(requests);
	json_decref(taken);
	return r;
}
