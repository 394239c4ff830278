/* ocspd as a whole, over sockets: what a client sees when things happen. */
#include "common/err.h"
#include "common/owned.h"
#include "tests/support/fixtures.h"
#include "tests/support/ocsp_stand.h"

#include <openssl/ocsp.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS	20000	/* sanitizers are slow; each wait ends early */

static struct stand stand;
static pid_t daemon_pid;
static uint16_t port;
static char answer[65536];
static size_t answer_len;

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint16_t
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static int
dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Send, read to the end; what came is in answer. */
static bool
exchange(struct bytes out)
{
	int fd = dial();
	ssize_t n;

	answer_len = 0;
	if (fd < 0)
		return false;
	n = send(fd, out.data, out.len, MSG_NOSIGNAL);
	while (n > 0 && answer_len < sizeof(answer) - 1) {
		n = recv(fd, answer + answer_len,
		    sizeof(answer) - 1 - answer_len, 0);
		if (n > 0)
			answer_len += (size_t)n;
	}
	answer[answer_len] = '\0';
	close(fd);
	return answer_len > 0;
}

/* V_OCSP_CERTSTATUS_*, or minus the OCSPResponseStatus, or -100. */
static int
ask(const char *serial_hex, const EVP_MD *md, bool nonce)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_RESPONSE *resp = NULL;
	OCSP_BASICRESP *basic = NULL;
	OCSP_CERTID *id;
	BIGNUM *n = NULL;
	ASN1_INTEGER *serial;
	X509_STORE *trust = X509_STORE_new();
	uint8_t *der = NULL;
	const unsigned char *body;
	int len, status = -100;
	OWNED_BUF(out, 8192);

	BN_hex2bn(&n, serial_hex);
	serial = BN_to_ASN1_INTEGER(n, NULL);
	id = OCSP_cert_id_new(md, X509_get_subject_name(stand.ca),
	    X509_get0_pubkey_bitstr(stand.ca), serial);
	OCSP_request_add0_id(req, OCSP_CERTID_dup(id));
	if (nonce)
		OCSP_request_add1_nonce(req, NULL, 32);
	len = i2d_OCSP_REQUEST(req, &der);
	buf_printf(&out, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	    "Content-Type: application/ocsp-request\r\n"
	    "Content-Length: %d\r\n\r\n", len);
	buf_append(&out, der, (size_t)len);
	if (exchange(buf_bytes(&out)) &&
	    strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0) {
		body = (unsigned char *)strstr(answer, "\r\n\r\n") + 4;
		resp = d2i_OCSP_RESPONSE(NULL, &body,
		    answer + answer_len - (const char *)body);
	}
	if (resp != NULL) {
		status = -OCSP_response_status(resp);
		basic = OCSP_response_get1_basic(resp);
	}
	if (basic != NULL) {
		X509_STORE_add_cert(trust, stand.ca);
		ck_assert_int_eq(OCSP_basic_verify(basic, NULL, trust, 0), 1);
		ck_assert_int_eq(OCSP_check_nonce(req, basic), nonce ? 1 : 2);
		ck_assert_int_eq(OCSP_resp_find_status(basic, id, &status,
		    NULL, NULL, NULL, NULL), 1);
	}
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(resp);
	OCSP_REQUEST_free(req);
	OCSP_CERTID_free(id);
	ASN1_INTEGER_free(serial);
	BN_free(n);
	X509_STORE_free(trust);
	OPENSSL_free(der);
	return status;
}

static void
take_breath(void)
{
	poll(NULL, 0, 20);
}

/* Until it is so; never `good` for what must not be. Returns how long. */
static int64_t
await(const char *serial_hex, int want)
{
	int64_t start = now_ms(), took;
	int got;

	while ((got = ask(serial_hex, EVP_sha1(), false)) != want) {
		took = now_ms() - start;
		ck_assert_msg(took < PATIENCE_MS, "%s: still %d, want %d",
		    serial_hex, got, want);
		take_breath();
	}
	return now_ms() - start;
}

static void
set_up(void)
{
	char conf[128];
	FILE *f;
	int64_t start;

	stand_open(&stand, "example.test/users");
	X509_free(stand_issue(&stand, "1001"));
	X509_free(stand_issue(&stand, "ff02"));
	port = free_port();
	snprintf(conf, sizeof(conf), "%s/ocspd.conf", stand.dir);
	f = fopen(conf, "w");
	fprintf(f, "state_dir = \"%s/state\"\nstore = \"%s/store.db\"\n"
	    "published_dir = \"%s/published\"\nspool_group = \"\"\n"
	    "listen = {\"127.0.0.1:%u\"}\nunprivileged = true\n"
	    "log_level = \"error\"\nfronts = 2\n", stand.dir, stand.dir,
	    stand.dir, port);
	fclose(f);
	daemon_pid = fork();
	if (daemon_pid == 0) {
		execl(OCSPD, "ocspd", "-c", conf, (char *)NULL);
		_exit(127);
	}
	for (start = now_ms(); now_ms() - start < PATIENCE_MS; take_breath())
		if (stand_certify_spool(&stand) > 0)
			break;
	await("1001", V_OCSP_CERTSTATUS_GOOD);
}

