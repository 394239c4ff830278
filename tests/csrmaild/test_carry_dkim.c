#include "csrmaild/carry_private.h"

#include "csrmaild/settings.h"

#include "common/err.h"
#include "tests/support/dns_stand.h"
#include "tests/support/fixtures.h"

#include <sys/socket.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE		60000
#define SIG		"DKIM-Signature: v=1; a=rsa-sha256; d=example.test; " \
	"s=s1; h=From; bh=x; b=x\r\n"
#define FORGED		"Authentication-Results: mx.example.test; dkim=pass " \
	"header.d=example.test; auth=pass smtp.auth=user@example.test\r\n"
#define MAIL		"From: user@example.test\r\n\r\nHello\r\n"

static char title[] = "users", address[] = "ca@example.test",
    authserv_id[] = "mx.example.test", resolver[64];
static struct mailbox_settings mailbox = {
	.title = title, .address = address, .authserv_id = authserv_id,
	.resolver = resolver, .verify_dkim = true,
	.trusted_received = 1, .max_message_octets = 10000,
	.max_header_octets = 5000, .max_parts = 100, .max_depth = 10,
};

static void
set_up(void)
{
	dns_stand_start();
	snprintf(resolver, sizeof(resolver), "%s", dns_stand.resolver);
}

/* A port at which nobody listens: each question fails at once. */
static void
set_up_without_dns(void)
{
	set_up();
	dns_stand_stop();
}

static struct carrier
new_carrier(struct carry_dkim **dkim)
{
	struct err err = { 0 };

	ck_assert_msg(carry_dkim_new(&mailbox, dkim, &err) == 0, "%s",
	    err.text);
	return (struct carrier){ .mailbox = &mailbox, .dkim = *dkim,
	    .stop_fd = -1, .control_fd = -1,
	    .patience_ms = 600000, .next_id = 1 };
}

/* As carry.c has prepared it. */
static struct arrival
arrival_of(uint32_t uid, const char *mail, const char *from)
{
	struct arrival a = { .uid = uid, .message = bytes_of(mail),
	    .dkim_keys = BUF(WIRE_MAX_DKIM_KEYS) };

	a.submit.channel = CHANNEL_MAIL;
	snprintf(a.submit.envelope.from, sizeof(a.submit.envelope.from),
	    "%s", from);
	return a;
}

static bool
stays(struct carrier *c, uint32_t uid, const char *mail, int64_t now_ms)
{
	struct arrival a = arrival_of(uid, mail, "user@example.test");
	struct err err = { 0 };

	ck_assert_int_eq(carry_dkim_fetch(c, 7, &a, 1, now_ms, &err), 0);
	ck_assert_uint_eq(a.dkim_keys.len, 0);
	return a.stays;
}

START_TEST(a_mail_waits_for_its_key_but_not_for_ever)
{
	OWNED_STRUCT(carry_dkim) *dkim = NULL;
	struct carrier c = new_carrier(&dkim);

	ck_assert_int_eq(carry_dkim_retry_ms(dkim), INT64_MAX);
	ck_assert(stays(&c, 1, SIG MAIL, 0));
	ck_assert_int_lt(carry_dkim_retry_ms(dkim), INT64_MAX);
	/* Somebody took it away: nothing is to be tried again. */
	carry_dkim_begin(dkim);
	ck_assert_int_eq(carry_dkim_retry_ms(dkim), INT64_MAX);
	for (int64_t minute = 1; minute < 15; minute++)
		ck_assert(stays(&c, 1, SIG MAIL, minute * MINUTE));
	ck_assert(stays(&c, 2, SIG MAIL, 14 * MINUTE));
	ck_assert(!stays(&c, 1, SIG MAIL, 15 * MINUTE));
	ck_assert(stays(&c, 2, SIG MAIL, 15 * MINUTE));
}
END_TEST

START_TEST(who_has_nothing_to_wait_for_does_not)
{
	OWNED_STRUCT(carry_dkim) *dkim = NULL;
	struct carrier c = new_carrier(&dkim);
	struct arrival rows[] = {
		arrival_of(1, MAIL, "user@example.test"),
		arrival_of(2, SIG MAIL, "user@evil.test"),
		arrival_of(3, SIG MAIL, ""),
		arrival_of(4, SIG MAIL, "user@example.test"),
		arrival_of(5, SIG MAIL, "user@example.test"),
		arrival_of(6, SIG MAIL, "user@example.test"),
	};
	struct err err = { 0 };

	rows[3].too_large = true;
	rows[4].submit.channel = CHANNEL_CLI;
	ck_assert_int_eq(carry_dkim_fetch(&c, 7, rows, 6, 0, &err), 0);
	for (size_t i = 0; i < 5; i++)
		ck_assert_msg(!rows[i].stays, "%zu", i);
	ck_assert(rows[5].stays);
}
END_TEST

