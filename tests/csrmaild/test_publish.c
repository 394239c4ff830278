#include "csrmaild/publish.h"
#include "common/err.h"
#include "csrmaild/acts.h"
#include "tests/support/crl_stand.h"

#include <openssl/evp.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct crl_stand s;
static struct err err;

#define OK(call)							\
	ck_assert_msg((call) == 0, "%s: %s (%s)", #call, err.text,	\
	    err.detail)
#define YEAR	(365 * DAY)
#define FAR	(NOON + 10 * YEAR)

static void
set_up(void)
{
	crl_stand_open(&s);
}

static void
tear_down(void)
{
	crl_stand_close(&s);
}

static size_t
read_published(const char *file, char *out, size_t size)
{
	int fd = openat(s.r.published_fd, file, O_RDONLY);
	ssize_t n = read(fd, out, size - 1);

	ck_assert_msg(fd >= 0 && n >= 0, "%s", file);
	close(fd);
	out[n] = '\0';
	return (size_t)n;
}

START_TEST(the_first_is_made_at_once_as_der_and_as_pem)
{
	char der[256], pem[512], want[512];
	unsigned char text[256];
	size_t len;

	crl_stand_run(&s, NOON);
	ck_assert_uint_eq(s.n_crls, 1);
	ck_assert_uint_eq(s.crls[0].terms.number, 1);
	ck_assert_int_eq(s.crls[0].terms.this_update, NOON);
	ck_assert_int_eq(s.crls[0].terms.next_update, NOON + 7 * DAY);
	len = read_published("users.crl", der, sizeof(der));
	ck_assert_str_eq(der, "the CRL 1 of 0 entries");
	EVP_EncodeBlock(text, (unsigned char *)der, (int)len);
	snprintf(want, sizeof(want), "-----BEGIN X509 CRL-----\n%s\n"
	    "-----END X509 CRL-----\n", text);
	read_published("users.crl.pem", pem, sizeof(pem));
	ck_assert_str_eq(pem, want);
	ck_assert(!crl_stand_has(&s, "users.delta.crl"));
	ck_assert(!crl_stand_has(&s, "users.crl.new"));
}
END_TEST

START_TEST(one_comes_on_schedule_long_before_the_last_one_ends)
{
	crl_stand_run(&s, NOON);
	crl_stand_run(&s, NOON + DAY - 1);
	ck_assert_uint_eq(s.n_crls, 1);
	crl_stand_run(&s, NOON + DAY);
	ck_assert_uint_eq(s.n_crls, 2);
	ck_assert_uint_eq(s.crls[1].terms.number, 2);
	ck_assert_int_lt(s.crls[1].terms.this_update,
	    s.crls[0].terms.next_update);
}
END_TEST

START_TEST(revocations_close_together_share_one_seconds_later)
{
	for (unsigned int i = 1; i <= 3; i++)
		crl_stand_issue(&s, i, 0, FAR);
	crl_stand_run(&s, NOON);
	crl_stand_revoke(&s, 1, CRL_SUPERSEDED);
	crl_stand_revoke(&s, 2, CRL_UNSPECIFIED);
	crl_stand_run(&s, NOON + 1);
	ck_assert_uint_eq(s.n_crls, 1);
	crl_stand_run(&s, NOON + 2);
	ck_assert_uint_eq(s.n_crls, 2);
	ck_assert_int_eq(crl_stand_reason(&s.crls[1], 1), CRL_SUPERSEDED);
	ck_assert_int_eq(crl_stand_reason(&s.crls[1], 2), CRL_UNSPECIFIED);
	ck_assert_int_eq(crl_stand_reason(&s.crls[1], 3), -1);
	crl_stand_run(&s, NOON + 60);
	ck_assert_uint_eq(s.n_crls, 2);
}
END_TEST

START_TEST(a_clock_that_goes_back_takes_no_date_and_no_number_with_it)
{
	crl_stand_issue(&s, 1, 0, FAR);
	crl_stand_run(&s, NOON);
	s.r.now = NOON - DAY;
	crl_stand_revoke(&s, 1, CRL_SUPERSEDED);
	crl_stand_run(&s, NOON - DAY);
	ck_assert_uint_eq(s.n_crls, 2);
	ck_assert_uint_eq(s.crls[1].terms.number, 2);
	ck_assert_int_eq(s.crls[1].terms.this_update, NOON + 1);
}
END_TEST

