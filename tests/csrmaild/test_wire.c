#include "csrmaild/wire.h"

#include "csrmaild/hint.h"

#include "common/err.h"
#include "tests/support/fixtures.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct channel *here, *there;

static void
setup(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	here = channel_new(pair[0], "there", WIRE_MAX_SUBMIT, 4u << 20);
	there = channel_new(pair[1], "here", WIRE_MAX_SUBMIT, 4u << 20);
}

static void
teardown(void)
{
	channel_free(here);
	channel_free(there);
}

static void
receive(struct frame *frame)
{
	struct err err = { 0 };

	ck_assert_msg(channel_await(there, 1000, frame, &err) == 0, "%s",
	    err.text);
}

/* A mail with one good and one bad request, every field filled. */
static void
fill_findings(struct findings *f)
{
	struct err err;

	f->id = 7;
	f->status = FINDINGS_OK;
	f->private_key = true;
	f->has_burnt = true;
	memset(f->burnt_spki_sha256, 0xab, 32);
	f->n_candidates = 2;
	f->candidates[0].good = true;
	f->candidates[0].forwarded = true;
	f->candidates[0].der = bytes_of("der");
	memset(f->candidates[0].digest, 1, 32);
	f->candidates[0].key = (struct key_facts){ .kind = KEY_P256,
		.bits = 256 };
	ck_assert_int_eq(names_add_san(&f->candidates[0].names, SAN_DNS,
	    bytes_of("www.example.org"), &err), 0);
	strcpy(f->candidates[0].ignored, "1.2.3");
	strcpy(f->candidates[1].text, "broken");
	f->n_parts = 1;
	strcpy(f->parts[0], "text/plain");
	f->hints = HINT_BIT(HINT_TNEF);
	f->n_wishes = 3;
	f->wishes[0] = (struct wish){ .kind = WISH_REVOKE,
		.serial = { { 9, 8 }, 2 }, .reason = CRL_REMOVE_FROM_CRL };
	f->wishes[1] = (struct wish){ .kind = WISH_STATUS, .request = 12 };
	f->wishes[2] = (struct wish){ .kind = WISH_CONFIRM };
}

