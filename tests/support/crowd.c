/*
 * A crowd of clients for an HTTP server on 127.0.0.1:
 *
 *	crowd PORT FILE [-g GOOD] [-s SLOW] [-i IDLE] [-c CONNECTS] [-t SECONDS]
 *	    [-w MS]
 *
 * GOOD clients send what FILE holds, one request, again and again (MS apart,
 * or at once), each on a connection that is kept. Their answers must come whole
 * with status 200; those that differ from the first are counted, and of these
 * the OCSP error tryLater. Meanwhile SLOW ones send an octet now and then, IDLE
 * ones say nothing, both come back when they are sent away, and CONNECTS
 * connections are made and closed at once.
 *
 * Good ones come from 127.0.0.1, the others from 127.0.1.1 and up. Ends after
 * SECONDS, and not before the last of CONNECTS, or at SIGTERM; then prints one
 * JSON object. Times are in milliseconds.
 */
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLOT_US		10	/* of the histogram */
#define SLOTS		1000000
#define LATE_US		(10 * 1000 * 1000)	/* an answer that never came */
#define DRIP_US		200000
#define SOURCES		250

struct options {
	uint16_t	port;
	const char	*request;
	size_t		request_len;
	int		good, slow, idle, connects, seconds, wait_ms;
};

/* What the children count, for the parent. */
struct counts {
	_Atomic uint64_t slow_ended, idle_ended, connects, unconnected;
};

struct good {
	int	 fd;
	int64_t	 sent_us;	/* 0: waits for its next turn */
	int64_t	 next_us;
	char	 in[16384];
	size_t	 len;
};

static volatile sig_atomic_t ended;
static uint32_t histogram[SLOTS + 1];
static uint64_t answers, faults, changed, try_later, reconnects;
static char first[16384];
static size_t first_len;

static void
on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* source 0 is 127.0.0.1. -1: refused. */
static int
dial(uint16_t port, unsigned int source, int flags)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK +
		    (source == 0 ? 0 : 255 + source)) };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		die("socket");
	/* The port is chosen at connect, by both addresses. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, flags);
	return fd;
}

/* --- slow and idle ones ------------------------------------ */

static void
count_end(const struct options *o, struct counts *counts, int i)
{
	if (i < o->slow)
		counts->slow_ended++;
	else
		counts->idle_ended++;
}

/* The first o->slow of them drip. */
static void
crowd(const struct options *o, struct counts *counts)
{
	int n = o->slow + o->idle;
	int *fds = malloc((size_t)n * sizeof(fds[0]));
	size_t at = 0;

	for (int i = 0; i < n; i++)
		fds[i] = -1;
	while (!ended) {
		for (int i = 0; i < n && !ended; i++) {
			char gone;

			if (fds[i] >= 0 && (recv(fds[i], &gone, 1,
			    MSG_DONTWAIT) >= 0 || errno != EAGAIN)) {
				close(fds[i]);
				fds[i] = -1;
				count_end(o, counts, i);
			}
			if (fds[i] < 0)
				fds[i] = dial(o->port, 1 + (unsigned)i %
				    SOURCES, O_NONBLOCK);
			if (fds[i] < 0)
				counts->unconnected++;
			else if (i < o->slow)
				send(fds[i], o->request + at, 1, MSG_NOSIGNAL);
		}
		/* Never to the end of the request. */
		at = (at + 1) % (o->request_len - 4);
		usleep(DRIP_US);
	}
	_exit(0);
}

static void
connect_and_close(const struct options *o, struct counts *counts)
{
	for (int i = 0; i < o->connects && !ended; i++) {
		int fd = dial(o->port, 1 + (unsigned)i % SOURCES, 0);

		if (fd < 0)
			counts->unconnected++;
		else
			close(fd);
		counts->connects++;
	}
	_exit(0);
}

static pid_t
start(void (*run)(const struct options *, struct counts *),
    const struct options *o, struct counts *counts)
{
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(o, counts);
	}
	return pid;
}

/* --- good ones ------------------------------------ */

static void
note_answer(struct good *g, const char *body, size_t len)
{
	static const char later[] = "\x30\x03\x0a\x01\x03";
	int64_t slot = (now_us() - g->sent_us) / SLOT_US;

	answers++;
	histogram[slot > SLOTS ? SLOTS : slot]++;
	if (first_len == 0 && len > 0) {
		memcpy(first, body, len);
		first_len = len;
	}
	if (len != first_len || memcmp(body, first, len) != 0)
		changed++;
	if (len == sizeof(later) - 1 && memcmp(body, later, len) == 0)
		try_later++;
}

/* 1: an answer is whole; 0: not yet; -1: it is none. */
static int
read_answer(struct good *g, bool *keep)
{
	char *end, *length, *body;
	size_t len;

	g->in[g->len] = '\0';
	end = strstr(g->in, "\r\n\r\n");
	if (end == NULL)
		return g->len < sizeof(g->in) - 1 ? 0 : -1;
	length = strstr(g->in, "\r\nContent-Length: ");
	if (strncmp(g->in, "HTTP/1.1 200 ", 13) != 0 || length == NULL ||
	    length > end)
		return -1;
	body = end + 4;
	len = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
	if (len > sizeof(first) || (size_t)(body - g->in) + len > g->len)
		return len > sizeof(first) ? -1 : 0;
	*end = '\0';
	*keep = strstr(g->in, "\r\nConnection: close") == NULL;
	note_answer(g, body, len);
	return 1;
}

