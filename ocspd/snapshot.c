#include "ocspd/snapshot.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ocspd/island.h"

#include <stdlib.h>
#include <string.h>

#define MAX_AHEAD_S	300	/* clocks of two machines */

struct bytes
serial_content(const struct serial *serial, uint8_t room[SERIAL_CONTENT_MAX])
{
	room[0] = 0;
	memcpy(room + 1, serial->octets, serial->len);
	return (room[1] & 0x80) != 0 ?
	    (struct bytes){ room, (size_t)serial->len + 1 } :
	    (struct bytes){ room + 1, serial->len };
}

static int
forget_one(const struct status_row *row, void *arg)
{
	struct snapshot *s = arg;
	uint8_t room[SERIAL_CONTENT_MAX];

	answers_forget(s->answers, serial_content(&row->serial, room));
	return 0;
}

struct authority *
snapshot_authority(const struct snapshot *s, int64_t id)
{
	for (size_t i = 0; i < s->n_authorities; i++)
		if (s->authorities[i]->id == id)
			return s->authorities[i];
	return NULL;
}

static bool
is_same_certificate(const struct authority *a, struct bytes der)
{
	unsigned char *own = NULL;
	int len = i2d_X509(a->cert, &own);
	bool same = len > 0 && bytes_equal(der,
	    (struct bytes){ own, (size_t)len });

	OPENSSL_free(own);
	return same;
}

/* Its answers go along, and with them all others: they come back as asked. */
static void
drop(struct snapshot *s, struct authority *a)
{
	for (size_t i = 0; i < s->n_authorities; i++)
		if (s->authorities[i] == a)
			s->authorities[i] =
			    s->authorities[--s->n_authorities];
	a->listed = false;
	a->next = s->dropped;
	s->dropped = a;
	s->signers++;
	answers_forget_all(s->answers);
}

void
snapshot_forget_dropped(struct snapshot *s)
{
	while (s->dropped != NULL) {
		struct authority *a = s->dropped;

		s->dropped = a->next;
		authority_free(a);
	}
}

static int
follow_ca(const struct ca_row *row, void *arg)
{
	struct snapshot *s = arg;
	struct authority *a = snapshot_authority(s, row->id), **grown;
	struct err err;

	if (a != NULL && is_same_certificate(a, row->cert)) {
		a->listed = true;
		return 0;
	}
	if (a != NULL)		/* renewed: its answers were under the old */
		drop(s, a);
	grown = reallocarray(s->authorities, s->n_authorities + 1,
	    sizeof(grown[0]));
	if (grown == NULL)
		return 0;	/* no memory: the next change tries again */
	s->authorities = grown;
	if (authority_new(row, s->places, &a, &err) == -1) {
		log_error("ca.unusable", STR("ca", row->name),
		    STR("why", err.text), STR("detail", err.detail));
		return 0;
	}
	a->listed = true;
	s->authorities[s->n_authorities++] = a;
	s->signers++;
	log_info("ca.served", STR("ca", row->name));
	return 0;
}

static int
follow_cas(struct snapshot *s, struct err *err)
{
	for (size_t i = 0; i < s->n_authorities; i++)
		s->authorities[i]->listed = false;
	if (store_each_ca(s->store, follow_ca, s, err) == -1)
		return -1;
	for (size_t i = s->n_authorities; i > 0; i--)
		if (!s->authorities[i - 1]->listed) {
			log_warn("ca.gone",
			    STR("ca", s->authorities[i - 1]->name));
			drop(s, s->authorities[i - 1]);
		}
	return 0;
}

static int
follow_responder(const struct responder_row *row, void *arg)
{
	struct snapshot *s = arg;
	struct authority *a = snapshot_authority(s, row->ca_id);

	if (a != NULL && authority_offer(a, row, s->places))
		s->signers++;
	return 0;
}

static struct authority *
find_parent(struct snapshot *s, const struct authority *a)
{
	for (size_t i = 0; a->parent[0] != '\0' && i < s->n_authorities; i++)
		if (strcmp(s->authorities[i]->name, a->parent) == 0)
			return s->authorities[i];
	return NULL;
}