/* RFC 5280, 3.3. An entry whose certificate ends at NOON + 36 h; CRLs daily at
 * NOON, and those that revocations make in between do not count. */
START_TEST(an_entry_stays_for_one_regular_crl_after_the_end)
{
	time_t end = NOON + 36 * 3600;
	static const struct {
		const char	*name;
		time_t		 at;
		bool		 listed;
	} rows[] = {
		{ "before the end", NOON + DAY, true },
		{ "made by a revocation, after the end",
		    NOON + 37 * 3600, true },
		{ "another such", NOON + 38 * 3600, true },
		{ "a day after the first beyond the end",
		    NOON + 37 * 3600 + DAY - 2, true },
		{ "that one was a whole interval ago",
		    NOON + 37 * 3600 + DAY, false },
	};

	crl_stand_issue(&s, 1, 0, end);
	crl_stand_revoke(&s, 1, CRL_KEY_COMPROMISE);
	crl_stand_run(&s, NOON);
	for (int i = 0; i < ROWS(rows); i++) {
		struct authority *ca = authority_by_name(&s.r.authorities,
		    "users");

		publish_want_all(ca);
		crl_stand_run(&s, rows[i].at);
		ck_assert_uint_eq(s.n_crls, (size_t)i + 2);
		ck_assert_msg((crl_stand_reason(crl_stand_last(&s), 1) >= 0) ==
		    rows[i].listed, "%s", rows[i].name);
	}
}
END_TEST

/* On schedule alone: it is on the one that follows the end, and no other. */
START_TEST(by_schedule_an_expired_entry_is_on_one_crl)
{
	crl_stand_issue(&s, 1, 0, NOON + DAY);
	crl_stand_issue(&s, 2, 0, NOON + DAY - 1);
	crl_stand_revoke(&s, 1, CRL_SUPERSEDED);
	crl_stand_revoke(&s, 2, CRL_SUPERSEDED);
	for (int day = 0; day <= 3; day++)
		crl_stand_run(&s, NOON + day * DAY);
	ck_assert_uint_eq(s.n_crls, 4);
	/* notAfter is inclusive: serial 1 was valid at the second one. */
	ck_assert_int_ge(crl_stand_reason(&s.crls[1], 1), 0);
	ck_assert_int_ge(crl_stand_reason(&s.crls[1], 2), 0);
	ck_assert_int_ge(crl_stand_reason(&s.crls[2], 1), 0);
	ck_assert_int_eq(crl_stand_reason(&s.crls[2], 2), -1);
	ck_assert_int_eq(crl_stand_reason(&s.crls[3], 1), -1);
}
END_TEST

/* --- long ones ------------------------------------------------------------ */

#define LONG	20000u

static void
revoke_many(unsigned int n, uint16_t shard)
{
	OK(store_begin(s.r.store, &err));
	for (unsigned int i = 1; i <= n; i++) {
		struct cert_row row = { .ca_id = s.users_id,
			.serial = crl_stand_serial(i), .shard = shard,
			.state = CERT_REVOKED, .reason = CRL_CERTIFICATE_HOLD,
			.revoked_at = NOON, .not_before = NOON - DAY,
			.not_after = FAR, .der = bytes_of("x"),
			.profile = "user", .names_text = "" };

		OK(store_add_certificate(s.r.store, &row, &err));
	}
	OK(store_commit(s.r.store, &err));
}

START_TEST(a_signer_that_does_not_keep_up_holds_nobody_up)
{
	revoke_many(3 * LONG, 0);
	s.deaf = true;
	for (int i = 0; i < 50; i++)
		crl_stand_turn(&s, NOON);
	/* More waits than that: some 40 octets an entry, 1000 in a page. */
	ck_assert_uint_ge(channel_queued(s.r.signer), 1u << 20);
	ck_assert_uint_le(channel_queued(s.r.signer), (1u << 20) + 65536);
	ck_assert(!publish_is_busy(&s.r));
	s.deaf = false;
	crl_stand_run(&s, NOON);
	ck_assert_uint_eq(s.n_crls, 1);
	ck_assert_uint_eq(s.crls[0].n, 3 * LONG);
}
END_TEST

