#include "ocspd/counters.h"

#include "common/err.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC		UINT64_C(0x6373726d636e7431)	/* "csrmcnt1" */
#define CA_WORDS	(sizeof(struct counted_ca) / sizeof(uint64_t))
#define MAX_TRIES	100	/* of a reader, while the writer writes */

_Static_assert(sizeof(struct counted_ca) == CA_WORDS * sizeof(uint64_t),
    "a CA is copied by words");

struct block {
	uint64_t		magic, n_counters;
	_Atomic uint64_t	values[N_COUNTERS];
	_Atomic uint64_t	sequence;	/* odd: CAs are being written */
	_Atomic uint64_t	n_cas;
	_Atomic uint64_t	cas[COUNTERS_MAX_CAS][CA_WORDS];
};

struct counters {
	struct block	*block;
	int		 fd;
};

struct counters_view {
	const struct block *block;
};

#define HTTP(code)	[COUNT_HTTP_ ## code] = { "http_responses_total",	\
	"code=\"" #code "\"", "HTTP responses by status code.", false }
#define METHOD(name)	[COUNT_ ## name] = { "http_requests_total",		\
	"method=\"" #name "\"", "HTTP requests by method.", false }
#define OCSP(counter, how)						\
	[counter] = { "responses_total", how,				\
	"OCSP responses; held: out of the table, signed: made for the "	\
	"request, else the error (RFC 6960, 4.2.1).", false }
#define CERT_ID(counter, hash)						\
	[counter] = { "requests_by_hash_total", "hash=\"" hash "\"",	\
	"OCSP requests with a CertID by that hash algorithm.", false }
#define FOREIGN(counter, field)						\
	[counter] = { "foreign_requests_total", "field=\"" field "\"",	\
	"Requests about no CA of ours, by the CertID field that is wrong.", \
	false }

static const struct counter_text texts[N_COUNTERS] = {
	[COUNT_CONNECTIONS] = { "connections_total", "",
	    "Connections accepted.", false },
	[COUNT_CONNECTIONS_OPEN] = { "connections", "",
	    "Connections that are open.", true },
	[COUNT_REFUSED_FULL] = { "connections_refused_total",
	    "why=\"max_connections\"",
	    "Connections closed at once, by the limit that was met.", false },
	[COUNT_REFUSED_CLIENT] = { "connections_refused_total",
	    "why=\"max_connections_per_client\"",
	    "Connections closed at once, by the limit that was met.", false },
	[COUNT_GAVE_WAY] = { "connections_gave_way_total", "",
	    "Idle connections ended because a new one found no place.", false },
	[COUNT_REFUSED_WAITING] = { "requests_refused_total",
	    "why=\"max_waiting\"",
	    "Requests answered 503, by the limit that was met.", false },
	[COUNT_WAITING] = { "requests_waiting", "",
	    "Requests that wait for the responder.", true },
	METHOD(GET), METHOD(HEAD), METHOD(POST),
	HTTP(200), HTTP(206), HTTP(304), HTTP(400), HTTP(404), HTTP(405),
	HTTP(408), HTTP(411), HTTP(412), HTTP(413), HTTP(414), HTTP(415),
	HTTP(416), HTTP(417), HTTP(429), HTTP(431),
	HTTP(501), HTTP(503), HTTP(505),
	OCSP(COUNT_OCSP_HELD, "status=\"successful\",from=\"held\""),
	OCSP(COUNT_OCSP_SIGNED, "status=\"successful\",from=\"signed\""),
	OCSP(COUNT_OCSP_MALFORMED, "status=\"malformedRequest\",from=\"\""),
	OCSP(COUNT_OCSP_INTERNAL_ERROR, "status=\"internalError\",from=\"\""),
	OCSP(COUNT_OCSP_TRY_LATER, "status=\"tryLater\",from=\"\""),
	OCSP(COUNT_OCSP_SIG_REQUIRED, "status=\"sigRequired\",from=\"\""),
	OCSP(COUNT_OCSP_UNAUTHORIZED, "status=\"unauthorized\",from=\"\""),
	CERT_ID(COUNT_CERT_ID_SHA1, "sha1"),
	CERT_ID(COUNT_CERT_ID_SHA256, "sha256"),
	CERT_ID(COUNT_CERT_ID_OTHER, "other"),
	[COUNT_FILES] = { "files_total", "",
	    "CRLs and CA certificates served.", false },
	[COUNT_OCTETS_OUT] = { "sent_bytes_total", "",
	    "Octets sent to clients, files not counted.", false },
	[COUNT_SIGNATURES] = { "signatures_total", "",
	    "OCSP responses signed, also ahead of any request.", false },
	[COUNT_SIGNATURES_FAILED] = { "signatures_failed_total", "",
	    "OCSP responses that could not be signed.", false },
	[COUNT_SIGNATURES_AHEAD] = { "signatures_ahead_total", "",
	    "Of those signed, the ones that nobody was waiting for.", false },
	FOREIGN(COUNT_FOREIGN_NAME, "issuerNameHash"),
	FOREIGN(COUNT_FOREIGN_KEY, "issuerKeyHash"),
	[COUNT_STORE_FAILURES] = { "store_failures_total", "",
	    "Failed attempts to read the store.", false },
	[COUNT_STORE_READ_AT] = { "store_read_timestamp_seconds", "",
	    "When the store was last read.", true },
	[COUNT_STORE_CHANGE] = { "store_change", "",
	    "Number of the last change that answers know of.", true },
	[COUNT_STORE_MAX_AGE] = { "store_max_age_seconds", "",
	    "How long ago that may be.", true },
};

