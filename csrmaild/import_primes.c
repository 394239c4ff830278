#include "csrmaild/import.h"
#include "common/err.h"
#include "common/shared_prime.h"
#include "common/store.h"

#include <stdio.h>
#include <string.h>

/* --- what is on record ---------------------------------------------------- */

static int
hold(const struct modulus_row *row, void *arg)
{
	struct import_primes *p = arg;
	struct err ignored;

	/* What can be no modulus is held by nobody. */
	(void)shared_prime_add(p->held, row->id, row->modulus, &ignored);
	return 0;
}

static int
open_primes(struct import_primes *p, const struct import_writer *w,
    struct err *err)
{
	if (p->held != NULL)
		return 0;
	return shared_prime_new(&p->held, err) < 0 ? -1 :
	    store_each_modulus(w->store, 0, IMPORT_PRIMES_MAX, hold, p, err);
}

void
import_primes_free(struct import_primes *p)
{
	for (size_t i = 0; i < p->n_waiting; i++)
		buf_free(&p->waiting[i].octets);
	p->n_waiting = 0;
	shared_prime_free(p->held);
	p->held = NULL;
}

/* --- what was found ------------------------------------------------------- */

struct owner {
	char	text[129];
	char	spki[65];
};

static int
keep_owner(const struct modulus_row *row, void *arg)
{
	struct owner *owner = arg;

	snprintf(owner->text, sizeof(owner->text), "%s", row->owner);
	hex_encode((struct bytes){ row->spki_sha256, 32 }, owner->spki);
	return 0;
}

static int
record(struct import_primes *p, const struct import_writer *w, int64_t id,
    int64_t other_id, struct err *err)
{
	struct owner own = { .text = "" }, other = { .text = "" };
	char detail[320];

	if (store_find_modulus_by_id(w->store, id, keep_owner, &own, err) < 0 ||
	    store_find_modulus_by_id(w->store, other_id, keep_owner, &other,
	    err) < 0 || store_add_shared_prime(w->store, id, other_id,
	    w->now, err) < 0)
		return -1;
	p->shared++;
	snprintf(detail, sizeof(detail), "shares a prime with the key %s of "
	    "%s, which is as weak: decide about its certificates", other.spki,
	    other.text);
	return store_audit(w->store, w->now, "key.shared-prime", w->who,
	    own.text, detail, err);
}

/* --- comparing ------------------------------------------------------------ */

/* shared_prime_find compares with those held alone. */
static void
compare_waiting(const struct import_primes *p, struct prime_question *q)
{
	for (size_t i = 1; i < p->n_waiting; i++)
		for (size_t j = 0; j < i && q[i].found == 0; j++)
			if (shared_prime_between(q[i].modulus, q[j].modulus))
				q[i].found = p->waiting[j].id;
}

int
import_primes_flush(struct import_primes *p, const struct import_writer *w,
    struct err *err)
{
	struct prime_question q[IMPORT_PRIMES_BATCH];
	size_t n = p->n_waiting;
	int r;

	for (size_t i = 0; i < n; i++)
		q[i] = (struct prime_question){
			.modulus = buf_bytes(&p->waiting[i].octets) };
	r = n == 0 ? 0 : shared_prime_find(p->held, q, n, err);
	if (r == 0)
		compare_waiting(p, q);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (q[i].found != 0)
			r = record(p, w, p->waiting[i].id, q[i].found, err);
		if (r == 0)
			r = shared_prime_add(p->held, p->waiting[i].id,
			    q[i].modulus, err);
	}
	for (size_t i = 0; i < n; i++)
		buf_free(&p->waiting[i].octets);
	p->n_waiting = 0;
	return r;
}

int
import_primes_take(struct import_primes *p, const struct import_writer *w,
    const struct import_entry *e, struct err *err)
{
	char owner[SERIAL_HEX_SIZE + 8] = "cert:";
	const struct modulus_row row = { .spki_sha256 = e->spki_sha256,
		.modulus = e->modulus, .owner = owner };
	struct buf *to;
	int64_t id;
	int r;

	if (e->modulus.len == 0)
		return 0;
	/* Before its own is among those on record. */
	if (open_primes(p, w, err) < 0)
		return -1;
	serial_to_hex(&e->serial, owner + strlen(owner));
	r = store_add_modulus(w->store, &row, &id, err);
	if (r != 0)		/* the same key once more */
		return r < 0 ? -1 : 0;
	/* An even one is no key; its certificate was told as weak. */
	if ((e->modulus.data[e->modulus.len - 1] & 1) == 0 ||
	    shared_prime_held(p->held) + p->n_waiting >= IMPORT_PRIMES_MAX) {
		p->not_compared++;
		return 0;
	}
	to = &p->waiting[p->n_waiting].octets;
	*to = (struct buf)BUF(SHARED_PRIME_MAX_OCTETS);
	p->waiting[p->n_waiting++].id = id;
	if (buf_append_bytes(to, e->modulus) != 0)
		return err_set(err, ERR_RETRY, "out of memory");
	return p->n_waiting < IMPORT_PRIMES_BATCH ? 0 :
	    import_primes_flush(p, w, err);
}
