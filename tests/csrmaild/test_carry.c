#include "csrmaild/carry.h"

#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_MAILS		3

/*
 * The peers, as threads. What they do wrong is said by a test; what they saw
 * is read after they ended.
 */
enum conduct {
	WORKS,
	SILENT,
	ENDS,			/* closes after its first frame */
	BROKEN,			/* sends a frame that is none */
	ANSWERS_OTHERS,		/* about ids that nobody asked for, first */
	BACKWARDS,		/* the last one first */
	ASKS,			/* says something else first */
};

struct peer {
	pthread_t	 thread;
	struct channel	*channel;
	enum conduct	 conduct;
	size_t		 n;
	uint64_t	 ids[N_MAILS + 1];
	enum examine_kind kinds[N_MAILS + 1];
	struct wire_submit seen[N_MAILS + 1];	/* findings: status and text */
	enum findings_status status[N_MAILS + 1];
	char		 text[N_MAILS + 1][256];
};

static struct peer parser, registrar;
static struct carrier carrier;
static int stop[2];

static char title[] = "users", address[] = "ca@example.test",
    authserv_id[] = "mx.example.test";
static struct mailbox_settings mailbox = {
	.title = title, .address = address, .authserv_id = authserv_id,
	.max_message_octets = 1000, .max_header_octets = 200,
	.max_parts = 100, .max_depth = 10,
};

static void
send_findings(struct peer *p, uint64_t id)
{
	struct findings *findings = calloc(1, sizeof(*findings));
	OWNED_BUF(payload, WIRE_MAX_FINDINGS);
	struct err err;

	findings->id = id;
	findings->status = FINDINGS_OK;
	put_findings(&payload, findings);
	channel_send(p->channel, WIRE_FINDINGS, buf_bytes(&payload), -1, &err);
	free(findings);
}

static void *
run_parser(void *arg)
{
	struct peer *p = arg;
	struct frame frame;
	struct err err;

	while (channel_await(p->channel, -1, &frame, &err) == 0) {
		struct wire_examine examine;

		ck_assert_int_eq(wire_get_examine(&frame, &examine, &err), 0);
		p->kinds[p->n] = examine.kind;
		p->ids[p->n++] = examine.id;
		switch (p->conduct) {
		case WORKS:
		case ASKS:
			send_findings(p, examine.id);
			break;
		case SILENT:
			break;
		case ENDS:
			shutdown(channel_fd(p->channel), SHUT_RDWR);
			break;
		case BROKEN:
			channel_send(p->channel, WIRE_FINDINGS,
			    bytes_of("junk"), -1, &err);
			break;
		case ANSWERS_OTHERS:
			send_findings(p, examine.id + 1000);
			send_findings(p, examine.id);
			send_findings(p, examine.id);
			break;
		case BACKWARDS:
			while (p->n == N_MAILS && examine.id > 0 &&
			    p->ids[0] <= examine.id)
				send_findings(p, examine.id--);
			break;
		}
	}
	return NULL;
}

static void *
run_registrar(void *arg)
{
	struct peer *p = arg;
	struct frame frame;
	struct err err;

	while (channel_await(p->channel, -1, &frame, &err) == 0) {
		struct wire_outcome outcome = { .outcome = OUTCOME_HELD };
		struct wire_submit *s = &p->seen[p->n];

		ck_assert_int_eq(wire_get_submit(&frame, s, &err), 0);
		p->status[p->n] = s->findings->status;
		memcpy(p->text[p->n], s->findings->text,
		    sizeof(p->text[0]));
		p->n++;
		outcome.id = s->id;
		wire_submit_free_contents(s);
		switch (p->conduct) {
		case SILENT:
			break;
		case ENDS:
			shutdown(channel_fd(p->channel), SHUT_RDWR);
			break;
		case BROKEN:
			channel_send(p->channel, WIRE_OUTCOME,
			    bytes_of("junk"), -1, &err);
			break;
		case ANSWERS_OTHERS:
			outcome.id += 1000;
			wire_send_outcome(p->channel, &outcome, &err);
			outcome.id -= 1000;
			wire_send_outcome(p->channel, &outcome, &err);
			break;
		case ASKS:
			channel_send(p->channel, WIRE_SEND,
			    bytes_of("an answer"), -1, &err);
			/* fall through */
		case WORKS:
		case BACKWARDS:
			wire_send_outcome(p->channel, &outcome, &err);
			break;
		}
	}
	return NULL;
}