START_TEST(not_everybody_can_wait)
{
	OWNED_STRUCT(carry_dkim) *dkim = NULL;
	struct carrier c = new_carrier(&dkim);
	uint32_t uid;

	for (uid = 1; uid <= CARRY_DKIM_MAX_WAITING; uid++)
		ck_assert(stays(&c, uid, SIG MAIL, 0));
	ck_assert(!stays(&c, uid, SIG MAIL, 0));
	ck_assert(stays(&c, 1, SIG MAIL, 0));
	/* One that never came back holds no place for ever. */
	ck_assert(!stays(&c, uid, SIG MAIL, 29 * MINUTE));
	ck_assert(stays(&c, uid, SIG MAIL, 30 * MINUTE));
}
END_TEST

START_TEST(one_key_is_enough_to_go_on)
{
	OWNED_STRUCT(carry_dkim) *dkim = NULL;
	struct carrier c = new_carrier(&dkim);
	struct arrival a = arrival_of(1, "DKIM-Signature: d=example.test; "
	    "s=s0\r\n" SIG MAIL, "user@example.test");
	struct cursor keys;
	struct err err = { 0 };

	dns_stand_set("s0._domainkey.example.test servfail\n"
	    "s1._domainkey.example.test txt p=x\n");
	ck_assert_int_eq(carry_dkim_fetch(&c, 7, &a, 1, 0, &err), 0);
	ck_assert(!a.stays);
	keys = CURSOR(buf_bytes(&a.dkim_keys));
	ck_assert_uint_eq(get_u8(&keys), 1);
	ck_assert(bytes_equal(get_bytes(&keys, 100), bytes_of("p=x")));
	ck_assert(cursor_end(&keys));
	buf_free(&a.dkim_keys);
}
END_TEST

START_TEST(without_verify_there_is_nothing)
{
	struct mailbox_settings plain = mailbox;
	struct carry_dkim *dkim = NULL;
	struct err err = { 0 };

	plain.verify_dkim = false;
	ck_assert_int_eq(carry_dkim_new(&plain, &dkim, &err), 0);
	ck_assert_ptr_null(dkim);
	ck_assert_int_eq(carry_dkim_retry_ms(dkim), INT64_MAX);
}
END_TEST

/* --- with peers --------------------------------------------------------------- */
static struct channel *parser_end, *registrar_end;

/* What the fork for DKIM does. */
enum fork { GOOD, BAD, DEAD };

static const struct {
	const char	*name, *mail, *zone;
	enum fork	 does;
	size_t		 n_kinds;	/* questions to the parser */
	uint8_t		 evidence;
	bool		 left;
} ways[] = {
	{ "good", SIG MAIL, "* txt p=x\n", GOOD, 2, EVIDENCE_DKIM, false },
	{ "bad", SIG MAIL, "* txt p=x\n", BAD, 2, 0, false },
	{ "a fork that dies is no verdict on the mail", SIG MAIL,
	  "* txt p=x\n", DEAD, 2, 0, false },
	{ "no key", SIG MAIL, "", GOOD, 1, 0, false },
	{ "a server that fails", SIG MAIL, "* servfail\n", GOOD, 0, 0, true },
	{ "no signature", MAIL, "* txt p=x\n", GOOD, 1, 0, false },
	{ "what the mail server says of DKIM is not looked at", FORGED MAIL,
	  "* txt p=x\n", GOOD, 1, EVIDENCE_AUTH, false },
	{ "a bad one, and a mail server that believes it", FORGED SIG MAIL,
	  "* txt p=x\n", BAD, 2, EVIDENCE_AUTH, false },
	{ "two From fields", SIG "From: a@example.test\r\n" MAIL,
	  "* txt p=x\n", GOOD, 1, 0, false },
};
static size_t way, n_kinds;
static enum examine_kind kinds[4];
static uint8_t evidence;
static size_t n_submits;