START_TEST(what_changes_meanwhile_is_on_the_next_one_only)
{
	struct serial late = crl_stand_serial(LONG);

	revoke_many(LONG, 0);
	crl_stand_issue(&s, LONG + 1, 0, FAR);
	crl_stand_turn(&s, NOON);
	ck_assert_ptr_nonnull(s.r.publication);
	/* The last one, which was not read yet, changes twice. */
	OK(registrar_release(&s.r, s.users_id, &late, "unix:root", NOON,
	    &err));
	crl_stand_revoke(&s, LONG - 1, CRL_KEY_COMPROMISE);
	crl_stand_revoke(&s, LONG + 1, CRL_KEY_COMPROMISE);
	crl_stand_run(&s, NOON);
	ck_assert_uint_eq(s.n_crls, 1);
	ck_assert_uint_eq(s.crls[0].n, LONG);
	ck_assert_int_eq(crl_stand_reason(&s.crls[0], LONG),
	    CRL_CERTIFICATE_HOLD);
	ck_assert_int_eq(crl_stand_reason(&s.crls[0], LONG - 1),
	    CRL_CERTIFICATE_HOLD);
	ck_assert_int_eq(crl_stand_reason(&s.crls[0], LONG + 1), -1);
	crl_stand_run(&s, NOON + 2);
	ck_assert_uint_eq(s.n_crls, 2);
	ck_assert_int_eq(crl_stand_reason(&s.crls[1], LONG), -1);
	ck_assert_int_eq(crl_stand_reason(&s.crls[1], LONG - 1),
	    CRL_KEY_COMPROMISE);
	ck_assert_int_eq(crl_stand_reason(&s.crls[1], LONG + 1),
	    CRL_KEY_COMPROMISE);
}
END_TEST

/* --- trouble -------------------------------------------------------------- */

static bool
is_said(const char *part)
{
	json_t *trouble = json_array(), *one;
	bool said = false;
	size_t i;

	publish_describe_trouble(&s.r, trouble);
	json_array_foreach(trouble, i, one)
		said = said || strstr(json_string_value(one), part) != NULL;
	json_decref(trouble);
	return said;
}

START_TEST(what_is_refused_is_tried_again_with_the_next_number)
{
	s.refuses = true;
	crl_stand_run(&s, NOON);
	ck_assert_uint_eq(s.n_crls, 0);
	ck_assert(!crl_stand_has(&s, "users.crl"));
	crl_stand_run(&s, NOON + 4);
	s.refuses = false;
	ck_assert_uint_eq(s.n_crls, 0);
	crl_stand_run(&s, NOON + 5);
	ck_assert_uint_eq(s.n_crls, 1);
	ck_assert_uint_eq(s.crls[0].terms.number, 2);
	ck_assert(crl_stand_has(&s, "users.crl"));
}
END_TEST

START_TEST(a_list_that_is_late_or_has_ended_is_trouble)
{
	s.refuses = true;
	crl_stand_run(&s, NOON - DAY);
	ck_assert(is_said("the CRL of users is not published: the key is"));
	s.refuses = false;
	crl_stand_run(&s, NOON);
	ck_assert(!is_said("users"));
	s.refuses = true;
	crl_stand_run(&s, NOON + DAY);
	crl_stand_run(&s, NOON + DAY + 3600);
	ck_assert(!is_said("users"));
	crl_stand_run(&s, NOON + DAY + 3601);
	ck_assert(is_said("the CRL of users is late, and ends in 142 hours: "
	    "the key is away"));
	/* However often it was tried: it is the published one that counts. */
	crl_stand_run(&s, NOON + 7 * DAY - 1);
	ck_assert(is_said("is late"));
	s.r.now = NOON + 7 * DAY;
	ck_assert(is_said("the CRL of users has expired: the key is away"));
	s.refuses = false;
	crl_stand_run(&s, NOON + 7 * DAY + 60);
	ck_assert(!is_said("users"));
}
END_TEST

START_TEST(one_that_a_crash_kept_back_is_made_anew)
{
	crl_stand_run(&s, NOON);
	ck_assert_int_eq(unlinkat(s.r.published_fd, "users.crl", 0), 0);
	crl_stand_restart(&s);
	crl_stand_run(&s, NOON + 5);
	ck_assert_uint_eq(s.n_crls, 2);
	ck_assert(crl_stand_has(&s, "users.crl"));
	crl_stand_restart(&s);
	crl_stand_run(&s, NOON + 60);
	ck_assert_uint_eq(s.n_crls, 2);
}
END_TEST

