/*
 * A client that asks about many certificates: GET, keep-alive, one request at
 * a time on each of its connections; one thread, no memory for each serial.
 * Certificate number i of scale.py has as its serial the first 16 octets of
 * MD5 over i in decimal, with the top bits 01.
 *
 *	bench_scale_load PORT NAME_HASH KEY_HASH CERTIFICATES CONNECTIONS
 *	    each FROM TO			all of these once, in their order
 *	    uniform|zipf SECONDS SEED		drawn; Zipf with exponent 1
 *
 * Says as one line of JSON: requests, seconds, answers by responseStatus (RFC
 * 6960, 4.2.1), latencies in ms.
 */
#include <openssl/evp.h>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS	4096
#define ANSWER_MAX	8192
#define SERIAL_OCTETS	16
#define BUCKETS		200000	/* of 5 us */
#define BUCKET_NS	5000

/* OCSPRequest with one CertID by SHA-1 (RFC 6960, 4.1.1): where the hashes and
 * the serial go stands below. */
static uint8_t request[] = {
	0x30, 81, 0x30, 79, 0x30, 77, 0x30, 75, 0x30, 73,
	0x30, 9, 0x06, 5, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0,
	0x04, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x04, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x02, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
#define NAME_AT		23
#define KEY_AT		45
#define SERIAL_AT	67
_Static_assert(sizeof(request) == SERIAL_AT + SERIAL_OCTETS, "one CertID");

struct connection {
	int		 fd;
	int64_t		 asked_ns;
	size_t		 len;
	uint8_t		 answer[ANSWER_MAX];
};

enum draw { EACH, UNIFORM, ZIPF };

static struct {
	enum draw	 draw;
	uint64_t	 certificates, next, to, seed;
	int64_t		 end_ns;
	uint64_t	 asked, answered;
	uint64_t	 by_status[8];
	uint32_t	 took[BUCKETS];
	EVP_MD_CTX	*md;
} load;

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* --- which one ------------------------------------------------------------- */

/* 0 to 1; the same ones with the same seed. */
static double
draw_unit(void)
{
	load.seed ^= load.seed << 13;
	load.seed ^= load.seed >> 7;
	load.seed ^= load.seed << 17;
	return (double)(load.seed >> 11) * 0x1p-53;
}

/* With weight 1/rank: by inversion of the integral of 1/x, and rejection
 * (Hoermann and Derflinger, 1996). */
static uint64_t
draw_zipf(uint64_t n)
{
	const double low = log(0.5), high = log((double)n + 0.5);

	for (;;) {
		double u = low + draw_unit() * (high - low);
		double x = exp(u);
		uint64_t rank = (uint64_t)(x + 0.5);

		if (rank < 1 || rank > n)
			continue;
		/* The step at rank lies below the hat over its interval. */
		if (draw_unit() * (log((double)rank + 0.5) -
		    log((double)rank - 0.5)) <= 1 / (double)rank)
			return rank - 1;
	}
}

/* False: there are no more. */
static bool
choose(uint64_t *out)
{
	switch (load.draw) {
	case EACH:
		*out = load.next++;
		return *out < load.to;
	case UNIFORM:
		*out = (uint64_t)(draw_unit() * (double)load.certificates);
		break;
	case ZIPF:
		*out = draw_zipf(load.certificates);
		break;
	}
	return now_ns() < load.end_ns;
}

static void
put_serial(uint64_t i)
{
	char text[24];
	uint8_t digest[EVP_MAX_MD_SIZE];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)i);

	if (EVP_DigestInit_ex(load.md, EVP_md5(), NULL) != 1 ||
	    EVP_DigestUpdate(load.md, text, (size_t)n) != 1 ||
	    EVP_DigestFinal_ex(load.md, digest, NULL) != 1)
		errx(1, "MD5");
	memcpy(request + SERIAL_AT, digest, SERIAL_OCTETS);
	request[SERIAL_AT] = (digest[0] & 0x3f) | 0x40;
}

/* --- asking ------------------------------------------------------------------ */