static void
hang_up(struct good *g)
{
	close(g->fd);
	g->fd = -1;
	g->sent_us = 0;
	g->len = 0;
}

static void
ask(const struct options *o, struct good *g, int epoll_fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = g };

	if (g->fd < 0) {
		g->fd = dial(o->port, 0, O_NONBLOCK);
		if (g->fd < 0) {
			faults++;
			g->next_us = now_us() + 100000;
			return;
		}
		reconnects++;
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, g->fd, &ev);
	}
	g->len = 0;
	g->sent_us = now_us();
	if (send(g->fd, o->request, o->request_len, MSG_NOSIGNAL) !=
	    (ssize_t)o->request_len) {
		faults++;
		hang_up(g);
	}
}

static void
hear(const struct options *o, struct good *g)
{
	bool keep = true;
	ssize_t n = recv(g->fd, g->in + g->len, sizeof(g->in) - 1 - g->len, 0);
	int r;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		/* Between two requests it may be ended (RFC 9112, 9.5). */
		faults += g->sent_us != 0;
		hang_up(g);
		return;
	}
	g->len += (size_t)n;
	r = read_answer(g, &keep);
	if (r == 0)
		return;
	faults += r == -1;
	if (r == -1 || !keep)
		hang_up(g);
	g->sent_us = 0;
	g->next_us = now_us() + o->wait_ms * 1000;
}

static void
serve_good(const struct options *o, const struct counts *counts)
{
	struct good *all = calloc((size_t)o->good, sizeof(all[0]));
	struct epoll_event events[256];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int64_t end_us = now_us() + o->seconds * (int64_t)1000000;

	for (int i = 0; i < o->good; i++)
		all[i].fd = -1;
	while (!ended && (now_us() < end_us ||
	    counts->connects < (uint64_t)o->connects)) {
		int64_t now = now_us();
		int n;

		for (int i = 0; i < o->good; i++) {
			if (all[i].sent_us == 0 && now >= all[i].next_us)
				ask(o, &all[i], epoll_fd);
			else if (all[i].sent_us != 0 &&
			    now - all[i].sent_us > LATE_US) {
				faults++;
				hang_up(&all[i]);
			}
		}
		n = epoll_wait(epoll_fd, events, 256, o->wait_ms > 0 ? 1 :
		    100);
		for (int i = 0; i < n; i++)
			hear(o, events[i].data.ptr);
	}
	for (int i = 0; i < o->good; i++)
		if (all[i].fd >= 0)
			close(all[i].fd);
	reconnects -= reconnects < (uint64_t)o->good ? reconnects :
	    (uint64_t)o->good;
	free(all);
	close(epoll_fd);
}

/* --- all ------------------------------------ */

static double
share_ms(double share)
{
	uint64_t seen = 0;

	for (size_t i = 0; i <= SLOTS; i++) {
		seen += histogram[i];
		if (answers > 0 && (double)seen >= share * (double)answers)
			return (double)(i + 1) * SLOT_US / 1000;
	}
	return 0;
}

static void
read_request(struct options *o, const char *path)
{
	static char text[65536];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		die(path);
	o->request_len = fread(text, 1, sizeof(text), f);
	o->request = text;
	fclose(f);
	if (o->request_len < 8)
		die("the request is too short");
}

static int
read_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "g:s:i:c:t:w:")) != -1) {
		int *to = c == 'g' ? &o->good : c == 's' ? &o->slow :
		    c == 'i' ? &o->idle : c == 'c' ? &o->connects :
		    c == 't' ? &o->seconds : c == 'w' ? &o->wait_ms : NULL;

		if (to == NULL)
			return -1;
		*to = atoi(optarg);
	}
	if (optind + 2 != argc)
		return -1;
	o->port = (uint16_t)atoi(argv[optind]);
	read_request(o, argv[optind + 1]);
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = { .good = 64, .seconds = 10 };
	struct counts *counts = mmap(NULL, sizeof(*counts),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rlimit files;
	pid_t children[2];

	if (counts == MAP_FAILED || read_options(&o, argc, argv) == -1) {
		fprintf(stderr, "usage: crowd PORT FILE [-g GOOD] [-s SLOW] "
		    "[-i IDLE] [-c CONNECTS] [-t SECONDS] [-w MS]\n");
		return 64;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_signal },
	    NULL);
	children[0] = start(crowd, &o, counts);
	children[1] = start(connect_and_close, &o, counts);
	serve_good(&o, counts);
	for (int i = 0; i < 2; i++) {
		kill(children[i], SIGTERM);
		waitpid(children[i], NULL, 0);
	}
	printf("{\"answers\": %llu, \"faults\": %llu, \"changed\": %llu, "
	    "\"try_later\": %llu, \"reconnects\": %llu, \"p50\": %.2f, "
	    "\"p99\": %.2f, \"max\": %.2f, \"slow_ended\": %llu, "
	    "\"idle_ended\": %llu, \"connects\": %llu, "
	    "\"unconnected\": %llu}\n", (unsigned long long)answers,
	    (unsigned long long)faults, (unsigned long long)changed,
	    (unsigned long long)try_later, (unsigned long long)reconnects,
	    share_ms(0.5), share_ms(0.99), share_ms(1),
	    (unsigned long long)counts->slow_ended,
	    (unsigned long long)counts->idle_ended,
	    (unsigned long long)counts->connects,
	    (unsigned long long)counts->unconnected);
	return 0;
}