START_TEST(a_submission_comes_through_whole)
{
	struct wire_submit m = { .id = 3, .mailbox = "users",
		.uid_validity = 4, .uid = 5, .octets = 6,
		.channel = CHANNEL_FILE, .file = "www.p10", .owner = 1000,
		.delivery = 11,
		.envelope = { .from = "a@b", .evidence = EVIDENCE_DKIM,
		.message_id = "x@y", .references = "<q@r>",
		.subject = "hello", .date = -1, .detail = "server",
		.language = "de", .has_token = true, .token = { 7 } },
		.is_signed = true, .signature = { .good = true,
		.der = bytes_of("certificate"), .for_mail = true,
		.anchored = true,
		.n_addresses = 1, .addresses = { "a@b" }, .signed_at = 9 } };
	struct wire_submit got;
	struct frame frame;
	struct err err;

	m.findings = calloc(1, sizeof(*m.findings));
	fill_findings(m.findings);
	ck_assert_int_eq(wire_send_submit(here, &m, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_submit(&frame, &got, &err), 0);
	ck_assert_uint_eq(got.id, 3);
	ck_assert_str_eq(got.mailbox, "users");
	ck_assert_uint_eq(got.uid, 5);
	ck_assert_str_eq(got.envelope.from, "a@b");
	ck_assert_uint_eq(got.envelope.evidence, EVIDENCE_DKIM);
	ck_assert_int_eq(got.envelope.date, -1);
	ck_assert_int_eq(got.channel, CHANNEL_FILE);
	ck_assert_str_eq(got.file, "www.p10");
	ck_assert_uint_eq(got.owner, 1000);
	ck_assert_uint_eq(got.delivery, 11);
	ck_assert_str_eq(got.envelope.detail, "server");
	ck_assert_str_eq(got.envelope.language, "de");
	ck_assert(got.envelope.has_token);
	ck_assert_uint_eq(got.envelope.token[0], 7);
	ck_assert(got.is_signed && got.signature.good);
	ck_assert(got.signature.for_mail && got.signature.anchored);
	ck_assert(bytes_equal(got.signature.der, bytes_of("certificate")));
	ck_assert_uint_eq(got.signature.n_addresses, 1);
	ck_assert_str_eq(got.signature.addresses[0], "a@b");
	ck_assert_int_eq(got.signature.signed_at, 9);
	ck_assert_uint_eq(got.findings->n_candidates, 2);
	ck_assert(got.findings->candidates[0].good);
	ck_assert(got.findings->candidates[0].forwarded);
	ck_assert_str_eq(got.findings->candidates[0].names.sans[0].text,
	    "www.example.org");
	ck_assert(bytes_equal(got.findings->candidates[0].der,
	    bytes_of("der")));
	ck_assert_str_eq(got.findings->candidates[1].text, "broken");
	ck_assert_uint_eq(got.findings->hints, HINT_BIT(HINT_TNEF));
	ck_assert_str_eq(got.findings->parts[0], "text/plain");
	ck_assert_uint_eq(got.findings->n_wishes, 3);
	ck_assert_int_eq(got.findings->wishes[0].kind, WISH_REVOKE);
	ck_assert_uint_eq(got.findings->wishes[0].serial.octets[1], 8);
	ck_assert_int_eq(got.findings->wishes[0].reason, CRL_REMOVE_FROM_CRL);
	ck_assert_int_eq(got.findings->wishes[1].kind, WISH_STATUS);
	ck_assert_int_eq(got.findings->wishes[2].kind, WISH_CONFIRM);
	ck_assert_uint_eq(got.findings->wishes[1].request, 12);
	wire_submit_free_contents(&m);
	wire_submit_free_contents(&got);
}
END_TEST

/* One row per promise about a modulus that crosses. */
static const struct {
	const char	*name;
	enum key_kind	 kind;
	uint16_t	 bits;
	size_t		 len;
	uint8_t		 first, last;
	bool		 want;
} moduli[] = {
	{ "2048 bits",		KEY_RSA, 2048, 256, 0x80, 1, true },
	{ "2049 bits",		KEY_RSA, 2049, 257, 0x01, 1, true },
	{ "8192 bits",		KEY_RSA, 8192, 1024, 0x80, 1, true },
	{ "2047 bits",		KEY_RSA, 2047, 256, 0x7f, 1, false },
	{ "none",		KEY_RSA, 2048, 0, 0, 0, false },
	{ "even",		KEY_RSA, 2048, 256, 0x80, 0, false },
	{ "a zero in front",	KEY_RSA, 2048, 257, 0x00, 1, false },
	{ "other bits than said", KEY_RSA, 2056, 256, 0x80, 1, false },
	{ "8193 bits",		KEY_RSA, 8193, 1025, 0x01, 1, false },
	{ "one of P-256",	KEY_P256, 256, 256, 0x80, 1, false },
	{ "none of P-256",	KEY_P256, 256, 0, 0, 0, true },
};

START_TEST(a_modulus_has_its_size_and_is_odd)
{
	struct findings *f = calloc(1, sizeof(*f));
	OWNED_STRUCT(findings) *got = NULL;
	OWNED_BUF(whole, WIRE_MAX_FINDINGS);
	uint8_t octets[1025] = { moduli[_i].first };
	struct candidate *m = &f->candidates[0];
	struct cursor c;

	if (moduli[_i].len > 0)
		octets[moduli[_i].len - 1] |= moduli[_i].last;
	fill_findings(f);
	m->key.kind = moduli[_i].kind;
	m->key.bits = moduli[_i].bits;
	m->modulus = (struct bytes){ octets, moduli[_i].len };
	m->has_challenge = true;
	m->challenge[31] = 9;
	put_findings(&whole, f);
	c = CURSOR(buf_bytes(&whole));
	get_findings(&c, &got);
	ck_assert_msg(cursor_end(&c) == moduli[_i].want, "%s",
	    moduli[_i].name);
	if (moduli[_i].want) {
		ck_assert(bytes_equal(got->candidates[0].modulus,
		    m->modulus));
		ck_assert(got->candidates[0].has_challenge);
		ck_assert_uint_eq(got->candidates[0].challenge[31], 9);
	}
	findings_free(f);
}
END_TEST

/* Cut at any place, or with an octet too many, it is refused and frees all. */
START_TEST(a_cut_submission_ends_the_peer)
{
	struct findings *f = calloc(1, sizeof(*f));
	OWNED_BUF(whole, WIRE_MAX_FINDINGS);

	fill_findings(f);
	put_findings(&whole, f);
	for (size_t n = 0; n <= whole.len + 1; n++) {
		OWNED_STRUCT(findings) *got = NULL;
		OWNED_BUF(cut, WIRE_MAX_FINDINGS + 1);
		struct cursor c;

		buf_append(&cut, whole.data, n > whole.len ? whole.len : n);
		if (n > whole.len)
			put_u8(&cut, 0);
		c = CURSOR(buf_bytes(&cut));
		get_findings(&c, &got);
		ck_assert_msg(cursor_end(&c) == (n == whole.len), "%zu", n);
	}
	findings_free(f);
}
END_TEST

START_TEST(mutated_findings_never_pass_a_limit)
{
	struct findings *f = calloc(1, sizeof(*f));
	OWNED_BUF(whole, WIRE_MAX_FINDINGS);

	fill_findings(f);
	put_findings(&whole, f);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		OWNED_STRUCT(findings) *got = NULL;
		size_t at = (size_t)rand() % whole.len;
		uint8_t old = whole.data[at];
		struct cursor c;

		whole.data[at] = (uint8_t)rand();
		c = CURSOR(buf_bytes(&whole));
		get_findings(&c, &got);
		if (cursor_end(&c)) {
			ck_assert_uint_le(got->n_candidates,
			    WIRE_MAX_CANDIDATES);
			ck_assert_uint_le(got->n_parts, WIRE_MAX_PARTS);
			ck_assert_uint_le(got->n_wishes, WIRE_MAX_WISHES);
		}
		whole.data[at] = old;
	}
	findings_free(f);
}
END_TEST