static struct channel *
start_peer(struct peer *p, const char *name, enum conduct conduct,
    void *(*run)(void *))
{
	int ends[2];

	memset(p, 0, sizeof(*p));
	p->conduct = conduct;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    ends), 0);
	p->channel = channel_new(ends[1], "intake", WIRE_MAX_MESSAGE,
	    4u << 20);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, run, p), 0);
	return channel_new(ends[0], name, WIRE_MAX_FINDINGS,
	    strcmp(name, "parser") == 0 ? carry_parser_queue_octets(&mailbox) :
	    CARRY_REGISTRAR_QUEUE_OCTETS);
}

static void
start(enum conduct parser_conduct, enum conduct registrar_conduct,
    int patience_ms)
{
	ck_assert_int_eq(pipe2(stop, O_CLOEXEC), 0);
	carrier = (struct carrier){
		.mailbox = &mailbox,
		.parser = start_peer(&parser, "parser", parser_conduct,
		    run_parser),
		.registrar = start_peer(&registrar, "registrar",
		    registrar_conduct, run_registrar),
		.stop_fd = stop[0], .control_fd = -1,
		.patience_ms = patience_ms, .next_id = 1,
	};
}

static void
finish(void)
{
	channel_free(carrier.parser);
	channel_free(carrier.registrar);
	pthread_join(parser.thread, NULL);
	pthread_join(registrar.thread, NULL);
	channel_free(parser.channel);
	channel_free(registrar.channel);
	close(stop[0]);
	close(stop[1]);
}

#define MAIL	"Authentication-Results: mx.example.test; auth=pass" \
		" smtp.auth=user@example.test\r\nFrom: user@example.test\r\n" \
		"Message-ID: <a@b>\r\n\r\nbody\r\n"

static void
fill(struct arrival arrivals[N_MAILS])
{
	for (uint32_t i = 0; i < N_MAILS; i++)
		arrivals[i] = (struct arrival){ .uid = 10 + i,
		    .message = bytes_of(MAIL), .octets = strlen(MAIL) };
}

static const struct {
	const char	*name;
	enum conduct	 parser, registrar;
	int		 patience_ms;
	int		 want;
	int		 outcome;	/* of each */
	int		 status;	/* in each submission; 0: not looked at */
} courses[] = {
	{ "all is well", WORKS, WORKS, 10000, 0, OUTCOME_HELD, FINDINGS_OK },
	{ "answers in another order", BACKWARDS, WORKS, 10000, 0,
	  OUTCOME_HELD, FINDINGS_OK },
	{ "answers that nobody waits for", ANSWERS_OTHERS, ANSWERS_OTHERS,
	  10000, 0, OUTCOME_HELD, FINDINGS_OK },
	{ "the parser does not answer", SILENT, WORKS, 50, 0, OUTCOME_HELD,
	  FINDINGS_UNREADABLE },
	{ "the registrar does not answer", WORKS, SILENT, 50, 0, 0,
	  FINDINGS_OK },
	{ "the parser ends", ENDS, WORKS, 10000, -1, 0, 0 },
	{ "the parser breaks the rules", BROKEN, WORKS, 10000, -1, 0, 0 },
	{ "the registrar ends", WORKS, ENDS, 10000, -1, 0, 0 },
	{ "the registrar breaks the rules", WORKS, BROKEN, 10000, -1, 0, 0 },
};