const struct counter_text *
counter_text(enum counter which)
{
	return &texts[which];
}

enum counter
counter_of_status(unsigned int status)
{
	static const struct {
		unsigned int	status;
		enum counter	counter;
	} table[] = {
		{ 200, COUNT_HTTP_200 }, { 206, COUNT_HTTP_206 },
		{ 304, COUNT_HTTP_304 }, { 412, COUNT_HTTP_412 },
		{ 400, COUNT_HTTP_400 }, { 404, COUNT_HTTP_404 },
		{ 405, COUNT_HTTP_405 }, { 408, COUNT_HTTP_408 },
		{ 411, COUNT_HTTP_411 }, { 413, COUNT_HTTP_413 },
		{ 414, COUNT_HTTP_414 }, { 415, COUNT_HTTP_415 },
		{ 417, COUNT_HTTP_417 }, { 429, COUNT_HTTP_429 },
		{ 431, COUNT_HTTP_431 },
		{ 501, COUNT_HTTP_501 }, { 503, COUNT_HTTP_503 },
		{ 505, COUNT_HTTP_505 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == status)
			return table[i].counter;
	return N_COUNTERS;
}

/* --- the writer ------------------------------------------------------------ */

int
counters_new(struct counters **out, struct err *err)
{
	OWNED_STRUCT(counters) *c = calloc(1, sizeof(*c));
	void *map;

	if (c == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	c->fd = memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (c->fd < 0 || ftruncate(c->fd, sizeof(struct block)) == -1)
		return err_errno(err, ERR_FAULT, "making counters");
	map = mmap(NULL, sizeof(struct block), PROT_READ | PROT_WRITE,
	    MAP_SHARED, c->fd, 0);
	if (map == MAP_FAILED)
		return err_errno(err, ERR_FAULT, "mapping counters");
	c->block = map;
	c->block->magic = MAGIC;
	c->block->n_counters = N_COUNTERS;
	/* Ours stays writable; no other mapping will be. */
	if (fcntl(c->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == -1)
		return err_errno(err, ERR_FAULT, "sealing counters");
	*out = TAKE(c);
	return 0;
}

void
counters_free(struct counters *c)
{
	if (c == NULL)
		return;
	if (c->block != NULL)
		munmap(c->block, sizeof(*c->block));
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int
counters_share(const struct counters *c, struct err *err)
{
	int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

	return fd >= 0 ? fd : err_errno(err, ERR_FAULT, "sharing counters");
}

void
counters_add(struct counters *c, enum counter which, uint64_t n)
{
	_Atomic uint64_t *value;

	if (c == NULL || which >= N_COUNTERS)
		return;
	/* One writer: no locked instruction is needed. */
	value = &c->block->values[which];
	atomic_store_explicit(value, atomic_load_explicit(value,
	    memory_order_relaxed) + n, memory_order_relaxed);
}

void
counters_set(struct counters *c, enum counter which, uint64_t value)
{
	if (c != NULL && which < N_COUNTERS)
		atomic_store_explicit(&c->block->values[which], value,
		    memory_order_relaxed);
}

void
counters_put_cas(struct counters *c, const struct counted_ca *cas, size_t n)
{
	struct block *b;
	uint64_t sequence;

	if (c == NULL)
		return;
	b = c->block;
	sequence = atomic_load_explicit(&b->sequence, memory_order_relaxed);
	atomic_store_explicit(&b->sequence, sequence + 1,
	    memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	if (n > COUNTERS_MAX_CAS)
		n = COUNTERS_MAX_CAS;
	for (size_t i = 0; i < n; i++) {
		uint64_t words[CA_WORDS];

		memcpy(words, &cas[i], sizeof(words));
		for (size_t k = 0; k < CA_WORDS; k++)
			atomic_store_explicit(&b->cas[i][k], words[k],
			    memory_order_relaxed);
	}
	atomic_store_explicit(&b->n_cas, n, memory_order_relaxed);
	atomic_store_explicit(&b->sequence, sequence + 2,
	    memory_order_release);
}

/* --- the reader ------------------------------------------------------------- */

int
counters_open(int fd, struct counters_view **out, struct err *err)
{
	OWNED_FD own = fd;
	OWNED_STRUCT(counters_view) *v = calloc(1, sizeof(*v));
	struct stat st;
	void *map;

	if (v == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	if (fstat(own, &st) == -1 ||
	    (fcntl(own, F_GET_SEALS) & F_SEAL_SHRINK) == 0 ||
	    (size_t)st.st_size != sizeof(struct block))
		return err_set(err, ERR_FAULT, "these are no counters");
	map = mmap(NULL, sizeof(struct block), PROT_READ, MAP_SHARED, own, 0);
	if (map == MAP_FAILED)
		return err_errno(err, ERR_FAULT, "mapping counters");
	v->block = map;
	if (v->block->magic != MAGIC || v->block->n_counters != N_COUNTERS)
		return err_set(err, ERR_FAULT, "these are no counters");
	*out = TAKE(v);
	return 0;
}

void
counters_close(struct counters_view *v)
{
	if (v == NULL)
		return;
	if (v->block != NULL)
		munmap((void *)(uintptr_t)v->block, sizeof(*v->block));
	free(v);
}

uint64_t
counters_get(const struct counters_view *v, enum counter which)
{
	return atomic_load_explicit(&v->block->values[which],
	    memory_order_relaxed);
}

/* Ended, and nothing that a line of text could break on. */
static void
tame(struct counted_ca *ca)
{
	ca->name[sizeof(ca->name) - 1] = '\0';
	for (char *at = ca->name; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\')
			*at = '_';
}

static size_t
copy_cas(const struct block *b, struct counted_ca *out)
{
	size_t n = (size_t)atomic_load_explicit(&b->n_cas,
	    memory_order_relaxed);

	if (n > COUNTERS_MAX_CAS)
		n = COUNTERS_MAX_CAS;
	for (size_t i = 0; i < n; i++) {
		uint64_t words[CA_WORDS];

		for (size_t k = 0; k < CA_WORDS; k++)
			words[k] = atomic_load_explicit(&b->cas[i][k],
			    memory_order_relaxed);
		memcpy(&out[i], words, sizeof(words));
		tame(&out[i]);
	}
	return n;
}

size_t
counters_get_cas(const struct counters_view *v, struct counted_ca *out)
{
	const struct block *b = v->block;

	for (int i = 0; i < MAX_TRIES; i++) {
		uint64_t before = atomic_load_explicit(&b->sequence,
		    memory_order_acquire);
		size_t n = copy_cas(b, out);

		atomic_thread_fence(memory_order_acquire);
		if ((before & 1) == 0 && before == atomic_load_explicit(
		    &b->sequence, memory_order_relaxed))
			return n;
	}
	return 0;
}