START_TEST(a_revocation_that_no_list_has_is_found_at_start)
{
	crl_stand_issue(&s, 1, 0, FAR);
	crl_stand_run(&s, NOON);
	crl_stand_revoke(&s, 1, CRL_SUPERSEDED);
	crl_stand_restart(&s);
	crl_stand_run(&s, NOON + 5);
	ck_assert_uint_eq(s.n_crls, 2);
	ck_assert_int_eq(crl_stand_reason(&s.crls[1], 1), CRL_SUPERSEDED);
}
END_TEST

/* --- deltas --------------------------------------------------------------- */

static void
with_deltas(void)
{
	s.ca.delta_interval_s = 3600;
	crl_stand_restart(&s);
}

START_TEST(a_revocation_makes_a_delta_of_the_last_full_one)
{
	with_deltas();
	crl_stand_issue(&s, 1, 0, FAR);
	crl_stand_issue(&s, 2, 0, FAR);
	crl_stand_revoke(&s, 2, CRL_SUPERSEDED);
	crl_stand_run(&s, NOON);
	crl_stand_run(&s, NOON + 2);
	ck_assert_uint_eq(s.n_crls, 2);
	/* An empty one soon, since the full one says where it is. */
	ck_assert_uint_eq(s.crls[1].terms.base, 1);
	ck_assert_uint_eq(s.crls[1].terms.number, 2);
	ck_assert_uint_eq(s.crls[1].n, 0);
	ck_assert_int_eq(s.crls[1].terms.next_update, NOON + 2 + 7200);
	crl_stand_revoke(&s, 1, CRL_KEY_COMPROMISE);
	crl_stand_run(&s, NOON + 10);
	ck_assert_uint_eq(s.n_crls, 3);
	ck_assert_uint_eq(s.crls[2].terms.base, 1);
	ck_assert_uint_eq(s.crls[2].terms.number, 3);
	ck_assert_uint_eq(s.crls[2].n, 1);
	ck_assert_int_eq(crl_stand_reason(&s.crls[2], 1), CRL_KEY_COMPROMISE);
	ck_assert(crl_stand_has(&s, "users.delta.crl"));
	ck_assert(crl_stand_has(&s, "users.delta.crl.pem"));
	/* And on schedule. */
	crl_stand_run(&s, NOON + 10 + 3599);
	ck_assert_uint_eq(s.n_crls, 3);
	crl_stand_run(&s, NOON + 10 + 3600);
	ck_assert_uint_eq(s.n_crls, 4);
	ck_assert_uint_eq(s.crls[3].n, 1);
}
END_TEST

/* RFC 5280, 5.2.3: one number for the two; what they say is the same. */
START_TEST(a_full_one_comes_with_a_delta_of_its_number)
{
	with_deltas();
	crl_stand_issue(&s, 1, 0, FAR);
	crl_stand_run(&s, NOON);
	crl_stand_run(&s, NOON + 2);
	crl_stand_revoke(&s, 1, CRL_SUPERSEDED);
	crl_stand_run(&s, NOON + 10);
	publish_want_all(authority_by_name(&s.r.authorities, "users"));
	crl_stand_run(&s, NOON + 20);
	ck_assert_uint_eq(s.n_crls, 5);
	ck_assert_uint_eq(s.crls[3].terms.base, 0);
	ck_assert_uint_eq(s.crls[4].terms.base, 1);
	ck_assert_uint_eq(s.crls[4].terms.number, s.crls[3].terms.number);
	ck_assert_int_eq(s.crls[4].terms.this_update,
	    s.crls[3].terms.this_update);
	ck_assert_int_eq(crl_stand_reason(&s.crls[3], 1), CRL_SUPERSEDED);
	ck_assert_int_eq(crl_stand_reason(&s.crls[4], 1), CRL_SUPERSEDED);
}
END_TEST

