#include "ocspd/places.h"

#include "common/err.h"
#include "common/log.h"

#include <sys/resource.h>

#include <stdlib.h>

#define LOOKED_AT	256	/* for one that may give way */
#define GIVE_WAY_MS	1000	/* idle for so long: it may */
/* The lobby, sockets to listen on, the table, the peers. */
#define SPARE_DESCRIPTORS	(PLACES_LOBBY + 128)

/* Each connection needs a descriptor, and one more while it gets a file. */
static size_t
count_possible(size_t wanted)
{
	struct rlimit limit;
	size_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return wanted;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	most = limit.rlim_max < 3 * SPARE_DESCRIPTORS ? SPARE_DESCRIPTORS :
	    (size_t)(limit.rlim_max - SPARE_DESCRIPTORS) / 2;
	if (wanted <= most)
		return wanted;
	log_warn("descriptors.few", NUM("limit", limit.rlim_max),
	    NUM("max_connections", wanted), NUM("instead", most));
	return most;
}

int
places_open(struct places *p, size_t n, struct err *err)
{
	p->n = count_possible(n) + PLACES_LOBBY;
	p->each = calloc(p->n, sizeof(p->each[0]));
	p->free = calloc(p->n, sizeof(p->free[0]));
	if (p->each == NULL || p->free == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	for (size_t i = p->n; i > 0; i--) {
		p->each[i - 1].fd = -1;
		p->free[p->n_free++] = (uint32_t)(i - 1);
	}
	return 0;
}

void
places_close(struct places *p, struct service *s)
{
	for (size_t i = 0; p->each != NULL && i < p->n; i++)
		if (p->each[i].fd >= 0)
			connection_close(&p->each[i], s);
	free(p->each);
	free(p->free);
}

struct connection *
places_take(struct places *p)
{
	return p->n_free == 0 ? NULL : &p->each[p->free[--p->n_free]];
}

void
places_give_back(struct places *p, struct connection *c, struct service *s)
{
	p->clients[c->bucket]--;
	connection_close(c, s);
	p->free[p->n_free++] = (uint32_t)(c - p->each);
}

bool
places_are_full(const struct places *p)
{
	return p->n_free <= PLACES_LOBBY;
}

size_t
places_taken(const struct places *p)
{
	return p->n - p->n_free;
}

struct connection *
places_find_idle(struct places *p, const struct service *s)
{
	struct connection *longest = NULL;
	int64_t most_ms = GIVE_WAY_MS - 1;

	for (size_t i = 0; i < LOOKED_AT && i < p->n; i++) {
		struct connection *c = &p->each[p->hand];
		int64_t ms = c->fd < 0 ? -1 : connection_idle_ms(c, s);

		p->hand = (p->hand + 1) % p->n;
		if (ms > most_ms) {
			most_ms = ms;
			longest = c;
		}
	}
	return longest;
}

uint64_t
places_id(const struct places *p, const struct connection *c)
{
	return (uint64_t)c->turn << 32 | (uint64_t)(c - p->each);
}

struct connection *
places_find(const struct places *p, uint64_t id)
{
	size_t place = (uint32_t)id;
	struct connection *c = place < p->n ? &p->each[place] : NULL;

	return c != NULL && c->fd >= 0 && places_id(p, c) == id ? c : NULL;
}