/*
 * RFC 6960, 2.7: when a CA's key is known to be in other hands, all that it
 * signed is revoked. Revoking its certificate for that reason is the switch.
 */
static int
follow_compromise(struct snapshot *s, struct authority *a, struct err *err)
{
	const struct authority *parent = find_parent(s, a);
	struct status_row row = { 0 };
	time_t since = 0;
	int found = parent == NULL ? 1 :
	    store_find_status(s->store, parent->id, &a->serial, &row, err);

	if (found == -1)
		return -1;
	if (found == 0 && row.state == STATUS_REVOKED &&
	    (row.reason == CRL_KEY_COMPROMISE ||
	    row.reason == CRL_CA_COMPROMISE))
		since = row.invalidity != 0 ? row.invalidity : row.revoked_at;
	if (since == a->compromised_at)
		return 0;
	a->compromised_at = since;
	s->signers++;
	answers_forget_all(s->answers);
	log_warn(since != 0 ? "ca.compromised" : "ca.trusted.again",
	    STR("ca", a->name));
	return 0;
}

/* The order matters: forget first, and only then count as having read. */
static int
read_changes(struct snapshot *s, uint64_t last, struct err *err)
{
	if (s->taken && last < s->change)
		log_warn("store.went.back", NUM("from", s->change),
		    NUM("to", last));
	if (!s->taken) {
		;	/* the table is empty: nothing to forget */
	} else if (last < s->change || s->island != NULL) {
		/* An index of a store that was restored has another past: what
		 * changed in it may have a number that was read before. */
		answers_forget_all(s->answers);
		s->signers++;
	} else if (store_changes_since(s->store, s->change, forget_one, s,
	    err) == -1) {
		return -1;
	}
	if (follow_cas(s, err) == -1 ||
	    store_each_responder(s->store, follow_responder, s, err) == -1)
		return -1;
	for (size_t i = 0; i < s->n_authorities; i++)
		if (follow_compromise(s, s->authorities[i], err) == -1)
			return -1;
	s->change = last;
	return 0;
}

/* --- an index, carried here ------------------------------------ */

struct known {
	const struct snapshot	*snapshot;
	size_t			 found, all;
};

static int
look_for_known(const struct ca_row *row, void *arg)
{
	struct known *known = arg;

	known->all++;
	for (size_t i = 0; i < known->snapshot->n_authorities; i++) {
		const struct authority *a = known->snapshot->authorities[i];

		known->found += a->id == row->id &&
		    memcmp(a->key_hash[CERT_HASH_SHA1], row->key_sha1,
		    sizeof(row->key_sha1)) == 0;
	}
	return 0;
}

/* A CA never leaves its store: an index without one of ours is another's. */
static int
check_cas(const struct snapshot *s, struct store *store, struct err *err)
{
	struct known known = { .snapshot = s };

	if (store_each_ca(store, look_for_known, &known, err) == -1)
		return -1;
	return known.all > 0 && known.found == s->n_authorities ? 0 :
	    err_set(err, ERR_FAULT, "it lacks CAs that were served from the "
	    "last one: it is of another store");
}

static int
take_index(struct snapshot *s, struct store *store, time_t at,
    struct err *err)
{
	struct store *before = s->store;
	uint64_t last;

	if (at > s->now + MAX_AHEAD_S)
		return err_set(err, ERR_FAULT, "it was read %lld s from now: "
		    "one of the two clocks is wrong", (long long)(at - s->now));
	if (store_read_begin(store, err) == -1 ||
	    store_last_change(store, &last, err) == -1 ||
	    check_cas(s, store, err) == -1)
		return -1;
	s->store = store;
	if (read_changes(s, last, err) == -1) {
		s->store = before;
		return -1;
	}
	store_free(before);
	s->taken = true;
	/* Their clock may be a little ahead of ours. */
	s->read_at = at < s->now ? at : s->now;
	return 0;
}

static bool
is_too_old(const struct snapshot *s)
{
	return s->island != NULL &&
	    s->now - s->read_at > s->max_index_age_s;
}