static void
tear_down(void)
{
	int status;

	kill(daemon_pid, SIGTERM);
	ck_assert_int_eq(waitpid(daemon_pid, &status, 0), daemon_pid);
	ck_assert_msg(status == 0, "ocspd ended with %#x", (unsigned)status);
	stand_close(&stand, false);
}

/* Children of the daemon whose command line begins so. */
static int
kill_role(const char *title)
{
	char path[300], text[256];
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while ((e = readdir(proc)) != NULL) {
		int ppid = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ?
		    fopen(path, "r") : NULL;
		if (f == NULL)
			continue;
		if (fgets(text, sizeof(text), f) != NULL &&
		    strrchr(text, ')') != NULL)
			sscanf(strrchr(text, ')') + 1, " %*c %d", &ppid);
		fclose(f);
		if (ppid != daemon_pid || strstr(text, title) == NULL)
			continue;
		kill(atoi(e->d_name), SIGKILL);
		n++;
	}
	closedir(proc);
	return n;
}

START_TEST(each_status_is_told_truly)
{
	ck_assert_int_eq(ask("1001", EVP_sha1(), true),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("1001", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), true),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("7777", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(ask("7777", EVP_sha1(), true),
	    V_OCSP_CERTSTATUS_UNKNOWN);
	/* Another serial of the length that no certificate has. */
	ck_assert_int_eq(ask("7777777777777777777777777777777777777777777777",
	    EVP_sha1(), true), V_OCSP_CERTSTATUS_UNKNOWN);
}
END_TEST

START_TEST(a_revocation_shows_within_a_second)
{
	/* On a warm table, for both algorithms and a first-bit-set serial. */
	ck_assert_int_eq(ask("FF02", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_GOOD);
	stand_revoke(&stand, "ff02", CRL_KEY_COMPROMISE, 0);
	ck_assert_int_lt(await("FF02", V_OCSP_CERTSTATUS_REVOKED), 1000);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), false),
	    V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("FF02", EVP_sha256(), true),
	    V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(ask("1001", EVP_sha1(), false),
	    V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(a_certificate_just_issued_is_good_at_once)
{
	/* Several, so that one falls between two looks into the store. */
	for (int i = 0; i < 10; i++) {
		char serial[8];

		snprintf(serial, sizeof(serial), "20%02d", i);
		X509_free(stand_issue(&stand, serial));
		ck_assert_int_eq(ask(serial, EVP_sha1(), false),
		    V_OCSP_CERTSTATUS_GOOD);
	}
}
END_TEST

START_TEST(roles_are_replaced_singly)
{
	ck_assert_int_eq(kill_role("front"), 2);
	await("1001", V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(kill_role("respon"), 1);
	/* While it is gone: tryLater, or already good again; never else. */
	stand_revoke(&stand, "ff02", CRL_SUPERSEDED, 0);
	for (int i = 0; i < 50; i++) {
		int got = ask("FF02", EVP_sha1(), false);

		ck_assert_msg(got == -OCSP_RESPONSE_STATUS_TRYLATER ||
		    got == V_OCSP_CERTSTATUS_REVOKED, "%d", got);
	}
	await("FF02", V_OCSP_CERTSTATUS_REVOKED);
	await("1001", V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(a_reload_refuses_nobody)
{
	int64_t start = now_ms();

	kill(daemon_pid, SIGHUP);
	while (now_ms() - start < 2000) {
		int got = ask("1001", EVP_sha1(), false);

		ck_assert_msg(got == V_OCSP_CERTSTATUS_GOOD ||
		    got == -OCSP_RESPONSE_STATUS_TRYLATER, "%d", got);
	}
	await("1001", V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

/* Each whole request on one connection gets its own answer, in order. */
START_TEST(pipelined_requests_are_answered_in_order)
{
	const char *text = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
	    "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n"
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
	    "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n";
	const char *p = answer;

	ck_assert(exchange(bytes_of(text)));
	ck_assert_ptr_nonnull(p = strstr(p, "HTTP/1.1 404"));
	ck_assert_ptr_nonnull(p = strstr(p + 1, "HTTP/1.1 404"));
	ck_assert_ptr_nonnull(p = strstr(p + 1, "HTTP/1.1 200"));
	/* malformedRequest holds no NUL before the last octet. */
	ck_assert_ptr_nonnull(p = strstr(p + 1, "HTTP/1.1 405"));
	ck_assert_ptr_nonnull(strstr(p, "Allow: GET, HEAD, POST\r\n"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("daemon");
	TCase *c = tcase_create("daemon");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 90);
	tcase_add_test(c, each_status_is_told_truly);
	tcase_add_test(c, a_revocation_shows_within_a_second);
	tcase_add_test(c, a_certificate_just_issued_is_good_at_once);
	tcase_add_test(c, roles_are_replaced_singly);
	tcase_add_test(c, a_reload_refuses_nobody);
	tcase_add_test(c, pipelined_requests_are_answered_in_order);
	suite_add_tcase(s, c);
	return fixture_run(s);
}
