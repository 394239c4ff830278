#include "csrmaild/acts_revoke_private.h"

#include "csrmaild/registry.h"

#include <stdlib.h>
#include <string.h>

/*
 * Revoking inside a transaction that is open for other things as well.
 */

static int
keep_targets(struct registrar *r, const struct batch *batch, struct err *err)
{
	struct target *more = reallocarray(r->revoked, r->n_revoked + batch->n,
	    sizeof(*more));

	if (more == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	r->revoked = more;
	memcpy(more + r->n_revoked, batch->items, batch->n * sizeof(*more));
	r->n_revoked += batch->n;
	return 0;
}

int
registrar_revoke_within(struct registrar *r, int64_t ca,
    const struct serial *serial, enum crl_reason reason, const char *who,
    const char *answered, struct err *err)
{
	const struct revoking how = { .reason = reason, .who = who,
		.now = r->now,
		.key_is_lost = crl_reason_is_compromise(reason),
		.answered = answered };
	__attribute__((cleanup(acts_batch_free))) struct batch batch = {
		.registrar = r, .reason = reason };

	if (store_find_certificate(r->store, ca, serial, acts_batch_add,
	    &batch, err) == -1 || (batch.n > 0 &&
	    acts_revoke_inside(r, &batch, &how, err) == -1))
		return -1;
	if (batch.n == 0 || !batch.items[0].done)
		return 1;
	return keep_targets(r, &batch, err);
}

void
registrar_forget_revoked(struct registrar *r, size_t mark)
{
	r->n_revoked = mark;
}

void
registrar_tell_revoked(struct registrar *r)
{
	if (r->n_revoked > 0)
		acts_revoke_note(r, r->revoked, r->n_revoked);
	r->n_revoked = 0;
}

void
registrar_free_revoked(struct registrar *r)
{
	free(r->revoked);
	r->revoked = NULL;
	r->n_revoked = 0;
}
