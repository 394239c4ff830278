#include "tests/support/ocsp_daemon.h"
#include "common/owned.h"
#include "ocspd/http.h"
#include "tests/support/fixtures.h"

#include <openssl/ocsp.h>

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <poll.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t
daemon_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
daemon_take_breath(void)
{
	poll(NULL, 0, 20);
}

/* --- its life ------------------------------------ */

uint16_t
daemon_free_port(void)
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

void
daemon_open(struct ocsp_daemon *d, const char *more)
{
	const char *dir = d->stand.dir;
	FILE *f;

	stand_open(&d->stand, "example.test/users");
	X509_free(stand_issue(&d->stand, "1001"));
	X509_free(stand_issue(&d->stand, "ff02"));
	d->port = daemon_free_port();
	snprintf(d->conf, sizeof(d->conf), "%s/ocspd.conf", dir);
	f = fopen(d->conf, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "state_dir = \"%s/state\"\nstore = \"%s/store.db\"\n"
	    "published_dir = \"%s/published\"\nspool_group = \"\"\n"
	    "listen = {\"127.0.0.1:%u\"%s%s%s}\nunprivileged = true\n"
	    "log_level = \"error\"\n%s", dir, dir, dir, d->port,
	    d->listen_too[0] == '\0' ? "" : ", \"", d->listen_too,
	    d->listen_too[0] == '\0' ? "" : "\"", more);
	fclose(f);
}

void
daemon_close(struct ocsp_daemon *d)
{
	stand_close(&d->stand, false);
}

void
daemon_start(struct ocsp_daemon *d, int64_t clock_offset_s)
{
	char offset[32];

	snprintf(offset, sizeof(offset), "%lld", (long long)clock_offset_s);
	d->clock_offset_s = clock_offset_s;
	d->pid = fork();
	if (d->pid == 0) {
		/* A test that fails leaves nothing running. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setenv("CSRMAIL_TEST_CLOCK_OFFSET_S", offset, 1);
		if (d->activated_fd > 0) {
			char pid[24];

			snprintf(pid, sizeof(pid), "%d", (int)getpid());
			setenv("LISTEN_PID", pid, 1);
			setenv("LISTEN_FDS", "1", 1);
			setenv("LISTEN_FDNAMES", "ocsp", 1);
			dup2(d->activated_fd, 3);
		}
		execl(OCSPD, "ocspd", "-c", d->conf, (char *)NULL);
		_exit(127);
	}
}

void
daemon_stop(struct ocsp_daemon *d)
{
	int status;

	kill(d->pid, SIGTERM);
	ck_assert_int_eq(waitpid(d->pid, &status, 0), d->pid);
	ck_assert_msg(status == 0, "ocspd ended with %#x", (unsigned)status);
}

void
daemon_certify(struct ocsp_daemon *d)
{
	int64_t start = daemon_now_ms();

	while (stand_certify_spool(&d->stand) == 0) {
		ck_assert_int_lt(daemon_now_ms() - start, PATIENCE_MS);
		daemon_take_breath();
	}
	daemon_await(d, "1001", V_OCSP_CERTSTATUS_GOOD);
}

/* --- its client ------------------------------------ */

static int
dial(uint16_t port, unsigned int from)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xffffff00) |
		    from) };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	OWNED_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) == -1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		return -1;
	return TAKE_FD(fd);
}

int
daemon_dial(const struct ocsp_daemon *d, unsigned int from)
{
	return dial(d->port, from);
}

bool
daemon_exchange(struct ocsp_daemon *d, struct bytes out)
{
	return daemon_exchange_at(d, d->port, out);
}

bool
daemon_exchange_at(struct ocsp_daemon *d, uint16_t port, struct bytes out)
{
	OWNED_FD fd = dial(port, 1);
	ssize_t n;

	d->answer_len = 0;
	if (fd < 0)
		return false;
	n = send(fd, out.data, out.len, MSG_NOSIGNAL);
	while (n > 0 && d->answer_len < sizeof(d->answer) - 1) {
		n = recv(fd, d->answer + d->answer_len,
		    sizeof(d->answer) - 1 - d->answer_len, 0);
		if (n > 0)
			d->answer_len += (size_t)n;
	}
	d->answer[d->answer_len] = '\0';
	return d->answer_len > 0;
}

static int64_t
unix_time(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm = { 0 };

	ck_assert_int_eq(ASN1_TIME_to_tm(t, &tm), 1);
	return timegm(&tm);
}

static void
take_dates(const struct ocsp_daemon *d, OCSP_BASICRESP *basic,
    struct ocsp_said *said)
{
	const char *field = strstr(d->answer, "\r\nLast-Modified: ");
	const ASN1_OCTET_STRING *by_key;
	const X509_NAME *by_name;
	ASN1_GENERALIZEDTIME *this_update = NULL;