/* An order without a request could not be carried out, ever. */
START_TEST(a_good_request_has_octets)
{
	OWNED_STRUCT(findings) *f = calloc(1, sizeof(*f)), *got = NULL;
	OWNED_BUF(whole, WIRE_MAX_FINDINGS);
	struct cursor c;

	fill_findings(f);
	f->candidates[0].der = (struct bytes){ NULL, 0 };
	put_findings(&whole, f);
	c = CURSOR(buf_bytes(&whole));
	get_findings(&c, &got);
	ck_assert_ptr_null(got);
	ck_assert(c.failed);
}
END_TEST

static const struct {
	const char	*name;
	size_t		 n;
	struct wish	 wish;		/* the last of them */
	bool		 want;
} wishes[] = {
	{ "none", 0, { 0 }, true },
	{ "as many as there may be", WIRE_MAX_WISHES, { .kind = WISH_REVOKE },
	  true },
	{ "of no kind", 1, { .kind = 0 }, false },
	{ "of another kind", 1, { .kind = WISH_CONFIRM + 1 }, false },
	{ "the last reason", 1, { .kind = WISH_REVOKE,
	  .reason = CRL_AA_COMPROMISE }, true },
	{ "a reason that is not used", 1, { .kind = WISH_REVOKE,
	  .reason = 7 }, false },
	{ "above the last reason", 1, { .kind = WISH_REVOKE, .reason = 11 },
	  false },
	{ "a zero in front", 1, { .kind = WISH_REVOKE,
	  .serial = { { 0, 1 }, 2 } }, false },
	{ "a number that the store has not", 1, { .kind = WISH_STATUS,
	  .request = UINT64_MAX }, false },
};

