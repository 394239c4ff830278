#include "ocspd/health.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <string.h>

static struct counters *responder, *front;
static struct counters_view *responder_view, *front_view;
static struct health_source sources[2];
static struct err err;

static void
make(struct counters **counters, struct counters_view **view)
{
	ck_assert_int_eq(counters_new(counters, &err), 0);
	ck_assert_int_eq(counters_open(counters_share(*counters, &err), view,
	    &err), 0);
}

/* All is well at NOON. */
static void
set_up(void)
{
	static const struct counted_ca ca = { "example.test/users",
		NOON - 7 * DAY, NOON + 7 * DAY };

	make(&responder, &responder_view);
	make(&front, &front_view);
	sources[0] = (struct health_source){ "responder", responder_view };
	sources[1] = (struct health_source){ "front.0", front_view };
	counters_set(responder, COUNT_STORE_READ_AT, (uint64_t)NOON);
	counters_set(responder, COUNT_STORE_MAX_AGE, 5);
	counters_put_cas(responder, &ca, 1);
}

static void
tear_down(void)
{
	counters_close(responder_view);
	counters_close(front_view);
	counters_free(responder);
	counters_free(front);
}

static bool
health(char *out, size_t size, int64_t now)
{
	OWNED_BUF(json, 65536);
	bool ok = health_put_json(&json, sources, 2, now);

	snprintf(out, size, "%s", buf_str(&json));
	return ok;
}

START_TEST(all_is_well)
{
	char json[1024];

	ck_assert(health(json, sizeof(json), NOON));
	ck_assert_str_eq(json, "{\"status\": \"ok\", \"trouble\": []}\n");
}
END_TEST

/* One row, one fault: how it comes about, and what is said of it. */
static void no_front(void) { sources[1].view = NULL; }
static void no_responder(void) { sources[0].view = NULL; }
static void no_store(void)
{
	counters_set(responder, COUNT_STORE_READ_AT, 0);
}
static void old_store(void)
{
	counters_set(responder, COUNT_STORE_READ_AT, (uint64_t)NOON - 6);
}
static void clock_went_back(void)
{
	counters_set(responder, COUNT_STORE_READ_AT, (uint64_t)NOON + 301);
}
static void no_ca(void) { counters_put_cas(responder, NULL, 0); }
static void
certificate(int64_t from, int64_t until)
{
	struct counted_ca ca = { "example.test/users", from, until };

	counters_put_cas(responder, &ca, 1);
}
static void no_certificate(void) { certificate(0, 0); }
static void old_certificate(void) { certificate(NOON - 14 * DAY, NOON); }
static void late_certificate(void)
{
	certificate(NOON - 9 * DAY, NOON + 3 * DAY - 2);
}
static const struct {
	void		(*fault)(void);
	const char	*words;
} faults[] = {
	{ no_front,	"[\"front.0 does not run\"]" },
	{ no_responder,	"[\"responder does not run\"]" },
	{ no_store,	"[\"the store was not read yet\"]" },
	{ clock_went_back, "[\"the clock went back: answers say "
	    "2026-01-01T12:05:01Z; restart ocspd once it is right\"]" },
	{ old_store,	"[\"the store was last read at 2026-01-01T11:59:54Z\"]" },
	{ no_ca,	"[\"no CA has certified this responder yet\"]" },
	{ no_certificate, "[\"example.test/users: no valid responder "
	  "certificate: see the spool and csrmaild\"]" },
	{ old_certificate, "no valid responder certificate" },
	{ late_certificate, "[\"example.test/users: the responder certificate "
	  "ends at 2026-01-04T11:59:58Z and is not renewed\"]" },
};

START_TEST(each_fault_is_said)
{
	char json[1024];

	faults[_i].fault();
	ck_assert(!health(json, sizeof(json), NOON));
	ck_assert_msg(strstr(json, "\"status\": \"trouble\"") != NULL &&
	    strstr(json, faults[_i].words) != NULL, "%s", json);
}
END_TEST

START_TEST(what_is_just_in_time_is_no_fault)
{
	char json[1024];

	counters_set(responder, COUNT_STORE_READ_AT, (uint64_t)NOON - 5);
	certificate(NOON - 9 * DAY, NOON + 3 * DAY);
	ck_assert_msg(health(json, sizeof(json), NOON), "%s", json);
}
END_TEST

START_TEST(faults_stand_in_a_list)
{
	char json[1024];

	no_front();
	old_store();
	ck_assert(!health(json, sizeof(json), NOON));
	ck_assert_ptr_nonnull(strstr(json, "[\"front.0 does not run\", "
	    "\"the store was last read"));
}
END_TEST

/* A name is introduced once, and each process has its own. */
START_TEST(metrics_are_in_the_text_format)
{
	OWNED_BUF(out, 1u << 20);
	const char *text, *at;

	counters_add(front, COUNT_GET, 3);
	counters_add(front, COUNT_HTTP_404, 1);
	counters_add(responder, COUNT_SIGNATURES, 5);
	health_put_metrics(&out, sources, 2, NOON);
	text = buf_str(&out);
	ck_assert_ptr_nonnull(strstr(text, "\ncsrmail_ocspd_healthy 1\n"));
	ck_assert_ptr_nonnull(strstr(text,
	    "\ncsrmail_ocspd_up{process=\"front.0\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ncsrmail_ocspd_http_requests_total"
	    "{process=\"front.0\",method=\"GET\"} 3\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ncsrmail_ocspd_http_responses_"
	    "total{process=\"front.0\",code=\"404\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ncsrmail_ocspd_signatures_total"
	    "{process=\"responder\"} 5\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ncsrmail_ocspd_responder_"
	    "certificate_not_after_seconds{ca=\"example.test/users\"} "
	    "1767873600\n"));
	/* The responder answers nobody, and a front signs nothing. */
	ck_assert_ptr_null(strstr(text, "connections{process=\"responder\""));
	ck_assert_ptr_null(strstr(text, "signatures_total{process=\"front.0"));
	at = strstr(text, "# TYPE csrmail_ocspd_http_requests_total counter\n");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(strstr(at + 1,
	    "# TYPE csrmail_ocspd_http_requests_total "));
	for (at = text; *at != '\0'; at = strchr(at, '\n') + 1)
		ck_assert_ptr_nonnull(strchr(at, '\n'));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("health");
	TCase *c = tcase_create("health");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, all_is_well);
	tcase_add_loop_test(c, each_fault_is_said, 0, ROWS(faults));
	tcase_add_test(c, what_is_just_in_time_is_no_fault);
	tcase_add_test(c, faults_stand_in_a_list);
	tcase_add_test(c, metrics_are_in_the_text_format);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
