#include "csrmaild/dkim_key.h"

#include "csrmaild/dkim_check.h"
#include "csrmaild/dkim_field.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES	(DKIM_KEYS_MAX_NAMES + 6)
#define KEEP_MS		60000
#define RETRY_FIRST_MS	30000
#define RETRY_LAST_MS	240000
#define TRY_MS		1500	/* for one server to answer; c-ares doubles it */
#define TRIES		2
/* UDP and TCP of seven servers; the macros shift too far for a 16th. */
#define MAX_SOCKETS	15
#define RANDOM_DEVICE	"/dev/urandom"

struct entry {
	char		 name[DKIM_NAME_MAX + 1];	/* "": free */
	enum dkim_key	 state;
	uint8_t		 record[DKIM_RECORD_MAX];
	size_t		 len;
	int64_t		 until_ms;	/* then it is asked (again) */
	unsigned int	 failures;	/* one after the other */
	uint64_t	 round;		/* in which it was last wanted */
};

struct dkim_keys {
	char		 resolver[64];
	uint64_t	 round;
	size_t		 waiting;	/* questions without an answer */
	struct entry	 entries[MAX_ENTRIES];
};

/* What c-ares hands back with an answer. */
struct question {
	struct dkim_keys *keys;
	struct entry	*entry;
};

/* --- the resolver's address ----------------------------------------------------- */
static bool
is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");
	long port = n > 0 && n <= 5 && text[n] == '\0' ?
	    strtol(text, NULL, 10) : 0;

	return port >= 1 && port <= 65535;
}

int
dkim_keys_check_resolver(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr octets;
	bool brackets = text[0] == '[';
	const char *end = brackets ? strchr(text, ']') : NULL;

	if (inet_pton(AF_INET6, text, &octets) == 1)
		return 0;
	if (!brackets)
		end = text + strcspn(text, ":");
	text += brackets;
	if (end == NULL || (size_t)(end - text) >= sizeof(address))
		return -1;
	memcpy(address, text, (size_t)(end - text));
	address[end - text] = '\0';
	if (inet_pton(brackets ? AF_INET6 : AF_INET, address, &octets) != 1)
		return -1;
	end += brackets;
	return *end == '\0' || (*end == ':' && is_port(end + 1)) ? 0 : -1;
}

int
dkim_keys_new(const char *resolver, struct dkim_keys **out, struct err *err)
{
	OWNED_STRUCT(dkim_keys) *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (strlen(resolver) >= sizeof(k->resolver) ||
	    (resolver[0] != '\0' && dkim_keys_check_resolver(resolver) == -1))
		return err_set(err, ERR_FAULT, "resolver: found \"%s\"",
		    resolver);
	snprintf(k->resolver, sizeof(k->resolver), "%s", resolver);
	*out = TAKE(k);
	return 0;
}

void
dkim_keys_free(struct dkim_keys *k)
{
	free(k);
}

/* --- what is known -------------------------------------------------------------- */
static struct entry *
find_entry(const struct dkim_keys *k, const char *name)
{
	for (size_t i = 0; i < MAX_ENTRIES; i++)
		if (strcmp(k->entries[i].name, name) == 0)
			return (struct entry *)&k->entries[i];
	return NULL;
}

/* The one that is due first makes room, unless this round wants it. */
static struct entry *
new_entry(struct dkim_keys *k, const char *name)
{
	struct entry *best = NULL;

	for (size_t i = 0; i < MAX_ENTRIES; i++) {
		struct entry *e = &k->entries[i];

		if (e->round != k->round &&
		    (best == NULL || e->until_ms < best->until_ms))
			best = e;
	}
	if (best != NULL) {
		memset(best, 0, sizeof(*best));
		snprintf(best->name, sizeof(best->name), "%s", name);
		best->state = DKIM_KEY_LATER;
	}
	return best;
}

static void
set_later(struct entry *e, int64_t now_ms)
{
	int64_t wait = RETRY_FIRST_MS;

	for (unsigned int i = 0; i < e->failures && wait < RETRY_LAST_MS; i++)
		wait *= 2;
	e->failures++;
	e->state = DKIM_KEY_LATER;
	e->until_ms = now_ms + wait;
}

enum dkim_key
dkim_keys_get(const struct dkim_keys *k, const char *name,
    struct bytes *record, int64_t *retry_ms)
{
	const struct entry *e = find_entry(k, name);

	*record = (struct bytes){ NULL, 0 };
	if (e == NULL) {
		*retry_ms = 0;	/* there was no room for it */
		return DKIM_KEY_LATER;
	}
	if (e->state == DKIM_KEY_FOUND)
		*record = (struct bytes){ e->record, e->len };
	*retry_ms = e->until_ms;
	return e->state;
}

/* --- answers -------------------------------------------------------------------- */

/* Records that are doubled leave open which counts (RFC 6376, 3.6.2.2). */
static enum dkim_key
take_record(struct entry *e, const unsigned char *answer, int len)
{
	struct ares_txt_ext *list = NULL;
	enum dkim_key state = DKIM_KEY_NONE;
	unsigned int records = 0;
	bool fits = true;
	int r = ares_parse_txt_reply_ext(answer, len, &list);

	e->len = 0;
	for (struct ares_txt_ext *t = list; t != NULL; t = t->next) {
		records += t->record_start != 0;
		fits = fits && t->length <= sizeof(e->record) - e->len;
		if (!fits)
			break;
		memcpy(e->record + e->len, t->txt, t->length);
		e->len += t->length;
	}
	if (r == ARES_SUCCESS && records == 1 && fits)
		state = DKIM_KEY_FOUND;
	else if (r != ARES_SUCCESS && r != ARES_ENODATA)
		state = DKIM_KEY_LATER;
	ares_free_data(list);
	return state;
}

