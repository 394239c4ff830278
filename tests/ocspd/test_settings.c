#include "ocspd/settings.h"
#include "common/err.h"
#include "tests/support/fixtures.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static int
read_text(const char *text, struct settings **out, struct err *err)
{
	int fd, r;

	strcpy(path, "/tmp/test_ocspd_conf.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	r = settings_read(path, out, err);
	unlink(path);
	return r;
}

#define P10	"pppppppppp"
#define P100	P10 P10 P10 P10 P10 P10 P10 P10 P10 P10

/* What is wrong, and the key that the message names with its line. */
static const struct {
	const char	*text;
	const char	*names;	/* NULL: it is correct */
} files[] = {
	{ "", NULL },
	{ "fronts = 256\n", NULL },
	{ "\nfronts = 257\n", ":2: fronts: " },
	{ "fronts = -1\n", ":1: fronts: " },
	{ "frnots = 1\n", "frnots" },
	{ "idle_timeout_s = 31\n", ":1: idle_timeout_s: " },
	{ "max_age_s = 43199\n", NULL },
	{ "max_index_age_s = 43200\n", NULL },
	{ "max_index_age_s = 43201\n", "max_index_age_s: " },
	{ "max_index_age_s = -1\n", ":1: max_index_age_s: " },
	{ "answer_validity_s = 864000\n", NULL },
	{ "answer_validity_s = 864001\n", ":1: answer_validity_s: " },
	{ "proxies = {\"192.0.2.1\", \"::1\", \"unix\"}\n", NULL },
	{ "proxies = {\"192.0.2.0/24\"}\n", ":1: proxies: " },
	{ "max_requests_per_client_s = 1000000\n", NULL },
	{ "max_requests_per_client_s = 1000001\n",
	  ":1: max_requests_per_client_s: " },
	{ "max_waiting = 65536\n", NULL },
	{ "max_waiting = 0\n", ":1: max_waiting: " },
	{ "max_staleness_s = 3600\n", NULL },
	{ "max_staleness_s = 0\n", ":1: max_staleness_s: " },
	{ "proxies_say = \"forwarded\"\n", NULL },
	{ "proxies_say = \"x-forwarded-for\"\n", NULL },
	{ "proxies_say = \"x-real-ip\"\n", ":1: proxies_say: " },
	{ "access_log_every = -1\n", ":1: access_log_every: " },
	{ "never_issued = \"revoked\"\n", NULL },
	{ "never_issued = \"good\"\n", ":1: never_issued: " },
	{ "archive_retention_days = 36525\n", NULL },
	{ "archive_retention_days = 36526\n", ":1: archive_retention_days: " },
	{ "max_age_s = 43200\n", "max_age_s: " },
	{ "store = \"store.db\"\n", ":1: store: " },
	{ "listen = {\"127.0.0.1:80\", \"[::1]:8080\"}\n", NULL },
	{ "listen = {\"127.0.0.1\"}\n", ":1: listen: " },
	{ "listen = {\"localhost:80\"}\n", ":1: listen: " },
	{ "listen = {\"::1:80\"}\n", ":1: listen: " },
	{ "listen = {\"127.0.0.1:65536\"}\n", ":1: listen: " },
	{ "listen = {}\n", "listen: " },
	{ "listen = {\"unix:/run/ocsp.sock\", \"systemd\", \"systemd:a\"}\n",
	  NULL },
	{ "listen = {\"unix:ocsp.sock\"}\n", ":1: listen: " },
	{ "listen = {\"unix:\"}\n", ":1: listen: " },
	{ "listen = {\"unix:/" P100 "12345\"}\n", NULL },
	{ "listen = {\"unix:/" P100 "1234567\"}\n", ":1: listen: " },
	{ "listen = {\"systemd:\"}\n", ":1: listen: " },
	{ "listen = {\"systemdx\"}\n", ":1: listen: " },
	{ "health_listen = \"\"\n", NULL },
	{ "health_listen = \"127.3.2.1:9180\"\n", NULL },
	{ "health_listen = \"[::1]:9180\"\n", NULL },
	{ "health_listen = \"0.0.0.0:9180\"\n", ":1: health_listen: " },
	{ "health_listen = \"[::]:9180\"\n", ":1: health_listen: " },
	{ "health_listen = \"192.0.2.1:9180\"\n", ":1: health_listen: " },
	{ "health_listen = \"9180\"\n", ":1: health_listen: " },
	{ "responder_key = \"RSA-2048\"\n", NULL },
	{ "responder_key = \"RSA-1024\"\n", ":1: responder_key: " },
	{ "responder_key = {\"Ed25519\", \"RSA-3072\", \"P-384\", "
	  "\"P-256\"}\n", NULL },
	{ "responder_key = {}\n", "responder_key: " },
	{ "responder_key = {\"P-256\", \"P-256\"}\n",
	  ":1: responder_key: " },
	{ "responder_key = {\"RSA-2048\", \"RSA-3072\"}\n",
	  ":1: responder_key: " },
	{ "presign = \"all\"\n", NULL },
	{ "presign = \"yes\"\n", ":1: presign: " },
	{ "signed_requests = \"always\"\n", ":1: signed_requests: " },
	{ "signed_requests = \"verify\"\n", "request_anchors: " },
	{ "request_anchors = \"cas.pem\"\n", ":1: request_anchors: " },
	{ "signed_requests = \"required\"\n"
	  "request_anchors = \"/etc/csrmail/askers.pem\"\n", NULL },
	{ "dual_cert_ids = yes\n", NULL },
	{ "dual_cert_ids = yes\nsha1_cert_ids = no\n",
	  ":1: dual_cert_ids: " },
	{ "odd_nonce = \"drop\"\n", ":1: odd_nonce: " },
	{ "log_level = \"loud\"\n", ":1: log_level: " },
};

START_TEST(errors_name_line_and_key)
{
	OWNED_STRUCT(settings) *s = NULL;
	struct err err = { 0 };
	int r = read_text(files[_i].text, &s, &err);

	ck_assert_msg((r == 0) == (files[_i].names == NULL), "%s: %s",
	    files[_i].text, err.text);
	if (r == -1)
		ck_assert_msg(strstr(err.text, files[_i].names) != NULL &&
		    strstr(err.text, path) != NULL, "%s", err.text);
}
END_TEST

/* conf/ocspd.conf names each key with its default. */
START_TEST(the_example_is_the_default)
{
	OWNED_STRUCT(settings) *a = NULL;
	OWNED_STRUCT(settings) *b = NULL;
	struct err err = { 0 };

	ck_assert_msg(settings_read(OCSPD_CONF, &a, &err) == 0, "%s", err.text);
	ck_assert_int_eq(read_text("", &b, &err), 0);
	ck_assert_str_eq(a->state_dir, b->state_dir);
	ck_assert_str_eq(a->store, b->store);
	ck_assert_str_eq(a->published_dir, b->published_dir);
	ck_assert_str_eq(a->spool_group, b->spool_group);
	ck_assert_uint_eq(a->n_listen, b->n_listen);
	for (size_t i = 0; i < a->n_listen; i++)
		ck_assert_str_eq(a->listen[i], b->listen[i]);
	ck_assert(a->unprivileged == b->unprivileged &&
	    a->log_level == b->log_level && a->fronts == b->fronts &&
	    a->max_connections == b->max_connections &&
	    a->max_connections_per_client == b->max_connections_per_client &&
	    a->max_waiting == b->max_waiting &&
	    a->proxies_say == b->proxies_say &&
	    a->max_staleness_s == b->max_staleness_s &&
	    a->idle_timeout_s == b->idle_timeout_s &&
	    a->request_timeout_s == b->request_timeout_s &&
	    a->max_request_octets == b->max_request_octets &&
	    a->max_cert_ids == b->max_cert_ids &&
	    a->odd_nonce_echoed == b->odd_nonce_echoed &&
	    a->answer_validity_s == b->answer_validity_s &&
	    a->max_age_s == b->max_age_s &&
	    a->max_index_age_s == b->max_index_age_s &&
	    a->held_answers == b->held_answers &&
	    a->signed_requests == b->signed_requests &&
	    a->sha1_cert_ids == b->sha1_cert_ids &&
	    a->dual_cert_ids == b->dual_cert_ids &&
	    a->presign == b->presign &&
	    a->n_responder_keys == b->n_responder_keys &&
	    a->responder_keys[0].kind == b->responder_keys[0].kind);
	ck_assert_str_eq(a->request_anchors, b->request_anchors);
}
END_TEST

START_TEST(roles_read_what_main_read)
{
	OWNED_STRUCT(settings) *a = NULL;
	OWNED_STRUCT(settings) *b = NULL;
	struct err err = { 0 };
	int fd;

	ck_assert_int_eq(read_text("fronts = 3\nmax_age_s = 7\n", &a, &err),
	    0);
	fd = settings_fd(a, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), -1);	/* sealed */
	ck_assert_int_eq(settings_decode(fd, &b, &err), 0);
	ck_assert_uint_eq(b->fronts, 3);
	ck_assert_int_eq(b->max_age_s, 7);
	ck_assert_int_eq(settings_decode(-1, &b, &err), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("settings");
	TCase *c = tcase_create("settings");

	tcase_add_loop_test(c, errors_name_line_and_key, 0, ROWS(files));
	tcase_add_test(c, the_example_is_the_default);
	tcase_add_test(c, roles_read_what_main_read);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