START_TEST(every_message_gets_its_outcome_or_stays)
{
	struct arrival arrivals[N_MAILS];
	struct err err = { 0 };
	int r;

	fill(arrivals);
	start(courses[_i].parser, courses[_i].registrar,
	    courses[_i].patience_ms);
	r = carry(&carrier, 42, arrivals, N_MAILS, &err);
	ck_assert_msg(r == courses[_i].want, "%s: %s", courses[_i].name,
	    err.text);
	if (r < 0)
		ck_assert_int_eq(err.kind, ERR_FAULT);
	for (size_t i = 0; i < N_MAILS; i++)
		ck_assert_msg(arrivals[i].outcome == courses[_i].outcome,
		    "%s: %d", courses[_i].name, arrivals[i].outcome);
	finish();
	for (size_t i = 0; i < registrar.n && courses[_i].status != 0; i++)
		ck_assert_msg((int)registrar.status[i] == courses[_i].status,
		    "%s", courses[_i].name);
	/* The death of the parser as a whole is no verdict on a message. */
	if (courses[_i].parser == ENDS)
		ck_assert_uint_eq(registrar.n, 0);
}
END_TEST

START_TEST(the_registrar_learns_what_the_scanner_found)
{
	struct arrival arrivals[N_MAILS];
	struct err err;

	fill(arrivals);
	start(WORKS, WORKS, 10000);
	ck_assert_int_eq(carry(&carrier, 42, arrivals, N_MAILS, &err), 0);
	finish();
	ck_assert_uint_eq(registrar.n, N_MAILS);
	for (size_t i = 0; i < N_MAILS; i++) {
		const struct wire_submit *s = &registrar.seen[i];

		ck_assert_str_eq(s->mailbox, "users");
		ck_assert_uint_eq(s->uid_validity, 42);
		ck_assert_uint_eq(s->uid, 10 + i);
		ck_assert_uint_eq(s->octets, strlen(MAIL));
		ck_assert_str_eq(s->envelope.from, "user@example.test");
		ck_assert_uint_eq(s->envelope.evidence, EVIDENCE_AUTH);
		ck_assert_str_eq(s->envelope.message_id, "a@b");
	}
}
END_TEST

START_TEST(a_message_too_large_is_refused_unseen_by_the_parser)
{
	struct arrival arrivals[N_MAILS];
	char header[400];
	struct err err;

	fill(arrivals);
	arrivals[1].too_large = true;
	arrivals[1].octets = 20000000;
	/* Of this one's header block only a part was fetched. */
	memset(header, 'x', sizeof(header));
	memcpy(header, "From: user@example.test\r\nX: ", 28);
	arrivals[2].too_large = true;
	arrivals[2].message = (struct bytes){ (uint8_t *)header, 201 };
	start(WORKS, WORKS, 10000);
	ck_assert_int_eq(carry(&carrier, 42, arrivals, N_MAILS, &err), 0);
	finish();
	ck_assert_uint_eq(parser.n, 1);
	ck_assert_uint_eq(registrar.n, N_MAILS);
	for (size_t i = 0; i < N_MAILS; i++) {
		const struct wire_submit *s = &registrar.seen[i];

		ck_assert_int_eq(registrar.status[i], s->uid == 10 ?
		    FINDINGS_OK : FINDINGS_REFUSED);
		ck_assert_str_eq(s->envelope.from, s->uid == 12 ? "" :
		    "user@example.test");
		if (s->uid == 11)
			ck_assert_msg(strstr(registrar.text[i],
			    "20000000") != NULL, "%s", registrar.text[i]);
	}
}
END_TEST