static void
follow_index(struct snapshot *s)
{
	struct store *store = NULL;
	struct err err;
	time_t at;

	switch (island_look(s->island, &store, &at)) {
	case ISLAND_NEW:
		if (take_index(s, store, at, &err) == -1) {
			store_free(store);
			island_refuse(s->island, &err);
		} else
			island_keep(s->island, at);
		break;
	case ISLAND_SPOILT:
		s->taken = false;
		answers_forget_all(s->answers);
		break;
	case ISLAND_SAME:
		break;
	}
	if (s->taken && is_too_old(s) && !s->told_old)
		log_error("index.too.old", NUM("read_at", s->read_at),
		    STR("why", "older than max_index_age_s: answers are "
		    "tryLater until a newer one is here"));
	s->told_old = s->taken && is_too_old(s);
}

int
snapshot_follow(struct snapshot *s, struct err *err)
{
	struct stat st;
	uint64_t last;
	time_t now = clock_now();
	/* Before anything is read: what comes to be after that is not in it. */
	int64_t now_ms = clock_monotonic_ms();

	if (now > s->now)
		s->now = now;
	if (s->island != NULL) {
		follow_index(s);
		s->read_at_ms = now_ms;
		return 0;
	}
	/* One that was taken away could be read on, and never changes. */
	if (stat(s->path, &st) == -1)
		return err_errno(err, ERR_RETRY, "looking at the store");
	if (st.st_ino != s->file.st_ino || st.st_dev != s->file.st_dev)
		return err_set(err, ERR_FAULT, "the store was replaced");
	/* The read transaction is ended and begun again. */
	store_read_end(s->store);
	if (store_read_begin(s->store, err) == -1 ||
	    store_last_change(s->store, &last, err) == -1)
		return -1;
	if ((!s->taken || last != s->change) &&
	    read_changes(s, last, err) == -1)
		return -1;
	s->taken = true;
	/* thisUpdate never goes back, whatever the clock does. */
	if (now > s->read_at)
		s->read_at = now;
	s->read_at_ms = now_ms;
	return 0;
}

bool
snapshot_is_fresh(const struct snapshot *s)
{
	return s->taken && !is_too_old(s) && clock_monotonic_ms() - s->read_at_ms <=
	    ANSWERS_HEARTBEAT_MS;
}

int
snapshot_find(struct snapshot *s, int64_t ca, const struct serial *serial,
    struct status_row *out, struct err *err)
{
	int found = store_find_status(s->store, ca, serial, out, err);

	if (found != 1 || s->island != NULL ||
	    clock_monotonic_ms() == s->read_at_ms)
		return found;
	if (snapshot_follow(s, err) == -1)
		return -1;
	return store_find_status(s->store, ca, serial, out, err);
}

struct authority *
snapshot_match(const struct snapshot *s, const struct cert_id *id)
{
	for (size_t i = 0; i < s->n_authorities; i++)
		if (authority_matches(s->authorities[i], id))
			return s->authorities[i];
	return NULL;
}

int
snapshot_open(struct snapshot *s, const char *path, struct answers *answers,
    const struct key_places *places, struct err *err)
{
	*s = (struct snapshot){ .path = path, .answers = answers,
		.places = places, .read_at_ms = clock_monotonic_ms() };
	if (store_open(path, STORE_READ_ONLY, &s->store, err) == -1)
		return -1;
	if (stat(path, &s->file) == -1)
		return err_errno(err, ERR_RETRY, "looking at the store");
	return 0;
}

int
snapshot_open_index(struct snapshot *s, const char *path,
    int64_t max_index_age_s, struct answers *answers,
    const struct key_places *places, struct err *err)
{
	*s = (struct snapshot){ .path = path, .answers = answers,
		.places = places, .read_at_ms = clock_monotonic_ms(),
		.max_index_age_s = max_index_age_s };
	return island_new(path, &s->island, err);
}

void
snapshot_close(struct snapshot *s)
{
	island_free(s->island);
	for (size_t i = 0; i < s->n_authorities; i++)
		authority_free(s->authorities[i]);
	free(s->authorities);
	snapshot_forget_dropped(s);
	store_free(s->store);
}