	OCSP_single_get0_status(OCSP_resp_get0(basic, 0), NULL, NULL,
	    &this_update, NULL);
	*said = (struct ocsp_said){ .this_update = unix_time(this_update),
		.produced_at = unix_time(OCSP_resp_get0_produced_at(basic)),
		.last_modified = field == NULL ? -1 :
		    http_get_date((struct bytes){
		    (const uint8_t *)field + strlen("\r\nLast-Modified: "),
		    HTTP_DATE_OCTETS }) };
	OCSP_resp_get0_id(basic, &by_key, &by_name);
	ck_assert_ptr_nonnull(by_key);
	memcpy(said->signer, ASN1_STRING_get0_data(by_key), 20);
}

/* The octets of a POST. */
static void
put_post(OCSP_REQUEST *req, struct buf *out)
{
	uint8_t *der = NULL;
	int len = i2d_OCSP_REQUEST(req, &der);

	buf_printf(out, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	    "Content-Type: application/ocsp-request\r\n"
	    "Content-Length: %d\r\n\r\n", len);
	buf_append(out, der, (size_t)len);
	OPENSSL_free(der);
}

static OCSP_RESPONSE *
read_answer(const struct ocsp_daemon *d)
{
	const unsigned char *body;

	if (strncmp(d->answer, "HTTP/1.1 200 OK\r\n", 17) != 0)
		return NULL;
	body = (const unsigned char *)strstr(d->answer, "\r\n\r\n") + 4;
	return d2i_OCSP_RESPONSE(NULL, &body,
	    d->answer + d->answer_len - (const char *)body);
}

OCSP_RESPONSE *
daemon_post(struct ocsp_daemon *d, OCSP_REQUEST *req)
{
	OWNED_BUF(out, 65536);

	put_post(req, &out);
	return daemon_exchange(d, buf_bytes(&out)) ? read_answer(d) : NULL;
}

int
daemon_ask(struct ocsp_daemon *d, const char *serial_hex, const EVP_MD *md,
    bool nonce, struct ocsp_said *said)
{
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_RESPONSE *resp = NULL;
	OCSP_BASICRESP *basic = NULL;
	OCSP_CERTID *id;
	BIGNUM *n = NULL;
	ASN1_INTEGER *serial;
	X509_STORE *trust = X509_STORE_new();
	int status = -100;

	BN_hex2bn(&n, serial_hex);
	serial = BN_to_ASN1_INTEGER(n, NULL);
	id = OCSP_cert_id_new(md, X509_get_subject_name(d->stand.ca),
	    X509_get0_pubkey_bitstr(d->stand.ca), serial);
	OCSP_request_add0_id(req, OCSP_CERTID_dup(id));
	if (nonce)
		OCSP_request_add1_nonce(req, NULL, 32);
	resp = daemon_post(d, req);
	if (resp != NULL) {
		status = -OCSP_response_status(resp);
		basic = OCSP_response_get1_basic(resp);
	}
	if (basic != NULL) {
		X509_STORE_add_cert(trust, d->stand.ca);
		/* A child stands for itself: what is above it is not at stake. */
		X509_STORE_set_flags(trust, X509_V_FLAG_PARTIAL_CHAIN);
		X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(trust),
		    time(NULL) + d->clock_offset_s);
		ck_assert_int_eq(OCSP_basic_verify(basic, NULL, trust, 0), 1);
		ck_assert_int_eq(OCSP_check_nonce(req, basic), nonce ? 1 : 2);
		ck_assert_int_eq(OCSP_resp_find_status(basic, id, &status,
		    NULL, NULL, NULL, NULL), 1);
		take_dates(d, basic, said);
	}
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(resp);
	OCSP_REQUEST_free(req);
	OCSP_CERTID_free(id);
	ASN1_INTEGER_free(serial);
	BN_free(n);
	X509_STORE_free(trust);
	return status;
}

void
daemon_await(struct ocsp_daemon *d, const char *serial_hex, int want)
{
	int64_t start = daemon_now_ms();
	struct ocsp_said said;
	int got;

	while ((got = daemon_ask(d, serial_hex, EVP_sha1(), false, &said)) !=
	    want) {
		ck_assert_msg(daemon_now_ms() - start < PATIENCE_MS,
		    "%s: still %d, want %d", serial_hex, got, want);
		daemon_take_breath();
	}
}

int
daemon_kill_role(const struct ocsp_daemon *d, const char *title)
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
		if (ppid != d->pid || strstr(text, title) == NULL)
			continue;
		kill(atoi(e->d_name), SIGKILL);
		n++;
	}
	closedir(proc);
	return n;
}