START_TEST(a_lifted_hold_is_removed_by_the_delta)
{
	struct serial serial = crl_stand_serial(1);

	with_deltas();
	crl_stand_issue(&s, 1, 0, FAR);
	crl_stand_revoke(&s, 1, CRL_CERTIFICATE_HOLD);
	crl_stand_run(&s, NOON);
	crl_stand_run(&s, NOON + 2);
	ck_assert_int_eq(crl_stand_reason(&s.crls[0], 1),
	    CRL_CERTIFICATE_HOLD);
	OK(registrar_release(&s.r, s.users_id, &serial, "unix:root", NOON + 9,
	    &err));
	crl_stand_run(&s, NOON + 10);
	ck_assert_uint_eq(s.n_crls, 3);
	ck_assert_int_eq(crl_stand_reason(&s.crls[2], 1),
	    CRL_REMOVE_FROM_CRL);
	ck_assert_int_eq(s.crls[2].entries[0].revoked_at, NOON + 9);
	/* Not in a full one: it is just not there. */
	publish_want_all(authority_by_name(&s.r.authorities, "users"));
	crl_stand_run(&s, NOON + 20);
	ck_assert_uint_eq(s.crls[3].n, 0);
	/* Held again: an entry, and no removal. */
	crl_stand_revoke(&s, 1, CRL_CERTIFICATE_HOLD);
	crl_stand_run(&s, NOON + 5);
	ck_assert_uint_eq(crl_stand_last(&s)->n, 1);
	ck_assert_int_eq(crl_stand_reason(crl_stand_last(&s), 1),
	    CRL_CERTIFICATE_HOLD);
}
END_TEST

/* --- shards --------------------------------------------------------------- */

static const struct stand_crl *
last_of_shard(uint16_t shard)
{
	for (size_t i = s.n_crls; i > 0; i--)
		if (s.crls[i - 1].terms.shard == shard)
			return &s.crls[i - 1];
	return NULL;
}

START_TEST(each_shard_has_its_own_and_only_what_changed_is_made_anew)
{
	s.ca.crl_shards = 3;
	crl_stand_issue(&s, 1, 1, FAR);
	crl_stand_issue(&s, 2, 2, FAR);
	crl_stand_restart(&s);
	crl_stand_run(&s, NOON);
	ck_assert_uint_eq(s.n_crls, 3);
	ck_assert_uint_eq(s.crls[2].terms.number, 3);
	ck_assert(crl_stand_has(&s, "users.3.crl"));
	ck_assert(!crl_stand_has(&s, "users.crl"));
	crl_stand_revoke(&s, 2, CRL_SUPERSEDED);
	crl_stand_run(&s, NOON + 5);
	ck_assert_uint_eq(s.n_crls, 4);
	ck_assert_uint_eq(s.crls[3].terms.shard, 2);
	ck_assert_int_eq(crl_stand_reason(&s.crls[3], 2), CRL_SUPERSEDED);
	ck_assert_uint_eq(s.crls[3].n, 1);
}
END_TEST

/* A list without issuingDistributionPoint is believed about every certificate
 * (RFC 5280, 5.2.5). */
START_TEST(certificates_without_a_shard_have_a_list_of_everything)
{
	crl_stand_issue(&s, 1, 0, FAR);
	s.ca.crl_shards = 2;
	crl_stand_issue(&s, 2, 2, FAR);
	crl_stand_restart(&s);
	crl_stand_revoke(&s, 1, CRL_SUPERSEDED);
	crl_stand_revoke(&s, 2, CRL_SUPERSEDED);
	crl_stand_run(&s, NOON);
	ck_assert_uint_eq(s.n_crls, 3);
	ck_assert_uint_eq(last_of_shard(0)->n, 2);
	ck_assert_uint_eq(last_of_shard(1)->n, 0);
	ck_assert_uint_eq(last_of_shard(2)->n, 1);
}
END_TEST

START_TEST(shards_that_certificates_name_stay_when_their_number_shrinks)
{
	s.ca.crl_shards = 4;
	crl_stand_issue(&s, 1, 4, FAR);
	crl_stand_restart(&s);
	crl_stand_run(&s, NOON);
	s.ca.crl_shards = 1;
	crl_stand_restart(&s);
	crl_stand_revoke(&s, 1, CRL_SUPERSEDED);
	crl_stand_run(&s, NOON + 5);
	/* The fourth, and one of everything for those to come. */
	ck_assert_uint_eq(s.n_crls, 6);
	ck_assert_int_eq(crl_stand_reason(last_of_shard(4), 1),
	    CRL_SUPERSEDED);
	ck_assert_int_eq(crl_stand_reason(last_of_shard(0), 1),
	    CRL_SUPERSEDED);
}
END_TEST

/* Which keys' lists a person gets by the CA's name: one key has ended, both,
 * none. */
static const struct {
	bool		 ended[2];
	int		 want;
} wishes[] = {
	{ { false, false }, 0 },
	{ { true, false }, 0 },
	{ { false, true }, 0 },
	{ { true, true }, -1 },
};

