#include "ocspd/snapshot.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static int
forget_one(const struct status_row *row, void *arg)
{
	struct snapshot *s = arg;
	uint8_t serial[sizeof(row->serial.octets) + 1] = { 0 };

	/* As an INTEGER: with a zero in front where the first bit is set. */
	memcpy(serial + 1, row->serial.octets, row->serial.len);
	if ((serial[1] & 0x80) != 0)
		answers_forget(s->answers, (struct bytes){ serial,
		    (size_t)row->serial.len + 1 });
	else
		answers_forget(s->answers, (struct bytes){ serial + 1,
		    row->serial.len });
	return 0;
}

static struct authority *
find_authority(struct snapshot *s, int64_t id)
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

static int
follow_ca(const struct ca_row *row, void *arg)
{
	struct snapshot *s = arg;
	struct authority *a = find_authority(s, row->id), **grown;
	struct err err;

	if (a != NULL && is_same_certificate(a, row->cert))
		return 0;
	if (a != NULL) {	/* renewed: its answers were under the old */
		for (size_t i = 0; i < s->n_authorities; i++)
			if (s->authorities[i] == a)
				s->authorities[i] =
				    s->authorities[--s->n_authorities];
		authority_free(a);
		answers_forget_all(s->answers);
	}
	grown = reallocarray(s->authorities, s->n_authorities + 1,
	    sizeof(grown[0]));
	if (grown == NULL)
		return 1;	/* no memory: the next change tries again */
	s->authorities = grown;
	if (authority_new(row, s->places, &a, &err) == -1) {
		log_error("ca.unusable", STR("ca", row->name),
		    STR("why", err.text), STR("detail", err.detail));
		return 0;
	}
	s->authorities[s->n_authorities++] = a;
	log_info("ca.served", STR("ca", row->name));
	return 0;
}

static int
follow_responder(const struct responder_row *row, void *arg)
{
	struct snapshot *s = arg;
	struct authority *a = find_authority(s, row->ca_id);

	if (a != NULL)
		authority_offer(a, row, s->places);
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
	answers_forget_all(s->answers);
	log_warn(since != 0 ? "ca.compromised" : "ca.trusted.again",
	    STR("ca", a->name));
	return 0;
}

/* The order matters: forget first, and only then count as having read. */
static int
read_changes(struct snapshot *s, uint64_t last, struct err *err)
{
	if (!s->taken) {
		;	/* the table is empty: nothing to forget */
	} else if (last < s->change) {
		log_warn("store.went.back", NUM("from", s->change),
		    NUM("to", last));
		answers_forget_all(s->answers);
	} else if (store_changes_since(s->store, s->change, forget_one, s,
	    err) == -1) {
		return -1;
	}
	if (store_each_ca(s->store, follow_ca, s, err) == -1 ||
	    store_each_responder(s->store, follow_responder, s, err) == -1)
		return -1;
	for (size_t i = 0; i < s->n_authorities; i++)
		if (follow_compromise(s, s->authorities[i], err) == -1)
			return -1;
	s->change = last;
	return 0;
}

/* A new snapshot: the read transaction is ended and begun again. */
static int
follow_store(struct snapshot *s, struct err *err)
{
	struct stat st;
	uint64_t last;
	time_t now = clock_now();

	if (stat(s->path, &st) == 0 &&
	    (st.st_ino != s->file.st_ino ||
	    st.st_dev != s->file.st_dev))
		return err_set(err, ERR_FAULT, "the store was replaced");
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
	s->read_at_ms = clock_monotonic_ms();
	return 0;
}

static bool
is_fresh(const struct snapshot *s)
{
	return s->taken && clock_monotonic_ms() - s->read_at_ms <=
	    ANSWERS_HEARTBEAT_MS;
}

/*
 * A serial that the snapshot does not have may have been issued since: whoever
 * got a certificate by mail asks at once, and "unknown" would be kept. So a
 * new snapshot is taken first; at most one a millisecond, or a flood of
 * invented serials would keep us at it.
 */
static int
find_status(struct snapshot *s, int64_t ca, const struct serial *serial,
    struct status_row *out, struct err *err)
{
	int found = store_find_status(s->store, ca, serial, out, err);

	if (found != 1 || clock_monotonic_ms() == s->read_at_ms)
		return found;
	if (follow_store(s, err) == -1)
		return -1;
	return store_find_status(s->store, ca, serial, out, err);
}

static struct authority *
match_authority(struct snapshot *s, const struct cert_id *id)
{
	for (size_t i = 0; i < s->n_authorities; i++)
		if (authority_matches(s->authorities[i], id))
			return s->authorities[i];
	return NULL;
}