START_TEST(wishes_are_checked)
{
	OWNED_STRUCT(findings) *f = calloc(1, sizeof(*f)), *got = NULL;
	OWNED_BUF(whole, WIRE_MAX_FINDINGS);
	struct cursor c;

	f->status = FINDINGS_OK;
	for (size_t i = 0; i < wishes[_i].n; i++)
		f->wishes[f->n_wishes++] = (struct wish){
			.kind = WISH_STATUS, .request = i };
	if (f->n_wishes > 0)
		f->wishes[f->n_wishes - 1] = wishes[_i].wish;
	put_findings(&whole, f);
	c = CURSOR(buf_bytes(&whole));
	get_findings(&c, &got);
	ck_assert_msg(cursor_end(&c) == wishes[_i].want, "%s",
	    wishes[_i].name);
}
END_TEST

START_TEST(what_is_said_of_dkim_comes_through)
{
	OWNED_STRUCT(findings) *f = calloc(1, sizeof(*f)), *got = NULL;
	OWNED_BUF(whole, WIRE_MAX_FINDINGS);
	struct cursor c;

	f->status = FINDINGS_OK;
	ck_assert(findings_answer(f, EXAMINE_MAIL));
	ck_assert(!findings_answer(f, EXAMINE_DKIM));
	f->is_dkim = true;
	f->dkim = (struct dkim_result){ .good = true, .nth = 3,
	    .text = "why" };
	put_findings(&whole, f);
	c = CURSOR(buf_bytes(&whole));
	get_findings(&c, &got);
	ck_assert(cursor_end(&c));
	ck_assert(got->is_dkim && got->dkim.good);
	ck_assert_uint_eq(got->dkim.nth, 3);
	ck_assert_str_eq(got->dkim.text, "why");
	ck_assert(findings_answer(got, EXAMINE_DKIM));
	ck_assert(!findings_answer(got, EXAMINE_MAIL));
	ck_assert(!findings_answer(got, EXAMINE_SIGNED));
	got->status = FINDINGS_UNREADABLE;
	ck_assert(findings_answer(got, EXAMINE_MAIL));
}
END_TEST