START_TEST(a_persons_wish_is_for_each_key_that_has_not_ended)
{
	struct authority *key[2];

	crl_stand_add_ca(&s, "users~2", "top", 2);
	key[0] = authority_by_name(&s.r.authorities, "users");
	key[1] = authority_by_name(&s.r.authorities, "users~2");
	s.r.now = NOON;
	for (int i = 0; i < 2; i++) {
		key[i]->key_open = true;
		key[i]->crl_wanted = false;
		key[i]->not_after = NOON + (wishes[_i].ended[i] ? 0 : 1);
	}
	err = (struct err){ 0 };
	ck_assert_int_eq(registrar_publish_crl(&s.r, "users", &err),
	    wishes[_i].want);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(key[i]->crl_wanted, !wishes[_i].ended[i]);
	if (wishes[_i].want != 0)
		ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

/* A CA that signs elsewhere by now, and of which a serial was drawn here. */
START_TEST(an_installed_list_tells_of_a_serial_that_was_only_drawn)
{
	struct authority *ca = authority_by_name(&s.r.authorities, "users");
	const struct ca_settings *settings = ca->settings;
	const struct crl_terms terms = { .number = 9, .this_update = NOON,
		.next_update = NOON + DAY };
	const struct crl_entry e = { .serial = crl_stand_serial(7),
		.revoked_at = NOON - 9, .reason = CRL_SUPERSEDED };
	struct cert_row drawn = { .ca_id = s.users_id, .serial = e.serial,
		.state = CERT_RESERVED, .not_before = NOON - DAY,
		.not_after = FAR, .order = bytes_of("order"),
		.profile = "user", .names_text = "" };
	struct status_row status;

	s.r.now = NOON;
	OK(store_begin(s.r.store, &err));
	OK(store_reserve(s.r.store, &drawn, &err));
	OK(store_commit(s.r.store, &err));
	ca->settings = NULL;
	OK(publish_install(&s.r, "users", &terms, &e, 1, bytes_of("DER"),
	    "unix:boss", &err));
	ca->settings = settings;
	OK(store_find_status(s.r.store, s.users_id, &e.serial, &status,
	    &err));
	ck_assert_int_eq(status.state, STATUS_REVOKED);
	ck_assert_int_eq(status.reason, CRL_SUPERSEDED);
	ck_assert_int_eq(status.revoked_at, NOON - 9);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("publish");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_first_is_made_at_once_as_der_and_as_pem);
	tcase_add_test(tc,
	    one_comes_on_schedule_long_before_the_last_one_ends);
	tcase_add_test(tc, revocations_close_together_share_one_seconds_later);
	tcase_add_test(tc,
	    a_clock_that_goes_back_takes_no_date_and_no_number_with_it);
	tcase_add_test(tc, an_entry_stays_for_one_regular_crl_after_the_end);
	tcase_add_test(tc, by_schedule_an_expired_entry_is_on_one_crl);
	tcase_add_test(tc, a_signer_that_does_not_keep_up_holds_nobody_up);
	tcase_add_test(tc, what_changes_meanwhile_is_on_the_next_one_only);
	tcase_add_test(tc,
	    what_is_refused_is_tried_again_with_the_next_number);
	tcase_add_test(tc, a_list_that_is_late_or_has_ended_is_trouble);
	tcase_add_test(tc, one_that_a_crash_kept_back_is_made_anew);
	tcase_add_test(tc, a_revocation_that_no_list_has_is_found_at_start);
	tcase_add_test(tc, a_revocation_makes_a_delta_of_the_last_full_one);
	tcase_add_test(tc, a_full_one_comes_with_a_delta_of_its_number);
	tcase_add_test(tc, a_lifted_hold_is_removed_by_the_delta);
	tcase_add_test(tc,
	    each_shard_has_its_own_and_only_what_changed_is_made_anew);
	tcase_add_test(tc,
	    certificates_without_a_shard_have_a_list_of_everything);
	tcase_add_test(tc,
	    shards_that_certificates_name_stay_when_their_number_shrinks);
	tcase_add_loop_test(tc,
	    a_persons_wish_is_for_each_key_that_has_not_ended, 0,
	    ROWS(wishes));
	tcase_add_test(tc,
	    an_installed_list_tells_of_a_serial_that_was_only_drawn);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