/* Even when it looks like a mail: nothing in it says who sent it. */
START_TEST(a_request_in_a_file_has_no_sender)
{
	struct arrival arrivals[2] = {
		{ .channel = CHANNEL_FILE, .is_csr = true, .file = "a.p10",
		  .owner = 1000, .message = bytes_of(MAIL),
		  .octets = strlen(MAIL), .place = bytes_of("one") },
		{ .channel = CHANNEL_FILE, .is_csr = true, .file = "a.p10",
		  .owner = 1000, .message = bytes_of(MAIL),
		  .octets = strlen(MAIL), .place = bytes_of("two") },
	};
	struct err err;

	start(WORKS, WORKS, 10000);
	ck_assert_int_eq(carry(&carrier, 0, arrivals, 2, &err), 0);
	finish();
	ck_assert_uint_eq(registrar.n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct wire_submit *s = &registrar.seen[i];

		ck_assert_int_eq(parser.kinds[i], EXAMINE_CSR);
		ck_assert_str_eq(s->envelope.from, "");
		ck_assert_uint_eq(s->envelope.evidence, 0);
		ck_assert_int_eq(s->channel, CHANNEL_FILE);
		ck_assert_str_eq(s->file, "a.p10");
		ck_assert_uint_eq(s->owner, 1000);
	}
	ck_assert_int_ne(memcmp(registrar.seen[0].octets_digest,
	    registrar.seen[1].octets_digest, 32), 0);
}
END_TEST

static int
count_other(void *arg, struct frame *frame, struct err *err)
{
	(void)err;
	ck_assert_int_eq(frame->type, WIRE_SEND);
	(*(unsigned int *)arg)++;
	return 0;
}

START_TEST(what_else_the_registrar_says_is_not_lost)
{
	struct arrival arrivals[N_MAILS];
	unsigned int others = 0;
	struct err err;

	fill(arrivals);
	start(WORKS, ASKS, 10000);
	carrier.on_other = count_other;
	carrier.arg = &others;
	ck_assert_int_eq(carry(&carrier, 42, arrivals, N_MAILS, &err), 0);
	for (size_t i = 0; i < N_MAILS; i++)
		ck_assert_int_eq(arrivals[i].outcome, OUTCOME_HELD);
	finish();
	ck_assert_uint_eq(others, N_MAILS);
}
END_TEST

START_TEST(a_stop_leaves_the_rest_for_later)
{
	struct arrival arrivals[N_MAILS];
	struct err err;

	fill(arrivals);
	start(SILENT, WORKS, 10000);
	ck_assert_int_eq(write(stop[1], "x", 1), 1);
	ck_assert_int_eq(carry(&carrier, 42, arrivals, N_MAILS, &err), 0);
	ck_assert_int_eq(arrivals[0].outcome, 0);
	finish();
	ck_assert_uint_eq(registrar.n, 0);
}
END_TEST

/* More octets than the parser's queue holds go in several sendings. */
START_TEST(a_full_queue_waits_for_the_parser)
{
	struct arrival arrivals[N_MAILS];
	static char body[1000];
	struct err err;

	fill(arrivals);
	memset(body, '\n', sizeof(body));
	for (size_t i = 0; i < N_MAILS; i++)
		arrivals[i].message = (struct bytes){ (uint8_t *)body,
		    sizeof(body) };
	start(WORKS, WORKS, 10000);
	ck_assert_int_eq(carry(&carrier, 42, arrivals, N_MAILS, &err), 0);
	finish();
	ck_assert_uint_eq(parser.n, N_MAILS);
	ck_assert_uint_eq(registrar.n, N_MAILS);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("carry");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, every_message_gets_its_outcome_or_stays, 0,
	    ROWS(courses));
	tcase_add_test(tc, the_registrar_learns_what_the_scanner_found);
	tcase_add_test(tc,
	    a_message_too_large_is_refused_unseen_by_the_parser);
	tcase_add_test(tc, a_request_in_a_file_has_no_sender);
	tcase_add_test(tc, what_else_the_registrar_says_is_not_lost);
	tcase_add_test(tc, a_stop_leaves_the_rest_for_later);
	tcase_add_test(tc, a_full_queue_waits_for_the_parser);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