START_TEST(a_frame_of_another_type_is_refused)
{
	struct wire_outcome outcome = { 1, OUTCOME_HELD };
	struct wire_sent sent;
	struct frame frame;
	struct err err;

	ck_assert_int_eq(wire_send_outcome(here, &outcome, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_sent(&frame, &sent, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FAULT);
	ck_assert_int_eq(wire_get_outcome(&frame, &outcome, &err), 0);
	ck_assert_int_eq(outcome.outcome, OUTCOME_HELD);
}
END_TEST

START_TEST(a_delivery_comes_with_its_octets)
{
	struct wire_deliver m = { .id = 9, .file = "a.eml" }, got;
	struct frame frame;
	struct err err;

	ck_assert_int_eq(wire_send_deliver(here, &m,
	    memfd_create("x", MFD_CLOEXEC), &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_deliver(&frame, &got, &err), 0);
	ck_assert_uint_eq(got.id, 9);
	ck_assert_str_eq(got.file, "a.eml");
	close(frame.fd);
	/* Without them, or without a number, it is none. */
	ck_assert_int_eq(wire_send_deliver(here, &m, -1, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_deliver(&frame, &got, &err), -1);
	m.id = 0;
	ck_assert_int_eq(wire_send_deliver(here, &m,
	    memfd_create("x", MFD_CLOEXEC), &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_deliver(&frame, &got, &err), -1);
	close(frame.fd);
}
END_TEST

START_TEST(crl_entries_keep_their_fields_and_refuse_bad_ones)
{
	struct crl_entry in = { .serial = { { 0x7f, 1 }, 2 },
		.revoked_at = NOON, .reason = CRL_KEY_COMPROMISE,
		.invalidity = NOON - DAY };
	struct crl_entry *out = calloc(WIRE_MAX_CRL_ENTRIES, sizeof(*out));
	struct frame frame;
	struct err err;
	size_t n;

	ck_assert_int_eq(wire_send_crl_entries(here, &in, 1, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_crl_entries(&frame, out, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(serial_equal(&out[0].serial, &in.serial));
	ck_assert_int_eq(out[0].reason, CRL_KEY_COMPROMISE);
	ck_assert_int_eq(out[0].invalidity, NOON - DAY);
	in.reason = (enum crl_reason)7;		/* not used (5.3.1) */
	ck_assert_int_eq(wire_send_crl_entries(here, &in, 1, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_crl_entries(&frame, out, &n, &err), -1);
	free(out);
}
END_TEST

START_TEST(a_blocked_key_comes_through_and_has_all_its_octets)
{
	struct wire_blocked m = { .at = NOON }, got;
	struct frame frame;
	struct err err;

	memset(m.spki_sha256, 0x5a, 32);
	ck_assert_int_eq(wire_send_blocked(here, &m, &err), 0);
	receive(&frame);
	ck_assert_uint_eq(frame.type, 49);
	ck_assert_int_eq(wire_get_blocked(&frame, &got, &err), 0);
	ck_assert_mem_eq(got.spki_sha256, m.spki_sha256, 32);
	ck_assert_int_eq(got.at, NOON);
	frame.payload.len--;
	ck_assert_int_eq(wire_get_blocked(&frame, &got, &err), -1);
	frame.payload.len += 2;
	ck_assert_int_eq(wire_get_blocked(&frame, &got, &err), -1);
}
END_TEST

START_TEST(how_a_mailbox_does_comes_through)
{
	struct wire_mailbox m = { .mailbox = "users", .text = "NO",
	    .trouble = "1 not filed", .since = 7, .next_attempt = 9 }, got = { 0 };
	struct frame frame;
	struct err err;

	ck_assert_int_eq(wire_send_mailbox(here, &m, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_mailbox(&frame, &got, &err), 0);
	ck_assert_str_eq(got.text, "NO");
	ck_assert_str_eq(got.trouble, "1 not filed");
	ck_assert_int_eq(got.since, 7);
	ck_assert_int_eq(got.next_attempt, 9);
}
END_TEST

/* The longest, and neither a token nor a reason: that ends the peer. */
START_TEST(a_token_comes_through_or_a_reason)
{
	static struct wire_token m, got;
	struct frame frame;
	struct err err;

	m.id = 7;
	m.token.expires_at = 9;
	memset(m.token.text, 't', TOKEN_MAX);
	ck_assert_int_eq(wire_send_token(here, &m, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_token(&frame, &got, &err), 0);
	ck_assert_uint_eq(got.id, 7);
	ck_assert_int_eq(got.token.expires_at, 9);
	ck_assert_uint_eq(strlen(got.token.text), TOKEN_MAX);
	m.token.text[0] = '\0';
	ck_assert_int_eq(wire_send_token(here, &m, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_token(&frame, &got, &err), -1);
	strcpy(m.text, "why not");
	ck_assert_int_eq(wire_send_token(here, &m, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_token(&frame, &got, &err), 0);
	ck_assert_str_eq(got.text, "why not");
}
END_TEST

START_TEST(an_opened_token_file_is_a_descriptor_or_a_reason)
{
	struct frame frame;
	struct err err;
	char text[256];

	ck_assert_int_eq(wire_send_token_opened(here, dup(0), "", &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_token_opened(&frame, text, &err), 0);
	ck_assert_int_ge(frame.fd, 0);
	close(frame.fd);
	ck_assert_int_eq(wire_send_token_opened(here, -1, "no", &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_token_opened(&frame, text, &err), 0);
	ck_assert_str_eq(text, "no");
	ck_assert_int_eq(wire_send_token_opened(here, -1, "", &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_token_opened(&frame, text, &err), -1);
}
END_TEST

START_TEST(a_crl_is_opened_with_its_descriptor_or_not_at_all)
{
	struct wire_crl_open m = { .ca = "example.org/users",
		.terms = { .number = 9, .this_update = NOON,
		.next_update = NOON + DAY } }, got;
	struct frame frame;
	struct err err;

	ck_assert_int_eq(wire_send_crl_open(here, &m, dup(0), &err), 0);
	receive(&frame);
	ck_assert_int_ge(frame.fd, 0);
	ck_assert_int_eq(wire_get_crl_open(&frame, &got, &err), 0);
	ck_assert_uint_eq(got.terms.number, 9);
	close(frame.fd);
	ck_assert_int_eq(wire_send_crl_open(here, &m, -1, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_crl_open(&frame, &got, &err), -1);
}
END_TEST

START_TEST(what_the_sealer_is_asked_and_says_comes_through)
{
	struct wire_seal ask = { .id = 7, .mailbox = "users",
		.message = bytes_of("mail") }, asked;
	struct wire_sealed done = { .id = 7, .message = bytes_of("signed") },
	    not_done = { .id = 8, .text = "why" }, got;
	struct wire_seals state = { .mailbox = "users", .able = true,
		.text = "soon" }, heard;
	struct frame frame;
	struct err err;

	ck_assert_int_eq(wire_send_seal(here, &ask, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_seal(&frame, &asked, &err), 0);
	ck_assert_uint_eq(asked.id, 7);
	ck_assert_str_eq(asked.mailbox, "users");
	ck_assert(bytes_equal(asked.message, bytes_of("mail")));
	ck_assert_int_eq(wire_send_sealed(here, &done, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_sealed(&frame, &got, &err), 0);
	ck_assert(bytes_equal(got.message, bytes_of("signed")));
	ck_assert_str_eq(got.text, "");
	ck_assert_int_eq(wire_send_sealed(here, &not_done, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_sealed(&frame, &got, &err), 0);
	ck_assert_uint_eq(got.id, 8);
	ck_assert_uint_eq(got.message.len, 0);
	ck_assert_str_eq(got.text, "why");
	ck_assert_int_eq(wire_send_seals(here, &state, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_seals(&frame, &heard, &err), 0);
	ck_assert_str_eq(heard.mailbox, "users");
	ck_assert(heard.able);
	ck_assert_str_eq(heard.text, "soon");
}
END_TEST

/* A mail that is neither signed nor refused would be forgotten, and of one that
 * is both nobody knows what to do. */
START_TEST(a_mail_is_either_signed_or_not)
{
	struct wire_sealed neither = { .id = 7 }, both = { .id = 7,
		.message = bytes_of("signed"), .text = "why" }, got;
	struct frame frame;
	struct err err;

	ck_assert_int_eq(wire_send_sealed(here, &neither, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_sealed(&frame, &got, &err), -1);
	ck_assert_int_eq(wire_send_sealed(here, &both, &err), 0);
	receive(&frame);
	ck_assert_int_eq(wire_get_sealed(&frame, &got, &err), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("wire");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_submission_comes_through_whole);
	tcase_add_loop_test(tc, a_modulus_has_its_size_and_is_odd, 0,
	    ROWS(moduli));
	tcase_add_test(tc, a_cut_submission_ends_the_peer);
	tcase_add_test(tc, mutated_findings_never_pass_a_limit);
	tcase_add_test(tc, what_is_said_of_dkim_comes_through);
	tcase_add_test(tc, a_good_request_has_octets);
	tcase_add_test(tc, a_frame_of_another_type_is_refused);
	tcase_add_test(tc, a_delivery_comes_with_its_octets);
	tcase_add_test(tc, crl_entries_keep_their_fields_and_refuse_bad_ones);
	tcase_add_test(tc, a_blocked_key_comes_through_and_has_all_its_octets);
	tcase_add_test(tc, how_a_mailbox_does_comes_through);
	tcase_add_test(tc, a_token_comes_through_or_a_reason);
	tcase_add_test(tc, an_opened_token_file_is_a_descriptor_or_a_reason);
	tcase_add_test(tc, a_crl_is_opened_with_its_descriptor_or_not_at_all);
	tcase_add_test(tc,
	    what_the_sealer_is_asked_and_says_comes_through);
	tcase_add_test(tc, a_mail_is_either_signed_or_not);
	tcase_add_loop_test(tc, wishes_are_checked, 0, ROWS(wishes));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