static void
take_answer(void *arg, int status, int timeouts, unsigned char *answer,
    int len)
{
	struct question *q = arg;
	struct entry *e = q->entry;
	int64_t now_ms = clock_monotonic_ms();
	enum dkim_key state = DKIM_KEY_LATER;

	(void)timeouts;
	q->keys->waiting--;
	if (status == ARES_SUCCESS)
		state = take_record(e, answer, len);
	else if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
		state = DKIM_KEY_NONE;
	if (state == DKIM_KEY_LATER) {
		log_warn("dkim.no-answer", STR("name", e->name),
		    STR("why", ares_strerror(status)));
		set_later(e, now_ms);
		return;
	}
	e->state = state;
	e->failures = 0;
	e->until_ms = now_ms + KEEP_MS;
}

/* --- questions ------------------------------------------------------------------ */

/*
 * A channel for one round: resolv.conf as it stands now, a port and numbers
 * that nobody has seen. c-ares takes the latter from rand() where it cannot
 * open this device, and says nothing; they must not be guessed.
 */
static int
open_channel(const struct dkim_keys *k, ares_channel *out)
{
	struct ares_options options = { .timeout = TRY_MS, .tries = TRIES,
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES };
	OWNED_FD device = open(RANDOM_DEVICE, O_RDONLY | O_CLOEXEC);
	int r;

	if (device < 0) {
		log_error("dkim.no-randomness", STR("file", RANDOM_DEVICE));
		return -1;
	}
	r = ares_init_options(out, &options, ARES_OPT_FLAGS |
	    ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (r == ARES_SUCCESS && k->resolver[0] != '\0') {
		r = ares_set_servers_ports_csv(*out, k->resolver);
		if (r != ARES_SUCCESS)
			ares_destroy(*out);
	}
	if (r != ARES_SUCCESS)
		log_error("dkim.no-resolver", STR("why", ares_strerror(r)));
	return r == ARES_SUCCESS ? 0 : -1;
}

/* False: time is over, or we are to stop. */
static bool
wait_some(ares_channel channel, int64_t until_ms, const int stop[2])
{
	ares_socket_t sockets[MAX_SOCKETS];
	struct pollfd fds[MAX_SOCKETS + 2];
	int bits = ares_getsock(channel, sockets, MAX_SOCKETS);
	int64_t left = until_ms - clock_monotonic_ms();
	struct timeval most = { .tv_sec = left > 0 ? left / 1000 : 0,
	    .tv_usec = left > 0 ? left % 1000 * 1000 : 0 }, time;
	const struct timeval *next = ares_timeout(channel, &most, &time);
	nfds_t n = 0;

	if (left <= 0)
		return false;
	for (int i = 0; i < MAX_SOCKETS; i++) {
		bool reads = ARES_GETSOCK_READABLE(bits, i);
		bool writes = ARES_GETSOCK_WRITABLE(bits, i);

		if (reads || writes)
			fds[n++] = (struct pollfd){ .fd = sockets[i],
			    .events = (short)((reads ? POLLIN : 0) |
			    (writes ? POLLOUT : 0)) };
	}
	fds[n] = (struct pollfd){ .fd = stop[0], .events = POLLIN };
	fds[n + 1] = (struct pollfd){ .fd = stop[1], .events = POLLIN };
	if (poll(fds, n + 2, (int)(next->tv_sec * 1000 +
	    (next->tv_usec + 999) / 1000)) > 0 &&
	    (fds[n].revents != 0 || fds[n + 1].revents != 0))
		return false;
	for (nfds_t i = 0; i < n; i++)
		ares_process_fd(channel,
		    (fds[i].revents & ~POLLOUT) != 0 ? fds[i].fd :
		    ARES_SOCKET_BAD,
		    (fds[i].revents & POLLOUT) != 0 ? fds[i].fd :
		    ARES_SOCKET_BAD);
	/* Also what has waited too long. */
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	return true;
}

/* Those that are to be asked now. */
static size_t
choose(struct dkim_keys *k, const char *const *names, size_t n,
    struct question *out, int64_t now_ms)
{
	size_t chosen = 0;

	k->round++;
	for (size_t i = 0; i < n; i++) {
		struct entry *e = find_entry(k, names[i]);

		if (e == NULL)
			e = new_entry(k, names[i]);
		if (e == NULL)
			continue;
		if (e->round != k->round && e->until_ms <= now_ms)
			out[chosen++] = (struct question){ k, e };
		e->round = k->round;
	}
	return chosen;
}

void
dkim_keys_ask(struct dkim_keys *k, const char *const *names, size_t n,
    const int stop[2], int64_t now_ms)
{
	int64_t until_ms = clock_monotonic_ms() + DKIM_KEYS_WAIT_MS;
	struct question questions[MAX_ENTRIES];
	size_t asked = choose(k, names, n, questions, now_ms);
	ares_channel channel;

	if (asked == 0)
		return;
	if (open_channel(k, &channel) == -1) {
		for (size_t i = 0; i < asked; i++)
			set_later(questions[i].entry, now_ms);
		return;
	}
	k->waiting = asked;
	for (size_t i = 0; i < asked; i++)
		ares_query(channel, questions[i].entry->name, ns_c_in,
		    ns_t_txt, take_answer, &questions[i]);
	while (k->waiting > 0 && wait_some(channel, until_ms, stop))
		continue;
	ares_destroy(channel);	/* tells take_answer of all that still wait */
}