static void *
run_parser(void *arg)
{
	struct frame frame;
	struct err err;

	(void)arg;
	while (channel_await(parser_end, -1, &frame, &err) == 0) {
		OWNED_BUF(payload, WIRE_MAX_FINDINGS);
		OWNED_HEAP(struct findings) *f = calloc(1, sizeof(*f));
		struct wire_examine m;

		ck_assert_int_eq(wire_get_examine(&frame, &m, &err), 0);
		kinds[n_kinds++] = m.kind;
		ck_assert_int_eq(m.dkim_keys.len > 0, m.kind == EXAMINE_DKIM);
		f->id = m.id;
		f->status = FINDINGS_OK;
		if (m.kind == EXAMINE_DKIM && ways[way].does == DEAD)
			f->status = FINDINGS_UNREADABLE;
		else if (m.kind == EXAMINE_DKIM) {
			f->is_dkim = true;
			f->dkim.good = ways[way].does == GOOD;
		}
		put_findings(&payload, f);
		channel_send(parser_end, WIRE_FINDINGS, buf_bytes(&payload),
		    -1, &err);
	}
	return NULL;
}

static void *
run_registrar(void *arg)
{
	struct frame frame;
	struct err err;

	(void)arg;
	while (channel_await(registrar_end, -1, &frame, &err) == 0) {
		struct wire_outcome outcome = { .outcome = OUTCOME_HELD };
		struct wire_submit s;

		ck_assert_int_eq(wire_get_submit(&frame, &s, &err), 0);
		ck_assert(!s.findings->is_dkim);
		ck_assert_int_eq(s.findings->status, FINDINGS_OK);
		evidence = s.envelope.evidence;
		n_submits++;
		outcome.id = s.id;
		wire_submit_free_contents(&s);
		wire_send_outcome(registrar_end, &outcome, &err);
	}
	return NULL;
}

static struct channel *
connect_peer(struct channel **theirs, const char *name)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, ends), 0);
	*theirs = channel_new(ends[1], "intake", WIRE_MAX_EXAMINE,
	    WIRE_MAX_SUBMIT);
	return channel_new(ends[0], name, WIRE_MAX_FINDINGS,
	    CARRY_REGISTRAR_QUEUE_OCTETS);
}

START_TEST(what_the_fork_says_becomes_evidence)
{
	OWNED_STRUCT(carry_dkim) *dkim = NULL;
	struct carrier c = new_carrier(&dkim);
	struct arrival a = { .uid = 1, .message = bytes_of(ways[_i].mail) };
	pthread_t threads[2];
	struct err err = { 0 };

	way = (size_t)_i;
	n_kinds = n_submits = evidence = 0;
	dns_stand_set(ways[_i].zone);
	c.parser = connect_peer(&parser_end, "parser");
	c.registrar = connect_peer(&registrar_end, "registrar");
	pthread_create(&threads[0], NULL, run_parser, NULL);
	pthread_create(&threads[1], NULL, run_registrar, NULL);
	ck_assert_msg(carry(&c, 7, &a, 1, &err) == 0, "%s", err.text);
	channel_free(c.parser);
	channel_free(c.registrar);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	channel_free(parser_end);
	channel_free(registrar_end);

	ck_assert_uint_eq(n_kinds, ways[_i].n_kinds);
	ck_assert_uint_eq(n_submits, ways[_i].left ? 0 : 1);
	ck_assert_int_eq(a.outcome, ways[_i].left ? 0 : OUTCOME_HELD);
	ck_assert_msg(evidence == ways[_i].evidence, "%s: %u",
	    ways[_i].name, evidence);
	if (n_kinds == 2)
		ck_assert_int_eq(kinds[0], EXAMINE_DKIM);
	if (n_kinds > 0)
		ck_assert_int_eq(kinds[n_kinds - 1], EXAMINE_MAIL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("carry_dkim");
	TCase *without = tcase_create("without a name server");
	TCase *with = tcase_create("with a name server");

	tcase_set_timeout(without, 60);
	tcase_add_checked_fixture(without, set_up_without_dns, NULL);
	tcase_add_test(without, a_mail_waits_for_its_key_but_not_for_ever);
	tcase_add_test(without, who_has_nothing_to_wait_for_does_not);
	tcase_add_test(without, not_everybody_can_wait);
	tcase_add_test(without, without_verify_there_is_nothing);
	tcase_set_timeout(with, 60);
	tcase_add_checked_fixture(with, set_up, dns_stand_stop);
	tcase_add_test(with, one_key_is_enough_to_go_on);
	tcase_add_loop_test(with, what_the_fork_says_becomes_evidence, 0,
	    ROWS(ways));
	suite_add_tcase(s, without);
	suite_add_tcase(s, with);
	return fixture_run(s);
}