static bool
ask(struct connection *c)
{
	unsigned char base64[4 * sizeof(request)];
	char line[sizeof(base64) * 3 + 64];
	size_t n;
	uint64_t i = 0;

	if (!choose(&i))
		return false;
	put_serial(i);
	EVP_EncodeBlock(base64, request, sizeof(request));
	n = (size_t)sprintf(line, "GET /");
	for (const unsigned char *p = base64; *p != '\0'; p++)
		if (*p == '+' || *p == '/' || *p == '=')
			n += (size_t)sprintf(line + n, "%%%02X", *p);
		else
			line[n++] = (char)*p;
	n += (size_t)sprintf(line + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
	c->len = 0;
	c->asked_ns = now_ns();
	if (send(c->fd, line, n, MSG_NOSIGNAL) != (ssize_t)n)
		err(1, "send");
	load.asked++;
	return true;
}

static void
count(const struct connection *c, const uint8_t *body, size_t len)
{
	int64_t at = (now_ns() - c->asked_ns) / BUCKET_NS;
	size_t head = len > 1 && body[1] == 0x82 ? 4 : len > 1 &&
	    body[1] == 0x81 ? 3 : 2;

	/* OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, ... */
	if (memcmp(c->answer, "HTTP/1.1 200", 12) != 0 || len < head + 3 ||
	    body[head] != 0x0a || body[head + 2] > 7)
		errx(1, "no OCSP response: %.*s", 80, (const char *)c->answer);
	load.by_status[body[head + 2]]++;
	load.took[at < BUCKETS ? at : BUCKETS - 1]++;
	load.answered++;
}

/* True when the answer is whole. */
static bool
take(struct connection *c)
{
	ssize_t n = recv(c->fd, c->answer + c->len,
	    sizeof(c->answer) - 1 - c->len, MSG_DONTWAIT);
	const char *end, *field;
	size_t head, body;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		errx(1, "the server closed a connection");
	c->len += (size_t)n;
	c->answer[c->len] = '\0';
	end = strstr((const char *)c->answer, "\r\n\r\n");
	field = strcasestr((const char *)c->answer, "\r\nContent-Length:");
	if (end == NULL)
		return false;
	if (field == NULL || field > end)
		errx(1, "no Content-Length");
	head = (size_t)(end + 4 - (const char *)c->answer);
	body = strtoul(field + 17, NULL, 10);
	if (c->len < head + body)
		return false;
	count(c, c->answer + head, body);
	return true;
}

static int
dial(uint16_t port)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to,
	    sizeof(to)) == -1)
		err(1, "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void
run(uint16_t port, unsigned int n)
{
	static struct connection all[MAX_CONNECTIONS];
	struct epoll_event events[256];
	int epoll = epoll_create1(0);
	bool more = true;

	if (epoll < 0)
		err(1, "epoll");
	for (unsigned int i = 0; i < n; i++) {
		struct epoll_event e = { .events = EPOLLIN,
			.data.ptr = &all[i] };

		all[i].fd = dial(port);
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
	}
	for (unsigned int i = 0; i < n && more; i++)
		more = ask(&all[i]);
	while (load.answered < load.asked) {
		int ready = epoll_wait(epoll, events, 256, 10000);

		if (ready <= 0)
			errx(1, "no answer within 10 s");
		for (int i = 0; i < ready; i++)
			if (take(events[i].data.ptr) && more)
				more = ask(events[i].data.ptr);
	}
}

/* --- telling ------------------------------------------------------------------- */

static double
percentile_ms(double share)
{
	uint64_t want = (uint64_t)(share * (double)load.answered), seen = 0;

	for (int i = 0; i < BUCKETS; i++)
		if ((seen += load.took[i]) > want)
			return (double)(i + 1) * BUCKET_NS / 1e6;
	return (double)BUCKETS * BUCKET_NS / 1e6;
}

static void
put_hash(const char *hex, uint8_t *out)
{
	for (int i = 0; i < 20; i++) {
		unsigned int octet;

		if (strlen(hex) != 40 ||
		    sscanf(hex + i * 2, "%2x", &octet) != 1)
			errx(64, "%s is no SHA-1", hex);
		out[i] = (uint8_t)octet;
	}
}

int
main(int argc, char **argv)
{
	unsigned long connections;
	int64_t begun;
	double seconds;

	if (argc < 9)
		errx(64, "see tests/bench/scale_load.c");
	put_hash(argv[2], request + NAME_AT);
	put_hash(argv[3], request + KEY_AT);
	load.certificates = strtoull(argv[4], NULL, 10);
	connections = strtoul(argv[5], NULL, 10);
	if (connections < 1 || connections > MAX_CONNECTIONS)
		errx(64, "1 to %d connections", MAX_CONNECTIONS);
	load.draw = strcmp(argv[6], "each") == 0 ? EACH :
	    strcmp(argv[6], "zipf") == 0 ? ZIPF : UNIFORM;
	begun = now_ns();
	if (load.draw == EACH) {
		load.next = strtoull(argv[7], NULL, 10);
		load.to = strtoull(argv[8], NULL, 10);
	} else {
		load.end_ns = begun + strtoll(argv[7], NULL, 10) *
		    INT64_C(1000000000);
		load.seed = 0x9e3779b97f4a7c15 * strtoull(argv[8], NULL, 10);
	}
	load.md = EVP_MD_CTX_new();
	run((uint16_t)strtoul(argv[1], NULL, 10), (unsigned int)connections);
	seconds = (double)(now_ns() - begun) / 1e9;
	printf("{\"requests\": %llu, \"seconds\": %.3f, \"successful\": %llu, "
	    "\"try_later\": %llu, \"p50\": %.3f, \"p99\": %.3f}\n",
	    (unsigned long long)load.answered, seconds,
	    (unsigned long long)load.by_status[0],
	    (unsigned long long)load.by_status[3], percentile_ms(0.5),
	    percentile_ms(0.99));
	return 0;
}
